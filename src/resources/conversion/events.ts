import type { Conversion, KubeObject } from "../types.ts";
import { renamed } from "./renamed.ts";

/** What events.k8s.io/v1 calls the fields of core/v1's events: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ */
const CORE_NAMES: Record<string, string> = {
  regarding: "involvedObject",
  note: "message",
  reportingController: "reportingComponent",
  deprecatedSource: "source",
  deprecatedFirstTimestamp: "firstTimestamp",
  deprecatedLastTimestamp: "lastTimestamp",
  deprecatedCount: "count",
};
const NEW_NAMES = Object.fromEntries(Object.entries(CORE_NAMES).map(([name, core]) => [core, name]));

/** Events are stored as core/v1 has them. */
export const eventConversion: Conversion = {
  toStorage: (event) => ({ ...renamed(event, CORE_NAMES), apiVersion: "v1" }),
  fromStorage: (event) => ({ ...withoutEmpty(renamed(event, NEW_NAMES)), apiVersion: "events.k8s.io/v1" }),
};

/** core/v1 shows these even when nobody set them, events.k8s.io/v1 does not. */
function withoutEmpty(event: KubeObject): KubeObject {
  for (const name of ["reportingController", "reportingInstance"]) if (event[name] === "") delete event[name];
  return event;
}
