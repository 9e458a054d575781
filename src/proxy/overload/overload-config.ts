import type { OverloadAction, OverloadManager, Trigger } from "../../proto/gen/envoy/config/overload/v3/overload_pb.ts";
import { DownstreamConnectionsConfigSchema } from "../../proto/gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.ts";
import { FixedHeapConfigSchema } from "../../proto/gen/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import { durationMs } from "../durations.ts";
import { InvalidResource } from "../types.ts";

/** What is done under pressure. */
export type ActionName = "stop_accepting_requests" | "disable_http_keepalive" | "stop_accepting_connections" | "reject_incoming_connections" | "shrink_heap";

export interface OverloadConfig {
  readonly refreshMs: number;
  /** Of resident memory; undefined: not watched. */
  readonly maxHeapBytes: number | undefined;
  readonly maxConnections: number | undefined;
  /** By listener name. */
  readonly listenerLimits: ReadonlyMap<string, number>;
  /** From which pressure on (0 to 1) each action is taken. A scaled one is taken when it is saturated. */
  readonly actions: readonly { readonly name: ActionName; readonly monitor: string; readonly from: number }[];
}

export const HEAP_MONITOR = "envoy.resource_monitors.fixed_heap";
const CONNECTIONS_MONITOR = "envoy.resource_monitors.global_downstream_max_connections";
const ACTION_PREFIX = "envoy.overload_actions.";
const ACTIONS: ReadonlySet<string> = new Set<ActionName>([
  "stop_accepting_requests",
  "disable_http_keepalive",
  "stop_accepting_connections",
  "reject_incoming_connections",
  "shrink_heap",
]);
/** Envoy's default. */
const REFRESH_MS = 1000;

/**
 * Reads the bootstrap's overload_manager, and the limits that are runtime values; undefined when there is nothing to watch.
 * Throws InvalidResource for monitors and actions that are not known: whoever relies on one must not believe in it.
 */
export function readOverload(proto: OverloadManager | undefined, runtime: { readonly [name: string]: unknown }): OverloadConfig | undefined {
  let maxHeapBytes: number | undefined;
  let maxConnections = numberOf(runtime["overload.global_downstream_max_connections"]);
  const monitors = new Set<string>();
  for (const { name, configType } of proto?.resourceMonitors ?? []) {
    const heap = unpackAny(FixedHeapConfigSchema, configType.value);
    const connections = unpackAny(DownstreamConnectionsConfigSchema, configType.value);
    if (heap) maxHeapBytes = Number(heap.maxHeapSizeBytes);
    else if (connections) maxConnections = Number(connections.maxActiveDownstreamConnections);
    else
      throw new InvalidResource(
        "UNKNOWN_RESOURCE_MONITOR",
        `overload_manager: Didn't find a registered implementation for '${name}' with type URL: '${configType.value?.typeUrl ?? ""}'`,
      );
    monitors.add(name);
  }
  const listenerLimits = new Map<string, number>();
  for (const [key, value] of Object.entries(runtime)) {
    const name = /^envoy\.resource_limits\.listener\.(.+)\.connection_limit$/.exec(key)?.[1];
    const limit = numberOf(value);
    if (name !== undefined && limit !== undefined) listenerLimits.set(name, limit);
  }
  const actions = (proto?.actions ?? []).flatMap((action) => readAction(action, monitors));
  if (maxHeapBytes === undefined && maxConnections === undefined && listenerLimits.size === 0) return undefined;
  return { refreshMs: durationMs(proto?.refreshInterval) ?? REFRESH_MS, maxHeapBytes, maxConnections, listenerLimits, actions };
}

function readAction({ name, triggers }: OverloadAction, monitors: ReadonlySet<string>): OverloadConfig["actions"] {
  const short = name.startsWith(ACTION_PREFIX) ? name.slice(ACTION_PREFIX.length) : "";
  if (!ACTIONS.has(short)) throw new InvalidResource("UNKNOWN_OVERLOAD_ACTION", `overload_manager: the action ${name} is not supported`);
  return triggers.map((trigger) => {
    if (!monitors.has(trigger.name))
      throw new InvalidResource("INVALID_OVERLOAD_MANAGER", `Unknown trigger resource ${trigger.name} for overload action ${name}`);
    if (trigger.name === CONNECTIONS_MONITOR)
      throw new InvalidResource("INVALID_OVERLOAD_MANAGER", `overload_manager: ${trigger.name} cannot trigger ${name}: the limit acts by itself`);
    return { name: short as ActionName, monitor: trigger.name, from: thresholdOf(trigger) };
  });
}

function thresholdOf({ triggerOneof }: Trigger): number {
  if (triggerOneof.case === "threshold") return triggerOneof.value.value;
  if (triggerOneof.case === "scaled") return triggerOneof.value.saturationThreshold;
  throw new InvalidResource("INVALID_OVERLOAD_MANAGER", "TriggerValidationError.TriggerOneof: value is required");
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}
