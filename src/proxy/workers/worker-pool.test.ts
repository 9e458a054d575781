import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createLogger, systemClock } from "../../base/index.ts";
import { connectMarked } from "../../linux/index.ts";
import type { DataPlaneApi } from "../data-plane.ts";
import { closedPort, echoServer } from "../test-support/backends.ts";
import { eventually } from "../test-support/collectors.ts";
import { get } from "../test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener } from "../test-support/plain-config.ts";
import { TestSecrets } from "../test-support/sidecar.ts";
import { Histogram } from "../telemetry/stats.ts";
import { mergeSamples, sendSamples } from "./merge-stats.ts";
import { workerDataPlanes } from "./worker-pool.ts";

const port = closedPort();
let plane: DataPlaneApi;

const listener = (body: string) =>
  httpListener("l", {
    routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: body } } }],
    listener: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } },
  });

beforeAll(() => {
  plane = workerDataPlanes({ count: 2, command: [process.execPath, join(import.meta.dir, "../test-support/worker-main.ts")] })({
    node: { id: "n", cluster: "c", metadata: {} },
    secrets: new TestSecrets(),
    sockets: {
      listen: ({ address, port: wanted }) => ({ hostname: address, port: wanted }),
      connect: (target) => connectMarked(target.address, target.port, 0),
      originalDestination: () => undefined,
    },
    clock: systemClock,
    log: createLogger("proxy", { level: "none" }),
    accessLog: () => ({ write() {} }),
    random: Math.random,
  });
});
afterAll(() => plane.stop());

async function total(): Promise<{ all: number; own: number }> {
  const count = (text: string): number => Number(/^envoy_http_downstream_rq_total\{[^}]*"l"[^}]*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  const own = count(plane.prometheus());
  await plane.refreshStats?.();
  return { all: count(plane.prometheus()), own };
}

test("connections spread over the processes, and the statistics are their sum", async () => {
  await configure(plane, { listeners: [listener("one")] });
  let asked = 0;
  // The first of them come before the second process listens.
  await eventually(
    async () => {
      await Promise.all(Array.from({ length: 20 }, () => get(port, "/", "h")));
      asked += 20;
      const { all, own } = await total();
      return all === asked && own < asked;
    },
    "both processes have served",
    5000,
  );
});

test("what is shown of a cluster's hosts is the sum of what the processes have done with them", async () => {
  const backend = echoServer();
  const routed = { ...httpListener("l", { routes: [forward("/", "hosts")] }), address: { socketAddress: { address: "127.0.0.1", portValue: port } } };
  await configure(plane, { clusters: [cluster("hosts", [backend.port])], listeners: [routed] });
  await eventually(
    async () => {
      await Promise.all(Array.from({ length: 20 }, () => get(port, "/", "h")));
      const total = (): number => plane.clusters()[0]?.hosts[0]?.stats.rqSuccess ?? 0;
      const before = total();
      await plane.refreshStats?.("clusters");
      return total() > before && total() === backend.seen.length;
    },
    "what all have done is shown",
    10_000,
  );
  backend.stop();
});

test("an update reaches all of them", async () => {
  await configure(plane, { listeners: [listener("two")] });
  await eventually(
    async () => (await Promise.all(Array.from({ length: 20 }, () => get(port, "/", "h")))).every(({ body }) => body === "two"),
    "all answers are new",
  );
});

test("drained, none of them accepts any more", async () => {
  await plane.drain(100);
  expect((await get(port, "/", "h")).status).toBe(0);
});

test("sums are of what is counted; what all have alike is not added up", () => {
  const histogram = new Histogram([1, 10]);
  histogram.record(5);
  const samples = [
    { name: "a", kind: "counter" as const, labels: 'x="1"', metric: { value: 3 } },
    { name: "envoy_cluster_manager_active_clusters", kind: "gauge" as const, labels: "", metric: { value: 2 } },
    { name: "h", kind: "histogram" as const, labels: "", metric: histogram },
  ];
  const merged = mergeSamples(samples, [sendSamples(samples), sendSamples([{ name: "b", kind: "counter", labels: "", metric: { value: 1 } }])]);
  expect(merged.map(({ name, metric }) => [name, metric instanceof Histogram ? [metric.count, metric.sum, [...metric.counts]] : metric.value])).toEqual([
    ["a", 6],
    ["envoy_cluster_manager_active_clusters", 2],
    ["h", [2, 10, [0, 2, 0]]],
    ["b", 1],
  ]);
  expect([samples[0]?.metric, histogram.count]).toEqual([{ value: 3 }, 1]);
});
