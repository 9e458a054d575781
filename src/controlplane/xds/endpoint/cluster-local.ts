import type { MeshConfig } from "../../registry/index.ts";
import { HostMap } from "../scope/host-match.ts";

/**
 * Hosts whose endpoints are for clients of their own cluster only. Every cluster has some of its own, unless the mesh config
 * says otherwise: its system's services, its API server, its control plane. `domain` is the cluster's.
 */
export function clusterLocalHosts({ serviceSettings, defaultConfig }: MeshConfig, domain: string): HostMap<boolean> {
  const [discovery = ""] = (defaultConfig.discoveryAddress ?? "").split(":");
  let defaults = [
    `*.kube-system.svc.${domain}`,
    `kubernetes.default.svc.${domain}`,
    ...(discovery ? [discovery.endsWith(domain) ? discovery : `${discovery}.${domain}`] : []),
  ];
  const found = new HostMap<boolean>();
  for (const { settings, hosts = [] } of serviceSettings) {
    const local = settings?.clusterLocal === true;
    if (!local)
      defaults = defaults.filter((fallback) => !hosts.some((host) => host === fallback || (fallback.startsWith("*") && host.endsWith(fallback.slice(1)))));
    for (const host of hosts) found.set(host, local);
  }
  for (const fallback of defaults) found.set(fallback, true);
  return found;
}
