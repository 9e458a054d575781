import { afterAll, expect, test } from "bun:test";
import { CollectingServer } from "../test-support/collecting-server.ts";
import { exchange } from "../test-support/http-exchange.ts";
import { configure, httpListener, type HcmOptions } from "../test-support/plain-config.ts";
import { Sidecar } from "../test-support/sidecar.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const proxies: Sidecar[] = [];
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
});

async function answering(hcm: HcmOptions["hcm"]): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, {
    listeners: [httpListener("l", { hcm: hcm ?? {}, routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "hi" } } }] })],
  });
  return proxy;
}

test("slowloris: a head has its time, however slowly it goes on", async () => {
  const server = new CollectingServer({ headTimeoutMs: 1000 });
  await server.receive(Buffer.from("GET / HT"));
  server.clock.advance(600);
  await server.receive(Buffer.from("TP/1.1\r\nHost: a\r\n"));
  server.clock.advance(399);
  expect(server.channel.text).toBe("");
  server.clock.advance(1);
  expect(server.channel.text).toStartWith("HTTP/1.1 408 ");
  expect(server.channel.events).toEqual(["shutdown"]);
  server.clock.advance(1000);
  expect(server.channel.events).toContain("end");
});

test("slowloris: requests that come whole, and pauses between them, take no time", async () => {
  const server = new CollectingServer({ headTimeoutMs: 1000 });
  for (const part of [GET.slice(0, 9), GET.slice(9), GET, "\r\n", `\r\n${GET}`]) {
    await server.receive(Buffer.from(part));
    server.clock.advance(999);
  }
  server.clock.advance(5000);
  expect(server.requests.length).toBe(3);
  expect(server.channel.events.filter((each) => each !== "resume")).toEqual([]);
});

test("request_headers_timeout, and stream_idle_timeout in its absence, answer 408 and close", async () => {
  const headers = await answering({ requestHeadersTimeout: "0.1s" });
  expect(await exchange(headers.port("l"), "GET / HTTP/1.1\r\nHo")).toMatchObject({
    status: 408,
    body: "request header timeout",
    end: "open",
    headers: { connection: "close" },
  });
  expect(headers.log).toEqual(['"- - HTTP/1.1" 408 - request_header_timeout - "-" 0 22 "-" -']);
  const idle = await answering({ streamIdleTimeout: "0.1s" });
  expect(await exchange(idle.port("l"), "GET / HTTP/1.1\r\nHo")).toMatchObject({ status: 408, body: "stream timeout" });
  expect(idle.log[0]).toStartWith('"- - HTTP/1.1" 408 SI stream_idle_timeout');
  expect((await exchange(idle.port("l"), GET)).body).toBe("hi");
});

test("empty lines before a request are not kept, however many", async () => {
  const server = new CollectingServer({ headTimeoutMs: 1000 });
  for (let i = 0; i < 100; i++) await server.receive(Buffer.from("\r\n".repeat(1000)));
  expect(server.codec.idle).toBe(true);
  await server.receive(Buffer.from(`\r\n${GET}`));
  expect(server.requests.length).toBe(1);
});

test("a client that pipelines without reading gets no further than the socket", async () => {
  const server = new CollectingServer();
  server.channel.peerReads(false);
  for (let i = 0; i < 20; i++) await server.receive(Buffer.from(GET.repeat(500)));
  expect(server.requests.length).toBe(1);
  expect(server.channel.events).toContain("pause");
  server.channel.peerReads(true);
  for (let i = 0; i < 20_000; i++) await Promise.resolve();
  expect(server.requests.length).toBe(10_000);
});

test("a client that was told to go and does not read is cut off, one that reads is not", async () => {
  for (const reads of [false, true]) {
    const server = new CollectingServer();
    server.channel.peerReads(false);
    await server.receive(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    if (reads) server.channel.peerReads(true);
    server.clock.advance(1000);
    expect(server.channel.closed).toBe(!reads);
    expect(server.channel.events).toContain("end");
  }
});
