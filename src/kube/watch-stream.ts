import { ChainmailError } from "../base/index.ts";
import type { KubeObject } from "../resources/types.ts";
import type { WatchEvent } from "./types.ts";

/** etcd refuses objects above 1.5 MB; an event of ten times that size is no Kubernetes event. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;

/** Splits a body into its newline-delimited watch events, each as soon as its last byte is there. */
export async function* watchEvents<T extends KubeObject>(body: ReadableStream<Uint8Array>): AsyncGenerator<WatchEvent<T>> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let pending = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const text = decoder.decode(value, { stream: true });
      let start = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
        const line = pending + text.slice(start, end);
        pending = "";
        start = end + 1;
        if (line.trim() !== "") yield parseEvent<T>(line);
      }
      pending += text.slice(start);
      if (pending.length > MAX_EVENT_BYTES) throw new ChainmailError("WATCH_EVENT_TOO_LARGE", `a watch event exceeds ${MAX_EVENT_BYTES} bytes`);
    }
    // What is left is the start of an event that was cut off with the connection; the next watch sends it again.
  } finally {
    reader.cancel().catch(() => {}); // the stream may have failed already; that failure has been thrown above
  }
}

function parseEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new ChainmailError("WATCH_EVENT_MALFORMED", "the API server sent a watch event that is not JSON", { cause });
  }
  if (typeof value !== "object" || value === null || !("type" in value) || !("object" in value)) {
    throw new ChainmailError("WATCH_EVENT_MALFORMED", "the API server sent a watch event without type or object");
  }
  return value as WatchEvent<T>;
}
