import { expect, test } from "bun:test";
import { connect } from "node:net";
import { httpOver } from "./http-over.ts";

test("one request over a connection that somebody else made", async () => {
  const page = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) =>
      new Response(new URL(request.url).pathname === "/big" ? "x".repeat(1_000_000) : `${request.method} ${request.headers.get("host")}`, { status: 404 }),
  });
  const ask = (path: string) => httpOver(connect(page.port ?? 0, "127.0.0.1"), { method: "POST", path, host: "localhost:15000" });
  expect(await ask("logging")).toEqual({ status: 404, body: "POST localhost:15000" });
  expect((await ask("/big")).body.length).toBe(1_000_000);
  await page.stop(true);
});

test("a connection that ends without an answer is an error", async () => {
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (socket) => void socket.end() } });
  await expect(httpOver(connect(silent.port, "127.0.0.1"), { method: "GET", path: "/", host: "x" })).rejects.toThrow();
  silent.stop(true);
});
