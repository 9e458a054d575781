import { errorText, type Logger } from "../../../base/index.ts";
import type { Forwarder } from "./forwarder.ts";
import { decodeResponse, encodeQuery, encodeReply, failure, parseQuery, Rcode, type Query, type Reply } from "./messages.ts";
import { resolve } from "./resolve.ts";
import type { Zone } from "./zone.ts";

export interface DnsServerOptions {
  /** Descriptors bound in the node's namespace. */
  udpFd: number;
  tcpFd: number;
  zone: Zone;
  forwarder: Forwarder;
  logger: Logger;
}

const MAX_MESSAGE = 65_535;
/** DNS over TCP is for rare, large answers. */
const MAX_TCP_CONNECTIONS = 128;
/** Queries of one connection that wait for their answers. */
const MAX_PIPELINED = 64;
const TCP_IDLE_SECONDS = 10;

interface TcpState {
  received: Uint8Array;
  pending: number;
}

/** Cluster DNS at its sockets: UDP and TCP. What it answers is resolve.ts's and the host's resolvers' business. */
export class DnsServer {
  readonly #options: DnsServerOptions;
  #tcpConnections = 0;
  #closers: (() => void)[] = [];

  private constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const server = new DnsServer(options);
    await server.#listen();
    return server;
  }

  stop(): void {
    for (const close of this.#closers) close();
  }

  /** One message in, one message out; undefined where silence is the answer. */
  async answer(message: Uint8Array, transport: "udp" | "tcp"): Promise<Uint8Array | undefined> {
    const parsed = parseQuery(message);
    if (parsed.kind === "ignore") return undefined;
    if (parsed.kind === "refuse") return parsed.reply;
    const { query } = parsed;
    const limit = transport === "udp" ? query.udpSize : MAX_MESSAGE;
    const found = resolve(query, this.#options.zone);
    try {
      if (found.kind === "forward") return await this.#options.forwarder.exchange(message, transport);
      const reply =
        found.kind === "answer" ? { ...found, rcode: Rcode[found.rcode], authoritative: true } : await this.#follow(query, found.answers, found.target);
      return encodeReply(query, reply, limit);
    } catch (error) {
      this.#options.logger.debug("a name could not be looked up", { name: query.name, error: errorText(error) });
      return failure(message);
    }
  }

  /** An ExternalName: its alias, and what the outside knows of it. */
  async #follow(query: Query, alias: Reply["answers"], target: string): Promise<Reply> {
    const response = decodeResponse(await this.#options.forwarder.exchange(encodeQuery(0, target, query.type), "udp"));
    const known = response ?? { rcode: Rcode.SERVFAIL, answers: [] };
    return { rcode: known.rcode, answers: [...alias, ...known.answers], authorities: [], additionals: [], authoritative: false };
  }

  async #listen(): Promise<void> {
    const udp = {
      fd: this.#options.udpFd,
      socket: {
        data: (socket: Bun.udp.Socket<"buffer">, data: Buffer, port: number, address: string) => {
          // A copy: the buffer is Bun's, and the answer may come later.
          void this.answer(new Uint8Array(data), "udp").then((reply) => reply && socket.send(reply, port, address));
        },
      },
    };
    // @types/bun does not know that udpSocket and listen take a descriptor.
    const socket = await Bun.udpSocket(udp as unknown as Bun.udp.SocketOptions<"buffer">);
    this.#closers.push(() => socket.close());
    const tcp = {
      fd: this.#options.tcpFd,
      socket: {
        open: (connection: Bun.Socket<TcpState>) => {
          connection.data = { received: new Uint8Array(), pending: 0 };
          connection.timeout(TCP_IDLE_SECONDS);
          if (++this.#tcpConnections > MAX_TCP_CONNECTIONS) connection.terminate();
        },
        data: (connection: Bun.Socket<TcpState>, chunk: Uint8Array) => this.#receive(connection, chunk),
        timeout: (connection: Bun.Socket<TcpState>) => connection.end(),
        close: () => void this.#tcpConnections--,
        error: () => {}, // `close` follows.
      },
    };
    const listener = Bun.listen(tcp as unknown as Bun.TCPSocketListenOptions<TcpState>);
    this.#closers.push(() => listener.stop(true));
  }

  #receive(connection: Bun.Socket<TcpState>, chunk: Uint8Array): void {
    const state = connection.data;
    connection.timeout(TCP_IDLE_SECONDS);
    state.received = Buffer.concat([state.received, chunk]);
    for (;;) {
      const length = state.received.length < 2 ? undefined : ((state.received[0] ?? 0) << 8) + (state.received[1] ?? 0);
      if (length === undefined || state.received.length < 2 + length) return;
      const message = state.received.slice(2, 2 + length);
      state.received = state.received.subarray(2 + length);
      if (++state.pending > MAX_PIPELINED) return void connection.terminate();
      void this.answer(message, "tcp").then((reply) => {
        state.pending--;
        // An answer is small against the socket's buffer; a client that does not read loses its connection.
        if (reply && connection.write(Buffer.concat([Uint8Array.of(reply.length >> 8, reply.length & 255), reply])) < reply.length + 2) connection.terminate();
      });
    }
  }
}
