import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { OverloadManagerSchema } from "../../proto/gen/envoy/config/overload/v3/overload_pb.ts";
import { loadRegistry } from "../../proto/index.ts";
import { typed } from "../test-support/plain-config.ts";
import { readOverload } from "./overload-config.ts";

const heap = {
  name: "envoy.resource_monitors.fixed_heap",
  typedConfig: typed("envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", { maxHeapSizeBytes: "1000" }),
};
const connections = {
  name: "envoy.resource_monitors.global_downstream_max_connections",
  typedConfig: typed("envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig", { maxActiveDownstreamConnections: "7" }),
};

async function read(json: JsonObject, runtime: JsonObject = {}): Promise<ReturnType<typeof readOverload>> {
  return readOverload(fromJson(OverloadManagerSchema, json, { registry: await loadRegistry() }), runtime);
}

test("monitors, thresholds and limits of the runtime", async () => {
  const actions = [
    { name: "envoy.overload_actions.stop_accepting_requests", triggers: [{ name: heap.name, threshold: { value: 0.95 } }] },
    { name: "envoy.overload_actions.disable_http_keepalive", triggers: [{ name: heap.name, scaled: { scalingThreshold: 0.5, saturationThreshold: 0.9 } }] },
  ];
  expect(
    await read({ refreshInterval: "0.25s", resourceMonitors: [heap, connections], actions }, { "envoy.resource_limits.listener.l.connection_limit": 3 }),
  ).toEqual({
    refreshMs: 250,
    maxHeapBytes: 1000,
    maxConnections: 7,
    listenerLimits: new Map([["l", 3]]),
    actions: [
      { name: "stop_accepting_requests", monitor: heap.name, from: 0.95 },
      { name: "disable_http_keepalive", monitor: heap.name, from: 0.9 },
    ],
  });
  expect(readOverload(undefined, {})).toBeUndefined();
  expect(readOverload(undefined, { "overload.global_downstream_max_connections": "12" })?.maxConnections).toBe(12);
});

test("what cannot be watched or done is refused by name", async () => {
  await expect(
    read({ resourceMonitors: [{ name: "envoy.resource_monitors.cpu_utilization", typedConfig: typed("envoy.config.core.v3.Address") }] }),
  ).rejects.toThrow("Didn't find a registered implementation for 'envoy.resource_monitors.cpu_utilization'");
  await expect(
    read({ resourceMonitors: [heap], actions: [{ name: "envoy.overload_actions.reduce_timeouts", triggers: [{ name: heap.name, threshold: { value: 1 } }] }] }),
  ).rejects.toThrow("the action envoy.overload_actions.reduce_timeouts is not supported");
  await expect(
    read({ resourceMonitors: [heap], actions: [{ name: "envoy.overload_actions.shrink_heap", triggers: [{ name: "other", threshold: { value: 1 } }] }] }),
  ).rejects.toThrow("Unknown trigger resource other");
});
