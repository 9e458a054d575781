/** What one line of an exposition says. `labels` is the text between the braces, as it stood: the caller's cache key. */
export interface ScrapedSample {
  name: string;
  labels: string;
  value: number;
  /** In ms, where the target says when it measured. */
  time?: number;
}

/**
 * Calls back for each sample of a Prometheus text exposition (version 0.0.4). Comments other than `# TYPE` and
 * `# HELP`, and lines that are none, are passed over; returns the types by metric name.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function parseExposition(text: string, onSample: (sample: ScrapedSample) => void, onHelp?: (name: string, help: string) => void): Map<string, string> {
  const types = new Map<string, string>();
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    if (text.charCodeAt(start) === 35 /* # */) {
      if (text.startsWith("# TYPE ", start)) {
        const [, , name, type] = text.slice(start, end).split(" ");
        if (name && type) types.set(name, type);
      } else if (onHelp && text.startsWith("# HELP ", start)) {
        const rest = text.slice(start + 7, end);
        const space = rest.indexOf(" ");
        if (space > 0) onHelp(rest.slice(0, space), rest.slice(space + 1).replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c)));
      }
    } else if (end > start) {
      const sample = parseLine(text.slice(start, end));
      if (sample) onSample(sample);
    }
    start = end + 1;
  }
  return types;
}

function parseLine(line: string): ScrapedSample | undefined {
  const brace = line.indexOf("{");
  let name: string;
  let labels = "";
  let rest: string;
  if (brace >= 0) {
    const close = closingBrace(line, brace + 1);
    if (close < 0) return undefined;
    name = line.slice(0, brace);
    labels = line.slice(brace + 1, close);
    rest = line.slice(close + 1);
  } else {
    const space = line.indexOf(" ");
    if (space < 0) return undefined;
    name = line.slice(0, space);
    rest = line.slice(space);
  }
  const [number, stamp] = rest.trim().split(/[ \t]+/, 2);
  if (!number || !name) return undefined;
  const value = number === "+Inf" || number === "Inf" ? Infinity : number === "-Inf" ? -Infinity : Number(number);
  if (Number.isNaN(value) && number !== "NaN") return undefined;
  const time = stamp === undefined ? undefined : Number(stamp);
  return time !== undefined && Number.isInteger(time) ? { name: name.trimEnd(), labels, value, time } : { name: name.trimEnd(), labels, value };
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
