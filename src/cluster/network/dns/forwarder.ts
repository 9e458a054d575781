import { readFileSync } from "node:fs";
import { ChainmailError } from "../../../base/index.ts";
import { isIPv4, isIPv6 } from "../../../linux/index.ts";

export interface Upstream {
  host: string;
  port: number;
}

/** glibc asks at most three servers, too. */
const MAX_UPSTREAMS = 3;
/** Before the next server is asked: all three then still answer within glibc's own five seconds. */
const TIMEOUT_MS = 1_500;
/** Pods that ask for many names at once must not use up the cluster's descriptors. */
const MAX_IN_FLIGHT = 256;
const MAX_MESSAGE = 65_535;

/** The `nameserver` lines of a resolv.conf. */
export function parseResolvConf(text: string): Upstream[] {
  const hosts = text.split("\n").flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
  return hosts
    .filter((host) => isIPv4(host) || isIPv6(host))
    .slice(0, MAX_UPSTREAMS)
    .map((host) => ({ host, port: 53 }));
}

/** The host's resolvers; none when it has no such file. */
export function hostUpstreams(path = "/etc/resolv.conf"): Upstream[] {
  try {
    return parseResolvConf(readFileSync(path, "utf8"));
  } catch {
    return []; // A host without resolvers: names outside the cluster then give SERVFAIL.
  }
}

/** Passes queries on to resolvers outside, unread, each under an id and a source port of its own. */
export class Forwarder {
  #inFlight = 0;

  constructor(readonly upstreams: Upstream[]) {}

  /** The response's bytes with the query's id. Throws NO_UPSTREAM, or DNS_TIMEOUT when nobody answered. */
  async exchange(query: Uint8Array, transport: "udp" | "tcp"): Promise<Uint8Array> {
    if (this.upstreams.length === 0) throw new ChainmailError("NO_UPSTREAM", "this machine has no name server outside the cluster");
    if (this.#inFlight >= MAX_IN_FLIGHT) throw new ChainmailError("DNS_BUSY", `${MAX_IN_FLIGHT} names are being looked up already`);
    this.#inFlight++;
    try {
      const asked = query.slice();
      crypto.getRandomValues(asked.subarray(0, 2));
      for (const upstream of this.upstreams) {
        const response = await (transport === "udp" ? overUdp(upstream, asked) : overTcp(upstream, asked));
        if (!response) continue;
        response.set(query.subarray(0, 2));
        return response;
      }
      throw new ChainmailError("DNS_TIMEOUT", `no answer from ${this.upstreams.map(({ host }) => host).join(", ")}`);
    } finally {
      this.#inFlight--;
    }
  }
}

async function overUdp(upstream: Upstream, query: Uint8Array): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const timer = setTimeout(() => resolve(undefined), TIMEOUT_MS);
  let socket: { send(data: Uint8Array): unknown; close(): void } | undefined;
  try {
    // Connected: the kernel drops what comes from anybody else, and a refusal is told.
    socket = await Bun.udpSocket({
      connect: { hostname: upstream.host, port: upstream.port },
      socket: {
        data: (_socket, data) => {
          if (answers(data, query)) resolve(new Uint8Array(data));
        },
        error: () => resolve(undefined),
      },
    });
    socket.send(query);
    return await promise;
  } catch {
    return undefined; // Unreachable: the next server may not be.
  } finally {
    clearTimeout(timer);
    socket?.close();
  }
}

async function overTcp(upstream: Upstream, query: Uint8Array): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const timer = setTimeout(() => resolve(undefined), TIMEOUT_MS);
  let received: Uint8Array = new Uint8Array();
  let socket: Bun.Socket | undefined;
  try {
    socket = await Bun.connect({
      hostname: upstream.host,
      port: upstream.port,
      socket: {
        data: (_socket, chunk) => {
          received = Buffer.concat([received, chunk]);
          const message = received.length >= 2 ? received.subarray(2, 2 + ((received[0] ?? 0) << 8) + (received[1] ?? 0)) : undefined;
          if (message && message.length === ((received[0] ?? 0) << 8) + (received[1] ?? 0))
            resolve(answers(message, query) ? new Uint8Array(message) : undefined);
          else if (received.length > MAX_MESSAGE + 2) resolve(undefined);
        },
        close: () => resolve(undefined),
        error: () => resolve(undefined),
      },
    });
    socket.write(Buffer.concat([Uint8Array.of(query.length >> 8, query.length & 255), query]));
    return await promise;
  } catch {
    return undefined; // Unreachable: the next server may not be.
  } finally {
    clearTimeout(timer);
    socket?.end();
  }
}

/** Same id, a response, and the same first question: else it is a stray or a forgery. */
function answers(response: Uint8Array, query: Uint8Array): boolean {
  if (response.length < 12 || response[0] !== query[0] || response[1] !== query[1] || ((response[2] ?? 0) & 0x80) === 0) return false;
  const end = questionEnd(query);
  const question = Buffer.from(query.subarray(12, end)).toString("latin1").toLowerCase();
  return Buffer.from(response.subarray(12, end)).toString("latin1").toLowerCase() === question;
}

/** Where the first question, its type and class included, ends. A query's own name is not compressed. */
function questionEnd(message: Uint8Array): number {
  let offset = 12;
  for (let length = message[offset]; length; length = message[offset]) offset += length + 1;
  return offset + 5;
}
