/** A unified diff of two texts by lines; empty when they are the same. */
export function unifiedDiff(from: string, to: string, fromName: string, toName: string): string {
  const [a, b] = [from.split("\n"), to.split("\n")];
  const edits = script(a, b);
  const hunks = group(edits);
  if (hunks.length === 0) return "";
  let out = `--- ${fromName}\n+++ ${toName}\n`;
  for (const hunk of hunks) {
    const removed = hunk.filter(({ kind }) => kind !== "+").length;
    const added = hunk.filter(({ kind }) => kind !== "-").length;
    const first = hunk[0];
    out += `@@ -${range(first?.a ?? 0, removed)} +${range(first?.b ?? 0, added)} @@\n`;
    for (const { kind, line } of hunk) out += `${kind}${line}\n`;
  }
  return out;
}

interface Edit {
  readonly kind: " " | "-" | "+";
  readonly line: string;
  /** Where in each text it stands. */
  readonly a: number;
  readonly b: number;
}

const CONTEXT = 3;

/** Myers' greedy algorithm: the shortest script, in time by the number of differences. */
function script(a: readonly string[], b: readonly string[]): Edit[] {
  const limit = a.length + b.length;
  const trace: Map<number, number>[] = [];
  let reach = new Map<number, number>([[1, 0]]);
  search: for (let distance = 0; distance <= limit; distance++) {
    trace.push(new Map(reach));
    for (let k = -distance; k <= distance; k += 2) {
      const down = k === -distance || (k !== distance && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reach.set(k, x);
      if (x >= a.length && x - k >= b.length) break search;
    }
  }
  const edits: Edit[] = [];
  let [x, y] = [a.length, b.length];
  for (let distance = trace.length - 1; distance >= 0; distance--) {
    reach = trace[distance] ?? new Map();
    const k = x - y;
    const down = k === -distance || (k !== distance && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = reach.get(fromK) ?? 0;
    const fromY = fromX - fromK;
    while (x > fromX && y > fromY && x > 0 && y > 0) edits.push({ kind: " ", line: a[--x] ?? "", a: x, b: --y });
    if (distance === 0) break;
    if (down) edits.push({ kind: "+", line: b[--y] ?? "", a: x, b: y });
    else edits.push({ kind: "-", line: a[--x] ?? "", a: x, b: y });
  }
  return edits.reverse();
}

/** Changes with the lines around them; those that touch become one hunk. */
function group(edits: readonly Edit[]): Edit[][] {
  const hunks: Edit[][] = [];
  let end = -1;
  edits.forEach(({ kind }, index) => {
    if (kind === " ") return;
    const from = Math.max(index - CONTEXT, end);
    const to = Math.min(index + CONTEXT + 1, edits.length);
    const current = hunks.at(-1);
    if (current && from <= end) current.push(...edits.slice(end, to));
    else hunks.push(edits.slice(Math.max(0, index - CONTEXT), to));
    end = to;
  });
  return hunks;
}

function range(start: number, count: number): string {
  return count === 1 ? String(start + 1) : `${count === 0 ? start : start + 1},${count}`;
}
