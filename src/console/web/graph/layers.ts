/** A graph whose nodes are numbered; edges go from and to those numbers. */
export interface Numbered {
  count: number;
  edges: readonly (readonly [from: number, to: number])[];
}

/**
 * The layer of each node, so that edges point onwards wherever no cycle forbids it, and are short. Nodes without edges
 * have none (-1): they go where there is room.
 */
export function assignLayers({ count, edges }: Numbered): number[] {
  const out: number[][] = Array.from({ length: count }, () => []);
  const into: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    if (from === to) continue;
    out[from]!.push(to);
    into[to]!.push(from);
  }
  const order = forwardOrder(out, into);
  const rank = Array.from({ length: count }, () => 0);
  for (const [index, node] of order.entries()) rank[node] = index;
  // An edge against the order is part of a cycle: for layers it counts the other way round.
  const next = (node: number) => [...out[node]!.filter((to) => rank[to]! > rank[node]!), ...into[node]!.filter((from) => rank[from]! > rank[node]!)];
  const layer = Array.from({ length: count }, () => 0);
  for (const node of order) for (const to of next(node)) layer[to] = Math.max(layer[to]!, layer[node]! + 1);
  // Callers that nobody calls stand next to those they call, not at the far edge.
  for (const node of order.toReversed()) {
    const targets = next(node);
    if (targets.length > 0 && into[node]!.length === 0) layer[node] = Math.min(...targets.map((to) => layer[to]!)) - 1;
  }
  const connected = layer.map((value, node) => (out[node]!.length + into[node]!.length > 0 ? value : -1));
  const lowest = Math.min(...connected.filter((value) => value >= 0), Infinity);
  return connected.map((value) => (value < 0 ? -1 : value - (Number.isFinite(lowest) ? lowest : 0)));
}

/** All nodes in an order in which few edges point back: callers first, as a walk from those that nobody calls finds them. */
function forwardOrder(out: number[][], into: number[][]): number[] {
  const state = new Uint8Array(out.length);
  const finished: number[] = [];
  const starts = out.map((_, node) => node).sort((a, b) => into[a]!.length - into[b]!.length || a - b);
  for (const start of starts) {
    if (state[start]) continue;
    // A stack of its own: a chain of thousands must not overflow the call stack.
    const stack: [node: number, at: number][] = [[start, 0]];
    state[start] = 1;
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const to = out[top[0]]![top[1]++];
      if (to === undefined) {
        finished.push(top[0]);
        stack.pop();
      } else if (!state[to]) {
        state[to] = 1;
        stack.push([to, 0]);
      }
    }
  }
  return finished.reverse();
}
