import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as packet from "dns-packet";
import { createLogger, FakeClock, systemClock } from "../../base/index.ts";
import { bindUdp } from "../../linux/index.ts";
import { NameTableSchema } from "../../proto/gen/istio/nds/nds_pb.ts";
import { answerQuestion, serverFailure } from "./answer.ts";
import { serveDns, type DnsProxy } from "./dns-server.ts";
import { Forwarder } from "./forwarder.ts";
import { compileNameTable } from "./name-table.ts";

const TABLE = create(NameTableSchema, {
  table: {
    "web.shop.svc.cluster.local": { ips: ["10.96.0.1"], registry: "Kubernetes", shortname: "web", namespace: "shop" },
    "db.data.svc.cluster.local": {
      ips: ["10.96.0.2", "fd00::2", "10.96.0.3"],
      registry: "Kubernetes",
      shortname: "db",
      namespace: "data",
      altHosts: ["db-0.db.data.svc.cluster.local"],
    },
    "api.example.com": { ips: ["240.240.0.1"], registry: "External" },
    "*.wild.example": { ips: ["240.240.0.2"], registry: "External" },
    "*.deep.wild.example": { ips: ["240.240.0.3"], registry: "External" },
  },
});
const SEARCH = ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"];
const lookUp = compileNameTable(TABLE, "shop", SEARCH);

function question(name: string, type: "A" | "AAAA" | "MX" = "A"): Uint8Array {
  return packet.encode({ type: "query", id: 7, flags: packet.RECURSION_DESIRED, questions: [{ name, type, class: "IN" }] });
}

function answers(name: string, type: "A" | "AAAA" | "MX" = "A", turn = 0): string[] | string {
  const verdict = answerQuestion(question(name, type), lookUp, 1232, turn);
  if (verdict.kind !== "answer") return verdict.kind;
  const reply = packet.decode(Buffer.from(verdict.reply));
  return (reply.answers ?? []).map((record) => `${record.name} ${record.type} ${"data" in record ? String(record.data) : ""}`);
}

describe("names", () => {
  test("of services: in full, short in the pod's own namespace, with their namespace elsewhere", () => {
    for (const name of ["web.shop.svc.cluster.local", "web.shop.svc", "web.shop", "web", "WEB"])
      expect((answers(name) as string[]).at(-1)).toEndWith(" A 10.96.0.1");
    expect(answers("db.data")).toEqual([
      "db.data CNAME db.data.svc.cluster.local",
      "db.data.svc.cluster.local A 10.96.0.2",
      "db.data.svc.cluster.local A 10.96.0.3",
    ]);
    expect(answers("db")).toBe("forward");
    expect((answers("db-0.db.data.svc.cluster.local") as string[]).length).toBe(3);
  });

  test("by address family, one address after the other first", () => {
    expect(answers("db.data.svc.cluster.local", "AAAA")).toEqual(["db.data.svc.cluster.local AAAA fd00::2"]);
    expect(answers("web.shop.svc.cluster.local", "AAAA")).toEqual([]);
    expect(answers("web.shop.svc.cluster.local", "MX")).toEqual([]);
    expect((answers("db.data.svc.cluster.local", "A", 1) as string[])[0]).toBe("db.data.svc.cluster.local A 10.96.0.3");
  });

  test("outside, also with the first search domain after them, and under the longest wildcard", () => {
    expect(answers("api.example.com")).toEqual(["api.example.com A 240.240.0.1"]);
    expect(answers("api.example.com.shop.svc.cluster.local")).toEqual([
      "api.example.com.shop.svc.cluster.local CNAME api.example.com",
      "api.example.com A 240.240.0.1",
    ]);
    expect(answers("a.b.wild.example")).toEqual(["a.b.wild.example A 240.240.0.2"]);
    expect(answers("x.deep.wild.example")).toEqual(["x.deep.wild.example A 240.240.0.3"]);
    expect(answers("wild.example")).toBe("forward");
  });

  test("garbage and answers are not answered", () => {
    const ask = (bytes: Uint8Array) => answerQuestion(bytes, lookUp, 1232, 0).kind;
    expect(ask(new Uint8Array(3))).toBe("ignore");
    expect(ask(packet.encode({ type: "response", id: 1, questions: [{ name: "web", type: "A" }] }))).toBe("ignore");
    expect(ask(new Uint8Array(40).fill(0x3f))).toBe("ignore");
    expect(packet.decode(Buffer.from(serverFailure(question("nobody"))))).toMatchObject({ rcode: "SERVFAIL", id: 7, questions: [{ name: "nobody" }] });
  });

  test("an answer that does not fit says so", () => {
    const verdict = answerQuestion(question("db.data.svc.cluster.local"), lookUp, 60, 0);
    expect(verdict.kind === "answer" && packet.decode(Buffer.from(verdict.reply)).flag_tc).toBe(true);
  });
});

