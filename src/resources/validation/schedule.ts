/** What is wrong with a schedule of five fields, in the words of the library that Kubernetes reads it with. */

const NAMED = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every .+)$/;
const FIELDS: readonly [min: number, max: number, names: readonly string[]][] = [
  [0, 59, []],
  [0, 23, []],
  [1, 31, []],
  [1, 12, ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]],
  [0, 6, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]],
];

/** undefined where it can be read. */
export function scheduleProblem(schedule: string): string | undefined {
  const text = schedule.trim();
  if (text.startsWith("@")) return NAMED.test(text) ? undefined : `unrecognized descriptor: ${text}`;
  const fields = text.split(/\s+/);
  if (fields.length !== 5) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`;
  for (const [index, field] of fields.entries()) {
    for (const part of field.split(",")) {
      const [min, max, names] = FIELDS[index] ?? [0, 0, []];
      const problem = partProblem(part, min, max, names);
      if (problem) return problem;
    }
  }
  return undefined;
}

function partProblem(part: string, min: number, max: number, names: readonly string[]): string | undefined {
  const [range = "", step, ...more] = part.split("/");
  const bounds = range.split("-");
  const every = bounds[0] === "*" || bounds[0] === "?";
  const parse = (text: string): number | string => {
    const named = names.indexOf(text.toLowerCase());
    if (text !== "" && named >= 0) return named;
    if (/^[+-]?\d+$/.test(text)) return Number(text) < 0 ? `negative number (${text}) not allowed: ${text}` : Number(text);
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  };
  let start = min;
  let end = max;
  if (!every) {
    const first = parse(bounds[0] ?? "");
    if (typeof first === "string") return first;
    start = end = first;
    if (bounds.length === 2) {
      const last = parse(bounds[1] ?? "");
      if (typeof last === "string") return last;
      end = last;
    } else if (bounds.length > 2) return `too many hyphens: ${part}`;
  }
  if (more.length > 0) return `too many slashes: ${part}`;
  if (step !== undefined) {
    const by = parse(step);
    if (typeof by === "string") return by;
    if (!every && bounds.length === 1) end = max;
    if (by === 0) return `step of range should be a positive number: ${part}`;
  }
  if (start < min) return `beginning of range (${start}) below minimum (${min}): ${part}`;
  if (end > max) return `end of range (${end}) above maximum (${max}): ${part}`;
  return start > end ? `beginning of range (${start}) beyond end of range (${end}): ${part}` : undefined;
}
