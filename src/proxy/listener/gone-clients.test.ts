import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { configure, cluster, tcpListener } from "../test-support/plain-config.ts";
import { Sidecar } from "../test-support/sidecar.ts";

test("clients that have reset their connections before they are accepted leave nothing", async () => {
  const proxy = new Sidecar({ id: "n" });
  await configure(proxy.dataPlane, { clusters: [cluster("c", [1])], listeners: [tcpListener("l", "c")] });
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  // What Bun keeps for children is there from the first on.
  Bun.spawnSync([process.execPath, "-e", ""]);
  const before = descriptors();
  const script = `for (let i = 0; i < 20; i++) (await Bun.connect({ hostname: "127.0.0.1", port: ${proxy.port("l")}, socket: { data() {} } })).terminate();`;
  // Synchronous: nothing is accepted before all of them have come and gone.
  expect(Bun.spawnSync([process.execPath, "-e", script], { stderr: "inherit" }).exitCode).toBe(0);
  await Bun.sleep(50);
  expect(proxy.dataPlane.listeners()[0]?.openConnections).toBe(0);
  expect(proxy.dataPlane.prometheus()).toMatch(/^envoy_listener_downstream_pre_cx_active\{.*\} 0$/m);
  expect(descriptors()).toBeLessThanOrEqual(before);
  proxy.dataPlane.stop();
});
