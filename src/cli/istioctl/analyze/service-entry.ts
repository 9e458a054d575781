import type { KubeObject } from "../../../resources/types.ts";
import type { Analyzer, Finding } from "./findings.ts";
import { scopes } from "./hosts.ts";
import { fullName, list, namespaceOf, object, spec, stringMap, strings, text, type World } from "./world.ts";

export const addressesRequired: Analyzer = {
  name: "serviceentry.Analyzer",
  description: "Checks the validity of ServiceEntry",
  needs: [],
  run(world) {
    if (allocatesAddresses(world)) return [];
    return world.kind("ServiceEntry").flatMap((about) => {
      if (spec(about).addresses !== undefined || list(object(about.status).addresses).length > 0) return [];
      return list(spec(about).ports).flatMap(({ protocol }, index): Finding[] =>
        text(protocol) === "" || text(protocol).toUpperCase() === "TCP"
          ? [{ code: "IST0134", about, message: "ServiceEntry addresses are required for this protocol.", path: `.spec.ports[${index}].name` }]
          : [],
      );
    });
  },
};

/** Whether every proxy captures DNS and gives hosts addresses of their own. */
function allocatesAddresses(world: World): boolean {
  const metadata = stringMap(world.mesh.defaultConfig.proxyMetadata);
  return metadata.ISTIO_META_DNS_CAPTURE === "true" && (metadata.ISTIO_META_DNS_AUTO_ALLOCATE === "true" || metadata.PILOT_ENABLE_IP_AUTOALLOCATE === "true");
}

interface Entry {
  readonly protocol: string;
  readonly about: KubeObject;
}

export const conflictingProtocols: Analyzer = {
  name: "serviceentry.ConflictingServiceEntryProtocolAnalyzer",
  description: "Checks if multiple ServiceEntries define the same host and port with different protocols",
  needs: [],
  run(world) {
    const index = new Map<string, { scope: string; host: string; port: number; entries: Entry[] }>();
    for (const about of world.kind("ServiceEntry")) {
      const { exportTo, hosts, ports } = spec(about);
      for (const scope of scopes(strings(exportTo), namespaceOf(about))) {
        for (const host of strings(hosts)) {
          for (const { number, protocol } of list(ports)) {
            const key = `${scope} ${host} ${String(number)}`;
            const found = index.get(key) ?? { scope, host, port: Number(number), entries: [] };
            index.set(key, found);
            found.entries.push({ protocol: text(protocol), about });
          }
        }
      }
    }
    const findings = new Map<KubeObject, Finding>();
    for (const { scope, host, port, entries } of index.values()) {
      const seen = scope === "*" ? entries : [...entries, ...(index.get(`* ${host} ${port}`)?.entries ?? [])];
      const protocols = [...new Set(seen.map(({ protocol }) => protocol.toUpperCase()))].sort();
      if (protocols.length < 2) continue;
      const names = [...new Set(seen.map(({ about }) => fullName(about)))].sort().join(", ");
      for (const { about } of seen) {
        if (!findings.has(about))
          findings.set(about, {
            code: "IST0177",
            about,
            message: `Multiple ServiceEntries (${names}) define the same host ${JSON.stringify(host)} and port ${port} with conflicting protocols (${protocols.join(", ")}).`,
            path: ".metadata.name",
          });
      }
    }
    return [...findings.values()];
  },
};
