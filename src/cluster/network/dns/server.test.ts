import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as packet from "dns-packet";
import fc from "fast-check";
import { createLogger } from "../../../base/index.ts";
import { bindUdp, listenTcp } from "../../../linux/index.ts";
import { Forwarder, parseResolvConf } from "./forwarder.ts";
import { DnsServer } from "./server.ts";
import { emptyZone, setService } from "./zone.ts";

// A loopback address of this test's own, so that the port is free.
const HOST = "127.81.3.2";
const PORT = 15353;
const UPSTREAM_PORT = 15354;

const zone = emptyZone("cluster.local");
setService(zone, "shop", "web", { clusterIP: "10.96.0.20", ports: [], endpoints: [] });
setService(zone, "shop", "abroad", { externalName: "outside.test", ports: [], endpoints: [] });
const endpoints = Array.from({ length: 100 }, (_, index) => ({ ip: `10.244.1.${index}`, label: `pod-${index}`, ports: [] }));
setService(zone, "shop", "many", { ports: [], endpoints });

let server: DnsServer;
let upstream: { close(): void };
const upstreamTypes: string[] = [];

beforeAll(async () => {
  upstream = await Bun.udpSocket({
    hostname: HOST,
    port: UPSTREAM_PORT,
    socket: {
      data(socket, data, port, address) {
        const query = packet.decode(data);
        const question = query.questions?.[0];
        upstreamTypes.push(question?.type ?? "");
        if (question?.name === "silent.test") return;
        const reply = packet.encode({
          type: "response",
          id: query.id,
          questions: query.questions,
          answers: [{ type: "A", name: question?.name ?? "", ttl: 5, data: "203.0.113.5" }],
        });
        // A forgery first: another id must not be taken.
        const forged = Buffer.from(reply);
        forged[0] = (forged[0] ?? 0) ^ 1;
        socket.send(forged, port, address);
        socket.send(reply, port, address);
      },
    },
  });
  server = await DnsServer.start({
    udpFd: bindUdp(HOST, PORT),
    tcpFd: listenTcp(HOST, PORT),
    zone,
    forwarder: new Forwarder([{ host: HOST, port: UPSTREAM_PORT }]),
    logger: createLogger("test", { level: "none" }),
  });
});
afterAll(() => {
  server.stop();
  upstream.close();
});

function query(name: string, type: packet.RecordType = "A", id = 7): Buffer {
  return packet.encode({ type: "query", id, flags: packet.RECURSION_DESIRED, questions: [{ name, type }] });
}

async function overUdp(message: Uint8Array): Promise<packet.DecodedPacket> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const socket = await Bun.udpSocket({ connect: { hostname: HOST, port: PORT }, socket: { data: (_socket, data) => resolve(Buffer.from(data)) } });
  socket.send(message);
  const reply = await promise;
  socket.close();
  return packet.decode(reply);
}

async function overTcp(...chunks: Uint8Array[]): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  let received = Buffer.alloc(0);
  const socket = await Bun.connect({
    hostname: HOST,
    port: PORT,
    socket: {
      data(_socket, chunk) {
        received = Buffer.concat([received, chunk]);
        if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) resolve(received);
      },
    },
  });
  for (const chunk of chunks) {
    socket.write(chunk);
    socket.flush();
    await Bun.sleep(2);
  }
  const reply = await promise;
  socket.end();
  return reply;
}

/** Without resolvers outside, so that nothing is forwarded. */
function lonelyServer(): Promise<DnsServer> {
  const fds = { udpFd: bindUdp(HOST, PORT + 10), tcpFd: listenTcp(HOST, PORT + 10) };
  return DnsServer.start({ ...fds, zone, forwarder: new Forwarder([]), logger: createLogger("test", { level: "none" }) });
}

const rcode = (reply: packet.Packet) => (reply.flags ?? 0) & 15;
const data = (reply: packet.Packet) => reply.answers?.map((answer) => ("data" in answer ? answer.data : undefined));

