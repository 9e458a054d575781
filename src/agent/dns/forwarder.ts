import type { Clock } from "../../base/index.ts";

/** Answers of another name server to a raw question, or nothing. */
export type Forward = (question: Uint8Array, answered: (reply: Uint8Array | undefined) => void) => void;

export interface UpstreamSocket {
  send(bytes: Uint8Array, port: number, address: string): void;
}

interface Pending {
  /** The id that the client chose. */
  readonly id: number;
  readonly answered: (reply: Uint8Array | undefined) => void;
  readonly cancel: () => void;
}

const DNS_PORT = 53;
/** A name server that has not answered by then is asked no longer; the next one is. */
const TIMEOUT_MS = 2000;
/** Questions under way: more than a pod asks, less than what fills memory. */
const MAX_PENDING = 4096;

/** Passes questions on to name servers, one after the other until one answers. Ids are its own, so that nobody can guess another's. */
export class Forwarder {
  readonly #pending = new Map<number, Pending>();

  constructor(
    private readonly nameservers: readonly string[],
    private readonly socket: UpstreamSocket,
    private readonly clock: Clock,
    private readonly randomId: () => number,
  ) {}

  forward(question: Uint8Array, answered: (reply: Uint8Array | undefined) => void): void {
    this.#ask(question, 0, answered);
  }

  /** A datagram came from a name server. */
  receive(bytes: Uint8Array, address: string, port: number): void {
    if (bytes.length < 12 || port !== DNS_PORT || !this.nameservers.includes(address)) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const id = view.getUint16(0);
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    pending.cancel();
    const reply = Uint8Array.from(bytes);
    new DataView(reply.buffer).setUint16(0, pending.id);
    pending.answered(reply);
  }

  #ask(question: Uint8Array, server: number, answered: (reply: Uint8Array | undefined) => void): void {
    const address = this.nameservers[server];
    if (address === undefined || this.#pending.size >= MAX_PENDING) {
      answered(undefined);
      return;
    }
    let id = this.randomId();
    while (this.#pending.has(id)) id = (id + 1) & 0xffff;
    const own = Uint8Array.from(question);
    const view = new DataView(own.buffer);
    const cancel = this.clock.after(TIMEOUT_MS, () => {
      this.#pending.delete(id);
      this.#ask(question, server + 1, answered);
    });
    this.#pending.set(id, { id: view.getUint16(0), answered, cancel });
    view.setUint16(0, id);
    this.socket.send(own, DNS_PORT, address);
  }
}
