import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { handlePortForwardUpgrade } from "../../cluster/streams/index.ts";
import { httpOver } from "./http-over.ts";
import { portForward } from "./port-forward.ts";

/** A page in a "pod", and an API server that forwards to it with the embedded server's own code. */
const page = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => new Response(new URL(request.url).pathname === "/big" ? "x".repeat(3_000_000) : `${request.method} ${request.headers.get("host")} ${await request.text()}`),
});
const asked: string[] = [];
const api = createServer();
let server = "";

beforeAll(async () => {
  api.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    asked.push(request.url ?? "");
    if (request.headers.authorization !== "Bearer t") return void socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
    const dial = (port: number): Promise<Duplex> =>
      new Promise((resolve, reject) => {
        const target = connect(port === 80 ? (page.port ?? 0) : 1, "127.0.0.1", () => resolve(target));
        target.once("error", reject);
      });
    void handlePortForwardUpgrade(request, socket, head, { dial });
  });
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
  server = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
});
afterAll(() => {
  api.close();
  void page.stop(true);
});

const pod = { name: "web-1", namespace: "ns" };

test("requests go through the tunnel, large answers too", async () => {
  const small = await httpOver(await portForward({ server, token: "t" }, pod, 80), { method: "GET", path: "a", host: "localhost:80" });
  expect(small).toEqual({ status: 200, body: "GET localhost:80 " });
  const big = await httpOver(await portForward({ server, token: "t" }, pod, 80), { method: "GET", path: "/big", host: "x" });
  expect(big.body.length).toBe(3_000_000);
  expect(asked[0]).toBe("/api/v1/namespaces/ns/pods/web-1/portforward?timeout=15s");
});

test("a port where nobody listens gives the reason, a refusal too", async () => {
  const connection = await portForward({ server, token: "t" }, pod, 81);
  await expect(httpOver(connection, { method: "GET", path: "/", host: "x" })).rejects.toThrow();
  await expect(portForward({ server, token: "wrong" }, pod, 80)).rejects.toThrow("error upgrading connection");
});
