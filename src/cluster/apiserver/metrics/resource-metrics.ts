import type { Clock } from "../../../base/index.ts";
import type { KubeObject, Pod } from "../../../resources/index.ts";
import type { ContainerUsage } from "../../node/types.ts";
import { StoredObject } from "../../store/index.ts";
import { apiVersionOf, type Resource } from "../catalogue.ts";
import type { ApiResponse } from "../http/exchange.ts";
import { respondJson } from "../http/respond.ts";
import { methodNotAllowed, notFound } from "../http/status.ts";
import type { RestContext } from "../rest/context.ts";
import { negotiatedFor, respondObject, type ResourceCall, type SpecialHandler } from "../rest/dispatch.ts";
import { parseListOptions } from "../rest/list-options.ts";
import { timestamp } from "../rest/object-meta.ts";
import { includeObject, renderList } from "../rest/read.ts";
import { METRICS_GROUP, type Usage } from "./definitions.ts";
import { type Measurement, Meter, type Reading } from "./meter.ts";

/** Where measurements come from: the node. */
export interface UsageSource {
  /** The running containers of a pod; undefined when the node does not run it. */
  pod(namespace: string, name: string): Promise<ContainerUsage[] | undefined>;
  /** The whole machine. */
  node(): Reading;
}

/** `kubectl top`: metrics.k8s.io/v1beta1, by `group/plural`. */
export function resourceMetrics(context: RestContext, source: UsageSource): [string, SpecialHandler][] {
  const { clock, store } = context;
  const meter = new Meter(clock);
  const pods = (namespace: string) => store.list("/pods", namespace).map(({ object }) => object as KubeObject as Pod);
  return [
    [
      `${METRICS_GROUP}/pods`,
      served(context, async (selected, { target, resource }) => {
        const one = target.verb === "get" ? store.get("/pods", target.namespace, target.name)?.object : undefined;
        const candidates =
          target.verb === "get" ? (one ? [one as KubeObject as Pod] : []) : pods(target.namespace).filter((pod) => selected(pod as unknown as KubeObject));
        const measured = await meter.measure(() => readPods(source, candidates));
        return candidates.flatMap((pod) => podMetrics(pod, measured, resource) ?? []);
      }),
    ],
    [
      `${METRICS_GROUP}/nodes`,
      served(context, async (selected, { target, resource }) => {
        const nodes = store
          .list("/nodes")
          .map(({ object }) => object)
          .filter((node) => (target.verb === "get" ? node.metadata.name === target.name : selected(node)));
        if (nodes.length === 0) return [];
        const measured = await meter.measure(async () => new Map([["", source.node()]]));
        const measurement = measured.get("");
        return measurement ? nodes.map((node) => metrics(node, resource, clock, measurement, { usage: usageOf(measurement) })) : [];
      }),
    ],
  ];
}

type Measure = (selected: (object: KubeObject) => boolean, call: ResourceCall) => Promise<KubeObject[]>;

function served(context: RestContext, measure: Measure): SpecialHandler {
  return async (call): Promise<ApiResponse> => {
    const { request, target, resource } = call;
    if (target.verb === "get") {
      const [object] = await measure(() => true, call);
      if (!object)
        throw notFound(
          { ...resource.definition, plural: resource.definition.kind.toLowerCase() },
          target.namespace ? `${target.namespace}/${target.name}` : target.name,
        );
      return respondObject(context, call, 200, StoredObject.transient(resource.id, object));
    }
    if (target.verb !== "list") throw methodNotAllowed();
    const { filter } = parseListOptions(request.query, resource.definition, false);
    const objects = await measure((object) => filter?.(object) ?? true, call);
    const page = {
      items: objects.map((object) => StoredObject.transient(resource.id, object)),
      revision: context.store.revision,
      continueToken: undefined,
      remaining: undefined,
    };
    const negotiated = negotiatedFor(request);
    return respondJson(200, renderList(resource, page, negotiated, includeObject(request.query), context.clock.now()), negotiated);
  };
}

/** Readings by `uid/container/start`: a container that starts again begins a count of its own. */
async function readPods(source: UsageSource, pods: readonly Pod[]): Promise<Map<string, Reading>> {
  const readings = new Map<string, Reading>();
  for (const { metadata } of pods) {
    for (const usage of (await source.pod(metadata.namespace ?? "", metadata.name)) ?? []) readings.set(keyOf(metadata.uid, usage), usage);
  }
  return readings;
}

function keyOf(uid: string | undefined, { container, startedAt }: Pick<ContainerUsage, "container" | "startedAt">): string {
  return `${uid}/${container}/${startedAt}`;
}

/** Undefined for a pod of which nothing could be measured: it does not run. */
function podMetrics(pod: Pod, measured: ReadonlyMap<string, Measurement>, resource: Resource): KubeObject | undefined {
  const prefix = `${pod.metadata.uid}/`;
  const own = [...measured].filter(([key]) => key.startsWith(prefix));
  const newest = own.map(([, measurement]) => measurement).sort((a, b) => b.windowMs - a.windowMs)[0];
  if (!newest) return undefined;
  const containers = own.map(([key, measurement]) => ({ name: key.split("/")[1] ?? "", usage: usageOf(measurement) }));
  return metrics(pod as unknown as KubeObject, resource, { now: () => newest.at }, newest, { containers });
}

function metrics(
  { metadata }: KubeObject,
  { definition, version }: Resource,
  clock: Pick<Clock, "now">,
  { at, windowMs }: Measurement,
  fields: object,
): KubeObject {
  const { name, namespace, labels } = metadata;
  return {
    apiVersion: apiVersionOf(definition.group, version),
    kind: definition.kind,
    metadata: { name, ...(namespace ? { namespace } : {}), creationTimestamp: timestamp(clock.now()), ...(labels ? { labels } : {}) },
    timestamp: timestamp(at),
    window: `${windowMs / 1000}s`,
    ...fields,
  };
}

function usageOf({ cores, memoryBytes }: Measurement): Usage {
  return { cpu: `${Math.round(cores * 1e9)}n`, memory: `${Math.round(memoryBytes / 1024)}Ki` };
}
