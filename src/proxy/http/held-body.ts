import type { HeaderMap } from "./header-map.ts";

/** What of a body has come while a filter holds its message, and who waits for how much of it. */
export class HeldBody {
  readonly #parts: { readonly bytes: Buffer; readonly start: number; readonly end: number }[] = [];
  #size = 0;
  #ended: { readonly trailers: HeaderMap | undefined } | undefined;
  #wanted: { readonly maxBytes: number; readonly ready: (bytes: Buffer, whole: boolean) => void } | undefined;

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** True while somebody waits for more: then the body should go on coming. */
  get wanted(): boolean {
    return this.#wanted !== undefined;
  }

  push(bytes: Buffer, start: number, end: number): void {
    this.#parts.push({ bytes, start, end });
    this.#size += end - start;
    this.#offer();
  }

  end(trailers: HeaderMap | undefined): void {
    this.#ended = { trailers };
    this.#offer();
  }

  /** Calls once the body is whole or has so many bytes; what came stays held. */
  want(maxBytes: number, ready: (bytes: Buffer, whole: boolean) => void): void {
    this.#wanted = { maxBytes, ready };
    this.#offer();
  }

  /** Hands on all that was held; stops when the receiver says that it is over. */
  release(onBody: (bytes: Buffer, start: number, end: number) => void, onEnd: (trailers: HeaderMap | undefined) => void, over: () => boolean): void {
    for (const { bytes, start, end } of this.#parts) if (!over()) onBody(bytes, start, end);
    if (this.#ended && !over()) onEnd(this.#ended.trailers);
  }

  #offer(): void {
    const wanted = this.#wanted;
    if (!wanted || (!this.ended && this.#size < wanted.maxBytes)) return;
    this.#wanted = undefined;
    const all = Buffer.concat(this.#parts.map(({ bytes, start, end }) => bytes.subarray(start, end)));
    wanted.ready(all.subarray(0, wanted.maxBytes), this.ended && this.#size <= wanted.maxBytes);
  }
}
