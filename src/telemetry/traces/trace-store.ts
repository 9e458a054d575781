import type { Span } from "./span.ts";

export interface TraceStoreOptions {
  /** Estimated bytes of all spans; the oldest traces go when it is exceeded. */
  maxBytes: number;
  /** Spans kept of one trace: one that never ends must not push out the others. */
  maxSpansPerTrace: number;
}

export interface Trace {
  traceId: string;
  spans: Span[];
  /** Microseconds since 1970, of its first span. */
  start: number;
  end: number;
  bytes: number;
}

export interface TraceQuery {
  service?: string;
  operation?: string;
  /** All must be on one span of the service. */
  tags: Record<string, string>;
  /** Microseconds. */
  from: number;
  to: number;
  minDuration: number;
  maxDuration: number;
  limit: number;
}

/** What an object of a span takes besides its texts. */
const SPAN_BYTES = 300;
const TAG_BYTES = 48;

/**
 * Traces in memory, the newest of them: found by id, by service, by what their spans say. One owner: the program that
 * receives spans. Traces go whole, the one that was silent for longest first.
 */
export class TraceStore {
  /** In the order in which their last spans came. */
  readonly #traces = new Map<string, Trace>();
  #bytes = 0;
  /** Spans that came, and those left out for want of room in their trace. */
  received = 0;
  dropped = 0;

  constructor(private readonly options: TraceStoreOptions) {}

  get size(): { traces: number; bytes: number } {
    return { traces: this.#traces.size, bytes: this.#bytes };
  }

  add(spans: readonly Span[]): void {
    for (const span of spans) this.#add(span);
    const { maxBytes } = this.options;
    for (const trace of this.#traces.values()) {
      if (this.#bytes <= maxBytes) break;
      this.#traces.delete(trace.traceId);
      this.#bytes -= trace.bytes;
    }
  }

  get(traceId: string): Trace | undefined {
    return this.#traces.get(traceId);
  }

  services(): string[] {
    return [...new Set([...this.#traces.values()].flatMap(({ spans }) => spans.map(({ service }) => service)))].sort();
  }

  operations(service: string): { name: string; spanKind: string }[] {
    const found = new Map<string, { name: string; spanKind: string }>();
    for (const { spans } of this.#traces.values()) {
      for (const span of spans) if (span.service === service) found.set(`${span.kind}\0${span.operation}`, { name: span.operation, spanKind: span.kind });
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /** The newest traces with a span that fits, newest first. */
  search(query: TraceQuery): Trace[] {
    const found = [...this.#traces.values()].filter(
      (trace) => trace.start <= query.to && trace.end >= query.from && trace.spans.some((span) => fits(span, query)),
    );
    return found.sort((a, b) => b.start - a.start).slice(0, query.limit);
  }

  /** Who called whom in traces of a time, by parents and children of different services. */
  dependencies(from: number, to: number): { parent: string; child: string; callCount: number }[] {
    const counts = new Map<string, { parent: string; child: string; callCount: number }>();
    for (const trace of this.#traces.values()) {
      if (trace.start > to || trace.end < from) continue;
      const byId = new Map(trace.spans.map((span) => [span.spanId, span]));
      for (const { parentId, service } of trace.spans) {
        const parent = byId.get(parentId)?.service;
        if (parent === undefined || parent === service) continue;
        const key = `${parent}\0${service}`;
        const known = counts.get(key);
        if (known) known.callCount++;
        else counts.set(key, { parent, child: service, callCount: 1 });
      }
    }
    return [...counts.values()];
  }

  #add(span: Span): void {
    this.received++;
    const known = this.#traces.get(span.traceId);
    const trace = known ?? { traceId: span.traceId, spans: [], start: span.start, end: span.start, bytes: 0 };
    if (known) this.#traces.delete(span.traceId);
    this.#traces.set(span.traceId, trace);
    // A sender that had no answer sends again; a server may share its client's span id, as Zipkin lets it.
    const again = trace.spans.some(({ spanId, kind, service }) => spanId === span.spanId && kind === span.kind && service === span.service);
    if (again || trace.spans.length >= this.options.maxSpansPerTrace) {
      if (!again) this.dropped++;
      return;
    }
    const bytes = bytesOf(span);
    trace.spans.push(span);
    trace.start = Math.min(trace.start, span.start);
    trace.end = Math.max(trace.end, span.start + span.duration);
    trace.bytes += bytes;
    this.#bytes += bytes;
  }
}

function fits(span: Span, { service, operation, tags, minDuration, maxDuration }: TraceQuery): boolean {
  if (service !== undefined && span.service !== service) return false;
  if (operation !== undefined && span.operation !== operation) return false;
  if (span.duration < minDuration || span.duration > maxDuration) return false;
  return Object.entries(tags).every(
    ([key, value]) =>
      (key === "error" && value === "true" && span.failed) || [...span.tags, ...span.resource].some((tag) => tag.key === key && String(tag.value) === value),
  );
}

function bytesOf({ operation, tags, events }: Span): number {
  // The resource's tags are shared by all spans of one export.
  const tagBytes = tags.reduce((sum, { key, value }) => sum + TAG_BYTES + 2 * (key.length + (typeof value === "string" ? value.length : 4)), 0);
  return SPAN_BYTES + 2 * operation.length + tagBytes + events.length * SPAN_BYTES;
}
