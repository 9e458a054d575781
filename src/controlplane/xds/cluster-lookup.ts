import type { MeshSnapshot } from "../registry/index.ts";
import { outboundCluster } from "./names.ts";

/** Finds the cluster of a `[<namespace>/]<hostname>` and port; undefined when there is no such service, or several. */
export type ClusterLookup = (service: string, port: number) => { hostname: string; cluster: string } | undefined;

/** Providers of the mesh config name services like this. */
export function clusterLookup(snapshot: MeshSnapshot): ClusterLookup {
  return (name, port) => {
    const slash = name.indexOf("/");
    const hostname = name.slice(slash + 1);
    const owners = snapshot.services.byHostname.get(hostname);
    if (!owners || port === 0) return undefined;
    const service = slash > 0 ? owners.get(name.slice(0, slash)) : owners.size === 1 ? [...owners.values()][0] : undefined;
    return service && { hostname, cluster: outboundCluster(port, "", service.hostname) };
  };
}
