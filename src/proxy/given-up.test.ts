import { afterAll, expect, test } from "bun:test";
import { rawServer, type Backend } from "./test-support/backends.ts";
import { get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

const backends: Backend[] = [];
const proxy = new Sidecar({ id: "n" });
afterAll(() => {
  proxy.dataPlane.stop();
  for (const backend of backends) backend.stop();
});

test("a response that is cut off after its head takes its upstream exchange along", async () => {
  const endless = rawServer({ data: (socket) => void socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n") });
  backends.push(endless);
  await configure(proxy.dataPlane, {
    clusters: [cluster("c", [endless.port])],
    listeners: [httpListener("l", { routes: [forward("/", "c", { maxStreamDuration: { maxStreamDuration: "0.1s" } })] })],
  });
  expect(await get(proxy.port("l"), "/", "h")).toMatchObject({ status: 200, end: "fin" });
  const active = () => {
    const stats = proxy.dataPlane.clusters().find((each) => each.name === "c")?.hosts[0]?.stats;
    return [stats?.rqActive, stats?.cxActive];
  };
  for (let i = 0; i < 500 && active().some((count) => count !== 0); i++) await Bun.sleep(10);
  expect(active()).toEqual([0, 0]);
});
