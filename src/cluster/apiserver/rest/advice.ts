import type { Resource } from "../catalogue.ts";

/** Kinds that are stored so that charts install, by `group/plural`, and what does not come of them here. */
const NOTHING_ACTS: Record<string, string> = {
  "apiregistration.k8s.io/apiservices": "APIServices are stored and no request is passed on to them in this cluster",
  "node.k8s.io/runtimeclasses": "RuntimeClasses are stored, and pods of all of them run alike in this cluster",
  "autoscaling/horizontalpodautoscalers": "HorizontalPodAutoscalers are stored and nothing scales by them in this cluster",
  "storage.k8s.io/csidrivers": "CSIDrivers are stored and no volume of theirs is mounted in this cluster",
  "storage.k8s.io/volumeattributesclasses": "VolumeAttributesClasses are stored and no volume is changed by them in this cluster",
  "networking.k8s.io/servicecidrs": "ServiceCIDRs are stored, and Services have addresses of the first one only in this cluster",
  "scheduling.k8s.io/priorityclasses": "PriorityClasses set the priority of pods; nothing is preempted by it in this cluster",
};

/** Groups of which every kind is stored for the programs that bring it. */
const STORED_GROUPS: ReadonlySet<string> = new Set(["resource.k8s.io", "flowcontrol.apiserver.k8s.io"]);

/** The control plane is configured by Istio's own kinds. */
const GATEWAY_API = "gateway.networking.k8s.io";

/** What a client that writes such a kind should know. */
export function adviceOn({ id, definition }: Pick<Resource, "id" | "definition">): string[] {
  if (definition.group === GATEWAY_API)
    return [`${definition.kind} objects of the Gateway API are stored and nothing acts on them in this cluster: use Istio's Gateway and VirtualService`];
  if (STORED_GROUPS.has(definition.group)) return [`${definition.kind} objects are stored and nothing acts on them in this cluster`];
  const advice = NOTHING_ACTS[id];
  return advice ? [advice] : [];
}
