import type { ClusterSnapshot, HostSnapshot } from "../types.ts";

/** Hosts with what each process has done with them, summed; what a process has found out of a host's health counts for all. */
export function mergeClusters(own: readonly ClusterSnapshot[], others: readonly (readonly ClusterSnapshot[])[]): ClusterSnapshot[] {
  return own.map((cluster) => {
    const same = others.flatMap((all) => all.filter(({ name }) => name === cluster.name));
    const hosts = new Map<string, HostSnapshot>();
    for (const { hosts: some } of [cluster, ...same]) {
      for (const host of some) {
        const key = `${host.address.address}|${host.address.port}`;
        const known = hosts.get(key);
        hosts.set(key, known ? add(known, host) : host);
      }
    }
    return { ...cluster, hosts: [...hosts.values()] };
  });
}

function add(known: HostSnapshot, other: HostSnapshot): HostSnapshot {
  const stats = { ...known.stats };
  for (const name of Object.keys(stats) as (keyof typeof stats)[]) stats[name] += other.stats[name];
  return { ...known, stats, healthFlags: [...new Set([...known.healthFlags, ...other.healthFlags])] };
}
