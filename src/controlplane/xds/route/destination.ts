import type { Destination } from "../../../resources/index.ts";
import type { MeshService } from "../../registry/index.ts";
import { outboundCluster } from "../names.ts";

/** What a rule without a host leads to; no such cluster exists. */
const UNKNOWN = "UnknownService";

/** The cluster of a destination: its port, the only port of its service, or the port that the listener is for. */
export function destinationCluster(destination: Destination, service: MeshService | undefined, listenerPort: number): string {
  if (!destination.host) return UNKNOWN;
  const [only, ...others] = service?.ports ?? [];
  const port = destination.port?.number ?? (only && others.length === 0 ? only.port : listenerPort);
  // An ExternalName service is another name of what it points to, and has no cluster of its own.
  return outboundCluster(port, destination.subset ?? "", service?.externalName || destination.host);
}
