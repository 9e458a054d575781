import { randomFillSync } from "node:crypto";

/** What travels from proxy to proxy. Ids are lower-case hex: 16 or 32 digits for traces, 16 for spans. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly sampled: boolean;
  /** W3C's, passed on as it came. */
  readonly traceState: string;
  /** The parent is another process's span. */
  readonly remoteParent: boolean;
  /** B3 came in its single header and goes on in it. */
  readonly singleB3: boolean;
}

/** What came with a request: `sampled` undefined leaves the decision to us. */
export interface ParentContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean | undefined;
  readonly traceState: string;
  readonly singleB3: boolean;
}

/** A span under way. Tags are only kept for sampled ones. */
export interface ActiveSpan extends SpanContext {
  name: string;
  readonly kind: "server" | "client";
  /** Epoch milliseconds with fractions. */
  readonly startMs: number;
  endMs: number;
  readonly tags: [name: string, value: string][];
}

/** Random ids, from a pool: one system call for many. */
export class RandomIds {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #at = POOL_BYTES;

  /** So many bytes as hex. */
  hex(bytes: number): string {
    if (this.#at + bytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const from = this.#at;
    this.#at += bytes;
    return this.#pool.toString("hex", from, from + bytes);
  }
}

/** Ids of some 170 requests. */
const POOL_BYTES = 4096;
