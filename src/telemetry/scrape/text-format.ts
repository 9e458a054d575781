/** What one line of an exposition says. */
export interface ScrapedSample {
  name: string;
  /** The text between the braces, as it stood. */
  labels: string;
  /** All before the value, as it stood. */
  text: string;
  value: number;
  /** In ms, where the target says when it measured. */
  time?: number;
}

export interface ExpositionSink {
  sample(sample: ScrapedSample): void;
  /**
   * A target says the same series in the same order each time: whether `text` at `start` is what is expected next, and how
   * long that is up to its value; 0 where it is something else. Then `expectedSample` has its value.
   */
  expected?(text: string, start: number): number;
  expectedSample?(value: number, time: number | undefined): void;
  help?(name: string, help: string): void;
}

/**
 * Tells the sink of each sample of a Prometheus text exposition (version 0.0.4). Comments other than `# TYPE` and `# HELP`,
 * and lines that are none, are passed over; returns the types by metric name.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function parseExposition(text: string, sink: ExpositionSink): Map<string, string> {
  const types = new Map<string, string>();
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    if (text.charCodeAt(start) === 35 /* # */) {
      if (text.startsWith("# TYPE ", start)) {
        const [, , name, type] = text.slice(start, end).split(" ");
        if (name && type) types.set(name, type);
      } else if (sink.help && text.startsWith("# HELP ", start)) {
        const rest = text.slice(start + 7, end);
        const space = rest.indexOf(" ");
        if (space > 0)
          sink.help(
            rest.slice(0, space),
            rest.slice(space + 1).replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c)),
          );
      }
    } else if (end > start) {
      const length = sink.expected?.(text, start) ?? 0;
      const measured = length > 0 ? measurement(text.slice(start + length, end)) : undefined;
      if (measured) sink.expectedSample?.(measured.value, measured.time);
      else if (length === 0) {
        const sample = parseLine(text.slice(start, end));
        if (sample) sink.sample(sample);
      }
    }
    start = end + 1;
  }
  return types;
}

function parseLine(line: string): ScrapedSample | undefined {
  const brace = line.indexOf("{");
  const close = brace >= 0 ? closingBrace(line, brace + 1) + 1 : line.search(/[ \t]/);
  if (close <= 0) return undefined;
  const name = (brace >= 0 ? line.slice(0, brace) : line.slice(0, close)).trimEnd();
  const measured = measurement(line.slice(close));
  return measured && name ? { name, labels: brace >= 0 ? line.slice(brace + 1, close - 1) : "", text: line.slice(0, close), ...measured } : undefined;
}

/** A value and, where there is one, the time of it; undefined where the text is something else. */
function measurement(text: string): { value: number; time?: number } | undefined {
  const simple = Number(text);
  if (simple === simple && text.trim() !== "") return { value: simple };
  const [number, stamp] = text.trim().split(/[ \t]+/, 2);
  if (!number) return undefined;
  const value = number === "+Inf" || number === "Inf" ? Infinity : number === "-Inf" ? -Infinity : Number(number);
  if (Number.isNaN(value) && number !== "NaN") return undefined;
  const time = stamp === undefined ? undefined : Number(stamp);
  return time !== undefined && Number.isInteger(time) ? { value, time } : { value };
}

/** A brace inside a quoted value does not close. */
function closingBrace(line: string, from: number): number {
  let quoted = false;
  for (let i = from; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (quoted && code === 92 /* \ */) i++;
    else if (code === 34 /* " */) quoted = !quoted;
    else if (code === 125 /* } */ && !quoted) return i;
  }
  return -1;
}

/** The labels of a sample's text: `a="x",b="y"`. */
export function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"/gs)) {
    labels[name!] = value!.includes("\\") ? value!.replace(/\\(.)/gs, (_, c: string) => (c === "n" ? "\n" : c)) : value!;
  }
  return labels;
}
