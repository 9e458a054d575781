import { isIP } from "node:net";
import type { HeaderMap } from "../http/header-map.ts";
import type { ConnectionInfo } from "../net/connection-info.ts";
import type { SocketAddress } from "../types.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";

/**
 * Where a request was going: as a header says where the cluster is told to believe one, else where its connection was
 * redirected from. Undefined when nobody knows: a connection that was made to this proxy must not lead back to it.
 */
export function originalHost(cluster: Cluster, headers: HeaderMap, connection: ConnectionInfo): Host | undefined {
  const meant = meantDestination(headers, cluster.config.lb.original.headerName, connection);
  return meant && cluster.originalDestination(meant);
}

function meantDestination(headers: HeaderMap, headerName: string | undefined, connection: ConnectionInfo): SocketAddress | undefined {
  const said = headerName === undefined ? undefined : headers.get(headerName);
  if (said !== undefined) return parseOriginalDestination(said);
  return connection.destinationRestored ? connection.local : undefined;
}

/** `ip:port` of x-envoy-original-dst-host; undefined for anything else. */
function parseOriginalDestination(text: string | undefined): SocketAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text ?? "");
  const address = match?.[1] ?? match?.[2];
  if (!match || address === undefined || isIP(address) === 0) return undefined;
  const port = Number(match[3]);
  return port > 0 && port < 65536 ? { address, port } : undefined;
}
