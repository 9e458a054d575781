import type { Clock, Logger } from "../../base/index.ts";
import { errorText } from "../../base/index.ts";
import type { NameTable } from "../../proto/gen/istio/nds/nds_pb.ts";
import { answerQuestion, serverFailure } from "./answer.ts";
import { Forwarder } from "./forwarder.ts";
import { compileNameTable, type LookUp } from "./name-table.ts";
import type { ResolvConf } from "./resolv-conf.ts";

export interface DnsOptions {
  readonly address: string;
  readonly port: number;
  /** Of the pod. */
  readonly namespace: string;
  readonly resolv: ResolvConf;
  /** A bound UDP descriptor whose packets pass the pod's own capture. */
  readonly upstreamFd: () => number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface DnsProxy {
  readonly port: number;
  setTable(table: NameTable): void;
  stop(): void;
}

/** What fits into an answer by UDP: what passes any path unfragmented, on a loopback that has no such limit. */
const UDP_LIMIT = 1232;
const TCP_LIMIT = 65_535;
/** A question by TCP is short, and so is the time for it. */
const MAX_TCP_QUESTION = 4096;
const TCP_IDLE_SECONDS = 5;

/** Serves DNS by UDP and TCP on one port. Rejects when it cannot be bound. */
export async function serveDns(options: DnsOptions): Promise<DnsProxy> {
  const { address, port, namespace, resolv, upstreamFd, clock, random, log } = options;
  let lookUp: LookUp = () => undefined;
  let turn = 0;
  const upstream = await Bun.udpSocket({
    fd: upstreamFd(),
    binaryType: "uint8array",
    socket: { data: (_socket: unknown, bytes: Uint8Array, fromPort: number, from: string) => forwarder.receive(bytes, from, fromPort) },
  } as never as Parameters<typeof Bun.udpSocket>[0]);
  const forwarder = new Forwarder(resolv.nameservers, { send: (bytes, toPort, to) => void upstream.send(bytes, toPort, to) }, clock, () =>
    Math.floor(random() * 0x10000),
  );
  const handle = (question: Uint8Array, limit: number, reply: (bytes: Uint8Array) => void): void => {
    const verdict = answerQuestion(question, lookUp, limit, turn++);
    if (verdict.kind === "answer") reply(verdict.reply);
    else if (verdict.kind === "forward") {
      const copy = Uint8Array.from(question);
      forwarder.forward(copy, (answer) => reply(answer ?? serverFailure(copy)));
    }
  };
  const udp = await Bun.udpSocket({
    hostname: address,
    port,
    binaryType: "uint8array",
    socket: {
      data(socket, bytes, fromPort, from) {
        handle(bytes, UDP_LIMIT, (reply) => void socket.send(reply, fromPort, from));
      },
      error: (error) => log.warn("DNS socket", { error: errorText(error) }),
    },
  });
  const tcp = Bun.listen<{ held: Buffer }>({
    hostname: address,
    port: udp.port,
    socket: {
      binaryType: "buffer",
      open(socket) {
        socket.data = { held: Buffer.alloc(0) };
        socket.timeout(TCP_IDLE_SECONDS);
      },
      data(socket, chunk) {
        let held = Buffer.concat([socket.data.held, chunk]);
        while (held.length >= 2) {
          const length = held.readUInt16BE(0);
          if (length > MAX_TCP_QUESTION) {
            socket.terminate();
            return;
          }
          if (held.length < 2 + length) break;
          handle(held.subarray(2, 2 + length), TCP_LIMIT, (reply) => {
            const head = Buffer.alloc(2);
            head.writeUInt16BE(reply.length);
            socket.write(Buffer.concat([head, reply]));
          });
          held = held.subarray(2 + length);
        }
        socket.data.held = Buffer.from(held);
      },
      timeout: (socket) => void socket.end(),
      error() {},
    },
  });
  return {
    port: udp.port,
    setTable(table) {
      lookUp = compileNameTable(table, namespace, resolv.search);
    },
    stop() {
      udp.close();
      tcp.stop(true);
      upstream.close();
    },
  };
}
