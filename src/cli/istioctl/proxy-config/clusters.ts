import { tabwriter } from "../format/tabwriter.ts";
import { clustersOf, text, type ConfigDump, type Json } from "./dump.ts";
import { compareSubsetKeys, managedBy, parseSubsetKey } from "./subset-key.ts";

export interface ClusterFilter {
  readonly fqdn?: string;
  readonly port?: number;
  readonly subset?: string;
  readonly direction?: string;
}

/** Clusters that pass, in istioctl's order. */
export function selectClusters(dump: ConfigDump, filter: ClusterFilter): Json[] {
  return clustersOf(dump)
    .sort((a, b) => compareSubsetKeys(text(a.name), text(b.name)))
    .filter((cluster) => matches(text(cluster.name), filter));
}

/** `typed` puts the kind before each name, as `proxy-config all` does. */
export function clusterTable(dump: ConfigDump, filter: ClusterFilter, typed = false): string {
  const rows = selectClusters(dump, filter).map((cluster) => {
    const { direction, port, subset, host, structured } = parseSubsetKey(text(cluster.name));
    const name = `cluster/${text(cluster.name)}`;
    const facts = structured ? [host, String(port), subset || "-", direction] : [typed ? name : text(cluster.name), "-", "-", "-"];
    return [...(typed ? [name] : []), ...facts, text(cluster.type) || "STATIC", managedBy(cluster.metadata)];
  });
  return tabwriter([[...(typed ? ["NAME"] : []), "SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"], ...rows], 5);
}

/** Substrings of the name, as istioctl compares. */
function matches(name: string, { fqdn, port, subset, direction }: ClusterFilter): boolean {
  if (fqdn && !name.includes(fqdn)) return false;
  if (direction && !name.includes(direction)) return false;
  if (subset && !name.includes(subset)) return false;
  return !port || name.includes(`|${port}|`);
}