describe("DNS server", () => {
  test("answers names of the cluster with authority", async () => {
    const reply = await overUdp(query("web.shop.svc.cluster.local"));
    expect(data(reply)).toEqual(["10.96.0.20"]);
    expect([reply.id, reply.flag_aa, reply.flag_ra, reply.flag_rd]).toEqual([7, true, true, true]);
  });

  test("passes other names to the resolvers outside, and takes no forged answer", async () => {
    const reply = await overUdp(query("outside.test", "A", 4711));
    expect([reply.id, rcode(reply)]).toEqual([4711, 0]);
    expect(data(reply)).toEqual(["203.0.113.5"]);
  });

  test("follows an ExternalName to the outside", async () => {
    expect(data(await overUdp(query("abroad.shop.svc.cluster.local")))).toEqual(["outside.test", "203.0.113.5"]);
  });

  test("an answer too long for UDP is cut, and whole over TCP, even when the query comes in pieces", async () => {
    const udp = await overUdp(query("many.shop.svc.cluster.local"));
    expect([udp.flag_tc, udp.answers?.length]).toEqual([true, 0]);
    const message = query("many.shop.svc.cluster.local");
    const framed = Buffer.concat([Uint8Array.of(0, message.length), message]);
    const reply = packet.decode((await overTcp(framed.subarray(0, 1), framed.subarray(1, 9), framed.subarray(9))).subarray(2));
    expect(reply.answers).toHaveLength(100);
  });

  test("EDNS gets its OPT record back", async () => {
    const opt: packet.OptAnswer = { type: "OPT", name: ".", udpPayloadSize: 4096, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] };
    const message = packet.encode({ type: "query", id: 1, questions: [{ name: "web.shop.svc.cluster.local", type: "A" }], additionals: [opt] });
    expect((await overUdp(message)).additionals?.map(({ type }) => type)).toEqual(["OPT"]);
  });

  test("nonsense is answered with an error or not at all", async () => {
    expect(await server.answer(Uint8Array.of(1, 2, 3), "udp")).toBeUndefined();
    expect(await server.answer(packet.encode({ type: "response", id: 1 }), "udp")).toBeUndefined();
    const code = async (message: Uint8Array) => ((await server.answer(message, "udp")) ?? [])[3]! & 15;
    expect(await code(packet.encode({ type: "query", id: 1, questions: [] }))).toBe(1);
    // A compression pointer to itself.
    expect(await code(Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1))).toBe(1);
    expect(await code(Uint8Array.of(0, 1, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1))).toBe(4);
  });

  test("a label of bytes that are no text is answered, too", async () => {
    const label = [63, ...Array<number>(63).fill(0xff)];
    const name = [...label, ...label, 3, 115, 118, 99, 7, 99, 108, 117, 115, 116, 101, 114, 5, 108, 111, 99, 97, 108, 0];
    const reply = await server.answer(Uint8Array.of(0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 1, 0, 1), "udp");
    expect([reply?.[1], (reply?.[2] ?? 0) & 0x80]).toEqual([9, 0x80]);
  });

  test("any bytes at all settle: answered, or ignored", async () => {
    const seed = 20260101;
    const base = query("web.shop.svc.cluster.local");
    const anything = fc.uint8Array({ maxLength: 300 });
    const damaged = fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }).map((edits) => {
      const bytes = new Uint8Array(base);
      for (const [offset, value] of edits) bytes[offset] = value;
      return bytes;
    });
    const alone = await lonelyServer();
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, damaged), async (bytes) => {
        const reply = await alone.answer(bytes, "udp");
        if (reply) expect(reply.length).toBeGreaterThanOrEqual(12);
      }),
      { seed, numRuns: 500 },
    );
    alone.stop();
  });

  test("without a resolver outside, other names fail at once", async () => {
    await expect(new Forwarder([]).exchange(query("x.test"), "udp")).rejects.toThrow("no name server");
  });

  test("resolv.conf names at most three servers", () => {
    const text = "# c\nsearch x\nnameserver 192.0.2.1\n nameserver 2001:db8::1\nnameserver nonsense\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
    expect(parseResolvConf(text).map(({ host }) => host)).toEqual(["192.0.2.1", "2001:db8::1", "192.0.2.2"]);
  });
});
