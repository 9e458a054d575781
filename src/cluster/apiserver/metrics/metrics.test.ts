import { expect, test } from "bun:test";
import { FakeClock, systemClock } from "../../../base/index.ts";
import { startTestServer } from "../testing.ts";
import { Meter, type Reading } from "./meter.ts";

test("a first measurement takes a second; later ones begin where it began, for 15 s", async () => {
  const clock = new FakeClock(0);
  const meter = new Meter(clock);
  let cpuSeconds = 10;
  const read = async () => new Map<string, Reading>([["a", { cpuSeconds, memoryBytes: 5 }]]);
  const first = meter.measure(read);
  await Bun.sleep(1);
  cpuSeconds = 10.5;
  clock.advance(1000);
  expect((await first).get("a")).toEqual({ cores: 0.5, memoryBytes: 5, windowMs: 1000, at: 1000 });
  clock.advance(9000);
  cpuSeconds = 15;
  expect((await meter.measure(read)).get("a")).toMatchObject({ cores: 0.5, windowMs: 10_000 });
  clock.advance(10_000);
  await meter.measure(read);
  clock.advance(1000);
  cpuSeconds = 16;
  expect((await meter.measure(read)).get("a")).toMatchObject({ cores: 1, windowMs: 1000 });
});

test("metrics of pods and nodes; what does not run is left out", async () => {
  let cpuSeconds = 1;
  // Waits are cut short, times are true.
  const clock = { now: () => Date.now(), after: (ms: number, callback: () => void) => systemClock.after(ms / 20, callback) };
  const api = await startTestServer({
    clock,
    usage: {
      pod: async (_, name) => (name === "web" ? [{ container: "app", startedAt: 1, cpuSeconds: (cpuSeconds += 0.25), memoryBytes: 3 << 20 }] : undefined),
      node: () => ({ cpuSeconds: performance.now() / 1000, memoryBytes: 1 << 30 }),
    },
  });
  try {
    await api.call("POST", "/api/v1/namespaces/default/serviceaccounts", { body: { metadata: { name: "default" } } });
    for (const name of ["web", "idle"]) {
      await api.call("POST", "/api/v1/namespaces/default/pods", {
        body: { metadata: { name, labels: { app: name } }, spec: { containers: [{ name: "app", image: "x" }] } },
      });
    }
    await api.call("POST", "/api/v1/nodes", { body: { metadata: { name: "n" } } });
    const path = "/apis/metrics.k8s.io/v1beta1";
    const [pods, nodes, idle, none] = await Promise.all([
      api.call("GET", `${path}/pods`),
      api.call("GET", `${path}/nodes`),
      api.call("GET", `${path}/namespaces/default/pods/idle`),
      api.call("GET", `${path}/namespaces/default/pods?labelSelector=app%3Didle`),
    ]);
    expect(pods.body).toMatchObject({
      kind: "PodMetricsList",
      items: [{ metadata: { name: "web", namespace: "default" }, containers: [{ name: "app", usage: { memory: "3072Ki" } }] }],
    });
    const [{ containers, window }] = pods.body.items as [{ containers: { usage: { cpu: string } }[]; window: string }];
    expect(containers[0]?.usage.cpu).toMatch(/^[1-9]\d*n$/);
    expect(window).toMatch(/^0\.\d+s$/);
    expect(nodes.body).toMatchObject({ kind: "NodeMetricsList", items: [{ metadata: { name: "n" }, usage: { memory: "1048576Ki" } }] });
    expect([idle.status, idle.body.message]).toEqual([404, 'podmetrics.metrics.k8s.io "default/idle" not found']);
    expect(none.body.items).toEqual([]);
  } finally {
    await api.close();
  }
});
