import type { Host } from "./host.ts";

/** A consistent-hash table over hosts: equal hashes find the same host while it is there. */
export class HashTable {
  private constructor(
    private readonly points: Float64Array | undefined,
    private readonly hosts: readonly (Host | undefined)[],
  ) {}

  /** Envoy's ring: each host has points in proportion to its weight, the least weighted at least one. */
  static ring(hosts: readonly Host[], minSize: number): HashTable {
    const total = hosts.reduce((sum, host) => sum + host.weight, 0);
    const entries: [number, Host][] = [];
    for (const host of hosts) {
      const count = Math.max(1, Math.round((host.weight / total) * minSize));
      for (let i = 0; i < count; i++) entries.push([hash53(`${hashName(host)}_${i}`), host]);
    }
    entries.sort((a, b) => a[0] - b[0]);
    return new HashTable(
      Float64Array.from(entries, ([point]) => point),
      entries.map(([, host]) => host),
    );
  }

  /** Maglev (Eisenbud et al., 2016): each host fills free places of a prime-sized table by its own permutation. */
  static maglev(hosts: readonly Host[], size: number): HashTable {
    const table = Array.from<Host | undefined>({ length: size });
    const maxWeight = Math.max(...hosts.map((host) => host.weight));
    const walkers = hosts.map((host) => {
      const name = hashName(host);
      return { host, offset: hash53(name) % size, skip: (hash53(`${name}|skip`) % (size - 1)) + 1, next: 0, target: 0 };
    });
    for (let filled = 0, round = 1; filled < size; round++) {
      for (const walker of walkers) {
        if (filled === size) break;
        if (round * walker.host.weight < walker.target) continue;
        walker.target += maxWeight;
        let at = place(walker, size);
        while (table[at] !== undefined) {
          walker.next++;
          at = place(walker, size);
        }
        table[at] = walker.host;
        walker.next++;
        filled++;
      }
    }
    return new HashTable(undefined, table);
  }

  get(hash: number): Host | undefined {
    const { points, hosts } = this;
    if (!points) return hosts[hash % hosts.length];
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((points[middle] as number) < hash) low = middle + 1;
      else high = middle;
    }
    return hosts[low === points.length ? 0 : low];
  }
}

/** 53 bits of xxHash64, which is what Envoy hashes with: a number keeps them exactly. */
export function hash53(text: string): number {
  return Number(Bun.hash.xxHash64(text) >> 11n);
}

function hashName(host: Host): string {
  return host.hostname === "" ? host.text : host.hostname;
}

function place(walker: { offset: number; skip: number; next: number }, size: number): number {
  return (walker.offset + walker.next * walker.skip) % size;
}
