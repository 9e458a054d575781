import type { JaegerSpan, JaegerTrace } from "../../../telemetry/index.ts";

/** One line of a waterfall. */
export interface WaterfallRow {
  span: JaegerSpan;
  service: string;
  /** 0 for the span that began it all. */
  depth: number;
  children: number;
  failed: boolean;
  /** Where its bar stands, as shares of the whole trace. */
  left: number;
  width: number;
  /** Microseconds in which none of its children was at work: what it took itself. */
  own: number;
}

export interface Waterfall {
  rows: WaterfallRow[];
  /** Microseconds since 1970. */
  start: number;
  /** Microseconds. */
  duration: number;
  services: string[];
}

/** Spans in the order of who called whom, siblings by time; a span whose parent is not there stands as a root. */
export function waterfall({ spans, processes }: JaegerTrace): Waterfall {
  const start = Math.min(...spans.map((span) => span.startTime));
  const duration = Math.max(1, Math.max(...spans.map((span) => span.startTime + span.duration)) - start);
  const ids = new Set(spans.map(({ spanID }) => spanID));
  const children = new Map<string, JaegerSpan[]>();
  for (const span of spans.toSorted((a, b) => a.startTime - b.startTime)) {
    const parent = span.references.find(({ spanID }) => ids.has(spanID) && spanID !== span.spanID)?.spanID ?? "";
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const rows: WaterfallRow[] = [];
  const seen = new Set<JaegerSpan>();
  const visit = (list: readonly JaegerSpan[], depth: number): void => {
    for (const span of list) {
      if (seen.has(span)) continue;
      seen.add(span);
      const below = children.get(span.spanID) ?? [];
      rows.push({
        span,
        service: processes[span.processID]?.serviceName ?? "unknown",
        depth,
        children: below.length,
        failed: span.tags.some(({ key, value }) => key === "error" && value !== false && value !== "false"),
        left: (span.startTime - start) / duration,
        width: span.duration / duration,
        own: span.duration - covered(span, below),
      });
      visit(below, depth + 1);
    }
  };
  visit(children.get("") ?? [], 0);
  // Spans that name each other as parents hang in no tree: they are shown all the same.
  visit(spans, 0);
  return { rows, start, duration, services: [...new Set(rows.map(({ service }) => service))] };
}

/** How much of a span's time its children take, overlaps counted once. */
function covered(span: JaegerSpan, children: readonly JaegerSpan[]): number {
  const [from, to] = [span.startTime, span.startTime + span.duration];
  let sum = 0;
  let until = from;
  for (const child of children) {
    const begin = Math.max(until, child.startTime);
    const end = Math.min(to, child.startTime + child.duration);
    if (end <= begin) continue;
    sum += end - begin;
    until = end;
  }
  return sum;
}

/** Microseconds as a person says them. */
export function durationText(micros: number): string {
  if (micros < 1_000) return `${Math.round(micros)} µs`;
  if (micros < 1_000_000) return `${(micros / 1_000).toFixed(micros < 10_000 ? 2 : 1)} ms`;
  return `${(micros / 1_000_000).toFixed(2)} s`;
}

/** Moments for the scale above the bars: round numbers, four or five of them. */
export function ticks(duration: number): number[] {
  const rough = duration / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  return Array.from({ length: Math.floor(duration / step) + 1 }, (_, i) => i * step);
}
