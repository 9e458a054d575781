import type { TLSOptions } from "bun";
import { PREFACE } from "../../http2/frames.ts";
import { frame } from "../http2-frames.ts";
import { endedStreams, headersFrame, responses } from "./messages.ts";
import { Peer } from "./peer.ts";
import type { Random } from "./random.ts";
import { PLAINTEXT, type World } from "./world.ts";

/** Longer than every time limit that the proxies are configured with: what takes longer is lost. */
const SETTLE_MS = 8000;
/** What the proxies may answer: the application's, a policy's, no upstream, a time limit; 400 and 408 to bad requests. */
const STATUSES = new Set([200, 403, 503, 504]);
const BAD_REQUEST = new Set([...STATUSES, 400, 408, 426, 431, 501]);

type Client = (world: World, random: Random) => Promise<void>;

/** One client of a random kind, from its connect to its end. */
export async function runClient(world: World, random: Random): Promise<string> {
  const kinds = Object.keys(CLIENTS);
  const kind = random.pick(kinds);
  await (CLIENTS[kind] as Client)(world, random);
  return kind;
}

const CLIENTS: Record<string, Client> = {
  async "HTTP/1 requests"(world, random) {
    const count = 1 + random.below(3);
    const wanted = Array.from({ length: count }, () => path(random));
    const peer = await Peer.open(world.client.port("out-http"));
    const requests = wanted.map((each) => h1Request(each, random));
    const slowly = random.chance(0.3);
    for (const part of slowly ? pieces(requests.join(""), random) : [requests.join("")]) {
      peer.write(part);
      if (slowly) await Bun.sleep(1);
    }
    const outcome = await peer.until((received) => responses(received).length >= count, SETTLE_MS);
    settled(world, `HTTP/1 ${wanted.join()}`, outcome, responses(peer.received), slowly ? BAD_REQUEST : STATUSES);
    // Only /cut may take the connection along before an answer, and /big where its time is up on the way; the others each
    // get theirs, or are told that it closes.
    const expected = wanted.findIndex((each) => /cut|big/.test(each));
    const told = peer.received.includes("connection: close\r\n");
    if (outcome === "ended" && !told && responses(peer.received).length < (expected < 0 ? count : expected))
      world.violations.push(`HTTP/1: the connection ended after ${responses(peer.received).length} of ${wanted.join()}`);
    if (random.chance(0.5)) peer.abort();
    else peer.end();
  },

  async "HTTP/1 given up"(world, random) {
    const peer = await Peer.open(world.client.port(random.chance(0.8) ? "out-http" : "extra-0"));
    const whole = h1Request(path(random), random);
    peer.write(random.chance(0.5) ? whole : whole.slice(0, random.below(whole.length)));
    const reads = random.chance(0.7);
    if (!reads) peer.pause();
    await Bun.sleep(random.below(60));
    if (reads && random.chance(0.3)) peer.finish();
    else if (random.chance(0.5)) peer.abort();
    else peer.end();
    await leave(world, "HTTP/1 given up", peer);
  },

  async "HTTP/1 slowloris"(world, random) {
    const peer = await Peer.open(world.client.port("out-http"));
    peer.write("GET /ok HTTP/1.1\r\nHost: svc\r\nX-A");
    for (let i = 0; i < 8 && !peer.closed; i++) {
      await Bun.sleep(100);
      peer.write(random.chance(0.5) ? "a" : ": b\r\nX-B");
    }
    const outcome = await peer.until(() => false, SETTLE_MS);
    settled(world, "slowloris", outcome, responses(peer.received), BAD_REQUEST);
    peer.end();
  },

  async garbage(world, random) {
    const port = random.pick([
      world.client.port("out-http"),
      world.client.port("out-tcp"),
      world.server.port("strict-http"),
      world.server.port("strict-tcp"),
      world.server.port("loose"),
    ]);
    const peer = await Peer.open(port);
    for (let i = 0; i < 3; i++)
      peer.write(
        random.pick([
          random.bytes(random.below(300)),
          Buffer.from("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "latin1"),
          PREFACE,
          Buffer.from("GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n"),
        ]),
      );
    await Bun.sleep(random.below(80));
    if (random.chance(0.5)) peer.abort();
    else peer.end();
    await leave(world, "garbage", peer);
  },

  async "HTTP/2 requests"(world, random) {
    const count = 1 + random.below(10);
    const peer = await Peer.open(world.client.port("out-http"));
    const frames = [PREFACE, frame(4, 0, 0, Buffer.alloc(0))];
    for (let i = 0; i < count; i++) {
      const withBody = random.chance(0.3);
      frames.push(headersFrame(2 * i + 1, path(random), !withBody));
      if (withBody) frames.push(frame(0, 1, 2 * i + 1, random.bytes(random.below(500))));
    }
    // Windows wide enough for every answer.
    frames.splice(2, 0, frame(8, 0, 0, Uint8Array.of(0x3f, 0, 0, 0)), frame(4, 0, 0, Uint8Array.of(0, 4, 0x3f, 0, 0, 0)));
    peer.write(Buffer.concat(frames));
    const outcome = await peer.until((received) => endedStreams(received).ended.size >= count, SETTLE_MS);
    if (outcome !== "fulfilled") world.violations.push(`HTTP/2: ${outcome} with ${endedStreams(peer.received).ended.size} of ${count} streams ended`);
    peer.end();
  },

  async "HTTP/2 given up"(world, random) {
    const peer = await Peer.open(world.client.port("out-http"));
    // A window of nothing: answers cannot leave.
    peer.write(Buffer.concat([PREFACE, frame(4, 0, 0, random.chance(0.5) ? Buffer.alloc(0) : Uint8Array.of(0, 4, 0, 0, 0, 0))]));
    for (let i = 0; i < 12; i++) {
      const stream = 2 * i + 1;
      peer.write(headersFrame(stream, path(random), random.chance(0.7)));
      if (random.chance(0.5)) peer.write(frame(3, 0, stream, Uint8Array.of(0, 0, 0, 8)));
      else if (random.chance(0.2)) peer.write(frame(random.below(10), random.below(256), random.below(2 * i + 2), random.bytes(random.below(40))));
      if (random.chance(0.2)) await Bun.sleep(random.below(20));
    }
    if (random.chance(0.5)) peer.abort();
    else peer.end();
    await leave(world, "HTTP/2 given up", peer);
  },

  async TCP(world, random) {
    const peer = await Peer.open(world.client.port("out-tcp"));
    const bytes = random.bytes(1 + random.below(3000));
    peer.write(bytes);
    if (random.chance(0.3)) return peer.abort();
    const outcome = await peer.until((received) => received.length >= bytes.length, SETTLE_MS);
    if (outcome === "late") world.violations.push("TCP: the echo did not come back");
    if (!bytes.subarray(0, peer.received.length).equals(peer.received)) world.violations.push("TCP: other bytes came back");
    peer.finish();
    await leave(world, "TCP", peer);
  },

  async "mutual TLS"(world, random) {
    const peer = await Peer.open(world.server.port("strict-http"), { ...world.identity, rejectUnauthorized: false });
    peer.write(h1Request("/ok", random));
    const outcome = await peer.until((received) => responses(received).length > 0, SETTLE_MS);
    // Its certificate may be of the root that has just gone: then there is an end, and no answer.
    settled(world, "mutual TLS", outcome, responses(peer.received), STATUSES);
    if (random.chance(0.5)) peer.abort();
    else peer.end();
    await leave(world, "mutual TLS", peer);
  },

  async "TLS without the right certificate"(world, random) {
    const tls: TLSOptions = random.chance(0.5) ? { rejectUnauthorized: false } : { ...world.stranger, rejectUnauthorized: false };
    const peer = await Peer.open(world.server.port(random.pick(["strict-http", "strict-tcp"])), tls);
    peer.write(`GET /ok HTTP/1.1\r\nHost: svc\r\nX: ${PLAINTEXT}strict-\r\n\r\n`);
    if ((await peer.until(() => false, SETTLE_MS)) === "late") world.violations.push("a client without the right certificate was not let go");
    if (peer.received.length > 0) world.violations.push("a client without the right certificate was answered");
    peer.end();
  },

  async "plaintext to STRICT"(world, random) {
    const peer = await Peer.open(world.server.port(random.pick(["strict-http", "strict-tcp"])));
    peer.write(`GET /ok HTTP/1.1\r\nHost: svc\r\nX: ${PLAINTEXT}strict-\r\n\r\n`);
    if ((await peer.until(() => false, SETTLE_MS)) === "late") world.violations.push("plaintext was not let go by STRICT");
    // A TLS alert may come back, an answer not.
    if (peer.received.includes("HTTP") || peer.received.includes(PLAINTEXT)) world.violations.push("plaintext was answered under STRICT");
    peer.end();
  },

  async "plaintext while the mode changes"(world, random) {
    const peer = await Peer.open(world.server.port("loose"));
    for (let i = 1; i <= 4; i++) {
      peer.write(`GET /ok HTTP/1.1\r\nHost: svc\r\nX: ${PLAINTEXT}${world.epoch}-\r\n\r\n`);
      const outcome = await peer.until((received) => responses(received).length >= i, SETTLE_MS);
      settled(world, "plaintext", outcome, responses(peer.received), STATUSES);
      if (outcome !== "fulfilled") break;
      await Bun.sleep(random.below(50));
    }
    peer.end();
  },
};

function settled(world: World, what: string, outcome: "fulfilled" | "ended" | "late", statuses: readonly number[], allowed: ReadonlySet<number>): void {
  if (outcome === "late") world.violations.push(`${what}: not settled`);
  for (const status of statuses) if (!allowed.has(status)) world.violations.push(`${what}: answered with ${status}`);
}

/** Whoever has gone is let go. */
async function leave(world: World, what: string, peer: Peer): Promise<void> {
  if (!peer.closed && (await peer.until(() => false, SETTLE_MS)) === "late") world.violations.push(`${what}: the connection is still open`);
  peer.end();
}

function path(random: Random): string {
  return `${random.chance(0.4) ? "/other" : ""}${random.pick(["/ok", "/ok", "/ok", "/big", "/slow", "/cut", "/never", "/denied"])}`;
}

function h1Request(to: string, random: Random): string {
  switch (random.below(4)) {
    case 0:
      return `POST ${to} HTTP/1.1\r\nHost: svc\r\nContent-Length: 5\r\n\r\nhello`;
    case 1:
      return `POST ${to} HTTP/1.1\r\nHost: svc\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`;
    default:
      return `GET ${to} HTTP/1.1\r\nHost: svc\r\n\r\n`;
  }
}

function pieces(text: string, random: Random): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = 1 + random.below(40);
    parts.push(text.slice(at, at + length));
    at += length;
  }
  return parts;
}
