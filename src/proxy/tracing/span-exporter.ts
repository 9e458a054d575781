import { BatchQueue, type Deliver } from "../export/index.ts";
import type { Services } from "../services.ts";
import type { ActiveSpan } from "./span.ts";

/** Envoy sends every five spans; so many in one message cost a fraction of that, and are a message of some 100 KB. */
const BATCH = 128;
/** So long a span may wait for others: a trace should be seen soon after its request. */
const INTERVAL_MS = 500;
/** Some megabytes of spans while a collector does not answer; later ones are dropped. */
const LIMIT = 4096;

/** Brings spans to a collector in batches. Without a way to one it takes them and does nothing. */
export class SpanExporter {
  readonly #queue: BatchQueue<ActiveSpan> | undefined;

  /** `scope` is where its statistics are. */
  constructor(scope: string, encode: (spans: readonly ActiveSpan[]) => Uint8Array, deliver: Deliver | undefined, services: Services) {
    if (!deliver) return;
    const stats = services.core.scope(scope);
    const sent = stats.counter("spans_sent");
    const dropped = stats.counter("spans_dropped");
    const batches = stats.counter("reports_sent");
    const failed = stats.counter("reports_failed");
    this.#queue = new BatchQueue({
      batchWeight: BATCH,
      intervalMs: INTERVAL_MS,
      limit: LIMIT,
      clock: services.clock,
      send: (spans, done) =>
        deliver(encode(spans), services, (delivered) => {
          if (delivered) {
            sent.inc(spans.length);
            batches.inc();
          } else failed.inc();
          done(delivered);
        }),
      onDropped: (count) => dropped.inc(count),
    });
  }

  report(span: ActiveSpan): void {
    this.#queue?.push(span);
  }

  stop(): void {
    this.#queue?.stop();
  }
}
