import type { UpstreamStream } from "../http/codec.ts";

/** Request bodies up to so many bytes are kept for another try (Envoy's per_connection_buffer_limit). */
const REPLAY_LIMIT = 1024 * 1024;

/** A request's body as far as it has come. */
export class KeptBody {
  readonly #parts: { readonly bytes: Buffer; readonly start: number; readonly end: number }[] = [];
  #size = 0;

  /** False when it has become too large for another try. */
  push(bytes: Buffer, start: number, end: number): boolean {
    this.#parts.push({ bytes, start, end });
    this.#size += end - start;
    return this.#size <= REPLAY_LIMIT;
  }

  /** False when the upstream asks to wait. */
  send(upstream: UpstreamStream): boolean {
    let flowing = true;
    for (const { bytes, start, end } of this.#parts) flowing = upstream.writeBody(bytes, start, end) && flowing;
    return flowing;
  }
}