test("questions for others go to one name server after the other, under ids of our own", () => {
  const clock = new FakeClock();
  const sent: { id: number; to: string }[] = [];
  const forwarder = new Forwarder(
    ["10.0.0.1", "10.0.0.2"],
    { send: (bytes, _port, to) => void sent.push({ id: new DataView(bytes.buffer).getUint16(0), to }) },
    clock,
    () => 99,
  );
  const replies: (Uint8Array | undefined)[] = [];
  forwarder.forward(question("a"), (reply) => void replies.push(reply));
  forwarder.forward(question("b"), (reply) => void replies.push(reply));
  expect(sent).toEqual([
    { id: 99, to: "10.0.0.1" },
    { id: 100, to: "10.0.0.1" },
  ]);
  const reply = Uint8Array.from(question("a"));
  new DataView(reply.buffer).setUint16(0, 99);
  forwarder.receive(reply, "10.9.9.9", 53);
  forwarder.receive(reply, "10.0.0.1", 5353);
  expect(replies).toEqual([]);
  forwarder.receive(reply, "10.0.0.1", 53);
  expect(replies[0] && new DataView(replies[0].buffer).getUint16(0)).toBe(7);
  clock.advance(2000);
  expect(sent[2]).toEqual({ id: 99, to: "10.0.0.2" });
  clock.advance(2000);
  expect(replies[1]).toBeUndefined();
  expect(replies).toHaveLength(2);
});

describe("on the wire", () => {
  let proxy: DnsProxy;
  beforeAll(async () => {
    proxy = await serveDns({
      address: "127.0.0.1",
      port: 0,
      namespace: "shop",
      resolv: { nameservers: [], search: SEARCH },
      upstreamFd: () => bindUdp("127.0.0.1", 0),
      clock: systemClock,
      random: Math.random,
      log: createLogger("t", { level: "none" }),
    });
    proxy.setTable(TABLE);
  });
  afterAll(() => proxy.stop());

  test("UDP: an answer from the table; without a name server a failure for the rest", async () => {
    const replies: packet.DecodedPacket[] = [];
    const client = await Bun.udpSocket({ socket: { data: (_socket, bytes) => void replies.push(packet.decode(Buffer.from(bytes))) } });
    client.send(question("web"), proxy.port, "127.0.0.1");
    client.send(question("elsewhere.test"), proxy.port, "127.0.0.1");
    for (let i = 0; i < 100 && replies.length < 2; i++) await Bun.sleep(5);
    client.close();
    expect(replies.map((reply) => [reply.questions?.[0]?.name, reply.answers?.length])).toEqual([
      ["web", 2],
      ["elsewhere.test", 0],
    ]);
  });

  test("TCP: two questions in one write", async () => {
    const framed = [question("web"), question("api.example.com")].map((bytes) => Buffer.concat([Buffer.from([0, bytes.length]), bytes]));
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    let held = Buffer.alloc(0);
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: proxy.port,
      socket: {
        data: (_socket, chunk) => {
          held = Buffer.concat([held, chunk]);
          if (held.length > 4 && held.length >= 2 + held.readUInt16BE(0) + 2 + (held.readUInt16BE(2 + held.readUInt16BE(0)) || 1)) resolve(held);
        },
      },
    });
    socket.write(Buffer.concat(framed));
    const bytes = await promise;
    const first = bytes.readUInt16BE(0);
    expect([packet.decode(bytes.subarray(2, 2 + first)), packet.decode(bytes.subarray(4 + first))].map((reply) => reply.answers?.at(-1))).toMatchObject([
      { data: "10.96.0.1" },
      { data: "240.240.0.1" },
    ]);
    socket.end();
  });
});
