import { isIPv4 } from "node:net";
import type { NameTable } from "../../proto/gen/istio/nds/nds_pb.ts";

/** What is known of a name: its addresses, and under which other name they are, if it was asked for in a search domain. */
export interface NameAnswers {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** The table's own name, without a dot at the end. */
  readonly canonical: string;
}

/** Looks a name up (lower-case, without a dot at the end); undefined for names that are not the mesh's. */
export type LookUp = (name: string) => NameAnswers | undefined;

const KUBERNETES = "Kubernetes";

/**
 * The names that a pod may ask for: those of the table, the short forms of Kubernetes services as they are seen from the
 * pod's namespace, names under wildcards, and all of them with the pod's first search domain appended, so that a
 * resolver that tries that first has its answer at once.
 */
export function compileNameTable({ table }: NameTable, namespace: string, search: readonly string[]): LookUp {
  const exact = new Map<string, NameAnswers>();
  const wildcards = new Map<string, NameAnswers>();
  for (const [host, info] of Object.entries(table)) {
    const canonical = host.toLowerCase();
    const answers: NameAnswers = { ipv4: info.ips.filter((ip) => isIPv4(ip)), ipv6: info.ips.filter((ip) => !isIPv4(ip)), canonical };
    if (canonical.startsWith("*.")) {
      wildcards.set(canonical.slice(2), answers);
      continue;
    }
    exact.set(canonical, answers);
    if (info.registry !== KUBERNETES) continue;
    const shortname = info.shortname.toLowerCase();
    const aliases = [
      ...info.altHosts.map((alias) => alias.toLowerCase()),
      `${shortname}.${info.namespace}`,
      `${shortname}.${info.namespace}.svc`,
      ...(info.namespace === namespace ? [shortname] : []),
    ];
    for (const alias of aliases) if (!exact.has(alias)) exact.set(alias, answers);
  }
  const find = (name: string): NameAnswers | undefined => {
    const known = exact.get(name);
    if (known || wildcards.size === 0) return known;
    // The longest wildcard that the name is under.
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const under = wildcards.get(name.slice(dot + 1));
      if (under) return { ...under, canonical: name };
    }
    return undefined;
  };
  const [first] = search;
  const suffix = first === undefined ? undefined : `.${first}`;
  return (name) => find(name) ?? (suffix !== undefined && name.endsWith(suffix) ? find(name.slice(0, -suffix.length)) : undefined);
}
