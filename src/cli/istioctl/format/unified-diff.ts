/** How many equal lines stand around a change. */
const CONTEXT = 7;

/**
 * A unified diff of two texts by lines; empty when they are the same. Which lines are taken for equal follows Python's
 * difflib, which Go's and so istioctl's follow: the longest common run first, then what is left and right of it, and
 * lines that occur very often hold no run together.
 */
export function unifiedDiff(from: string, to: string, fromName: string, toName: string, context = CONTEXT): string {
  const [a, b] = [from.split("\n"), to.split("\n")];
  const hunks = grouped(changes(matchingRuns(a, b), a.length, b.length), context);
  if (hunks.length === 0) return "";
  const texts = hunks.map((hunk) => {
    const [first, last] = [hunk[0], hunk.at(-1)];
    if (!first || !last) return "";
    const lines = hunk.flatMap(({ equal, a1, a2, b1, b2 }) =>
      equal ? a.slice(a1, a2).map((line) => ` ${line}`) : [...a.slice(a1, a2).map((line) => `-${line}`), ...b.slice(b1, b2).map((line) => `+${line}`)],
    );
    return `@@ -${range(first.a1, last.a2)} +${range(first.b1, last.b2)} @@\n${lines.map((line) => `${line}\n`).join("")}`;
  });
  return `--- ${fromName}\n+++ ${toName}\n${texts.join("")}`;
}

/** `size` equal lines, from `a` in the one and `b` in the other text. */
interface Run {
  readonly a: number;
  readonly b: number;
  readonly size: number;
}

/** Lines a1 to a2 of the one text that became b1 to b2 of the other; ends are not included. */
interface Change {
  readonly equal: boolean;
  readonly a1: number;
  readonly a2: number;
  readonly b1: number;
  readonly b2: number;
}

/** Texts shorter than this have no lines that occur too often. */
const POPULAR_FROM = 200;

function matchingRuns(a: readonly string[], b: readonly string[]): Run[] {
  const places = placesOf(b);
  const pending: [number, number, number, number][] = [[0, a.length, 0, b.length]];
  const found: Run[] = [];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [aLow, aHigh, bLow, bHigh] = next;
    const run = longestRun(a, b, places, next);
    if (run.size === 0) continue;
    found.push(run);
    if (aLow < run.a && bLow < run.b) pending.push([aLow, run.a, bLow, run.b]);
    if (run.a + run.size < aHigh && run.b + run.size < bHigh) pending.push([run.a + run.size, aHigh, run.b + run.size, bHigh]);
  }
  return found.sort((one, other) => one.a - other.a || one.b - other.b);
}

/** Where each line occurs, without those that are more than every hundredth. */
function placesOf(lines: readonly string[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  lines.forEach((line, index) => {
    const known = places.get(line);
    if (known) known.push(index);
    else places.set(line, [index]);
  });
  const most = Math.floor(lines.length / 100) + 1;
  if (lines.length >= POPULAR_FROM) for (const [line, indices] of places) if (indices.length > most) places.delete(line);
  return places;
}

/** The first of the longest runs between the bounds, with equal lines around it whatever their number. */
function longestRun(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  [aLow, aHigh, bLow, bHigh]: readonly [number, number, number, number],
): Run {
  let [bestA, bestB, size] = [aLow, bLow, 0];
  let lengths = new Map<number, number>();
  for (let i = aLow; i < aHigh; i++) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i] ?? "") ?? []) {
      if (j < bLow) continue;
      if (j >= bHigh) break;
      const length = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, length);
      if (length > size) [bestA, bestB, size] = [i - length + 1, j - length + 1, length];
    }
    lengths = next;
  }
  while (bestA > aLow && bestB > bLow && a[bestA - 1] === b[bestB - 1]) [bestA, bestB, size] = [bestA - 1, bestB - 1, size + 1];
  while (bestA + size < aHigh && bestB + size < bHigh && a[bestA + size] === b[bestB + size]) size++;
  return { a: bestA, b: bestB, size };
}

function changes(runs: readonly Run[], aEnd: number, bEnd: number): Change[] {
  const all: Change[] = [];
  let [a1, b1] = [0, 0];
  for (const { a, b, size } of [...runs, { a: aEnd, b: bEnd, size: 0 }]) {
    if (a1 < a || b1 < b) all.push({ equal: false, a1, a2: a, b1, b2: b });
    const last = all.at(-1);
    // Runs that touch are one.
    if (size > 0 && last?.equal) all[all.length - 1] = { ...last, a2: a + size, b2: b + size };
    else if (size > 0) all.push({ equal: true, a1: a, a2: a + size, b1: b, b2: b + size });
    [a1, b1] = [a + size, b + size];
  }
  return all;
}

/** Changes with the lines around them; those whose surroundings touch become one hunk. */
function grouped(all: readonly Change[], context: number): Change[][] {
  const hunks: Change[][] = [];
  let hunk: Change[] = [];
  all.forEach((change, index) => {
    const { equal, a1, a2, b1, b2 } = change;
    if (!equal) {
      hunk.push(change);
      return;
    }
    const before = { equal, a1: Math.max(a1, a2 - context), a2, b1: Math.max(b1, b2 - context), b2 };
    const after = { equal, a1, a2: Math.min(a2, a1 + context), b1, b2: Math.min(b2, b1 + context) };
    if (index === 0) hunk = [before];
    else if (index === all.length - 1) hunk.push(after);
    else if (a2 - a1 > 2 * context) {
      hunks.push([...hunk, after]);
      hunk = [before];
    } else hunk.push(change);
  });
  hunks.push(hunk);
  return hunks.filter((one) => one.some(({ equal }) => !equal));
}

function range(start: number, end: number): string {
  const count = end - start;
  return count === 1 ? String(start + 1) : `${count === 0 ? start : start + 1},${count}`;
}
