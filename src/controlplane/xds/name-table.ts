import { create } from "@bufbuild/protobuf";
import { isIP } from "node:net";
import type { Init } from "../../proto/index.ts";
import { NameTableSchema, type NameTable_NameInfoSchema } from "../../proto/gen/istio/nds/nds_pb.ts";
import { addressesForProxy, type MeshService } from "../registry/index.ts";
import { encodeResource } from "./encode.ts";
import { Memo } from "./memo.ts";
import type { ProxyContext } from "./proxy.ts";
import type { XdsResource } from "./types.ts";

type NameInfo = Init<typeof NameTable_NameInfoSchema>;

/** Makes the table of names that an agent's DNS proxy answers from. Gateways resolve nothing: theirs is empty. */
export class NameTableGenerator {
  readonly #tables = new Memo<readonly XdsResource[]>();

  generate(proxy: ProxyContext): readonly XdsResource[] {
    const services = proxy.scope.listeners.flatMap((listener) => listener.services);
    const headless = services.filter(isHeadless).map((service) => proxy.mesh.snapshot.backends(service).endpoints);
    return this.#tables.get([proxy.scope, proxy.view, ...headless], () => [
      encodeResource(NameTableSchema, "", create(NameTableSchema, { table: tableOf(proxy, services) })),
    ]);
  }
}

function tableOf(proxy: ProxyContext, services: readonly MeshService[]): Record<string, NameInfo> {
  const table: Record<string, NameInfo> = {};
  for (const service of services) {
    const ips = addressesOf(proxy, service, table);
    if (ips.length === 0) continue;
    const own: NameInfo = {
      ips,
      registry: service.registry,
      ...(service.registry === "Kubernetes" && { namespace: service.namespace, shortname: service.name }),
    };
    const existing = table[service.hostname];
    // Entries for the same host add up, but a Kubernetes service is the only one of its name.
    if (!existing || (existing.registry !== "Kubernetes" && service.registry === "Kubernetes")) table[service.hostname] = own;
    else if (existing.registry !== "Kubernetes") existing.ips = [...(existing.ips ?? []), ...ips];
  }
  return table;
}

/** The addresses of a service; for one without any, those of its pods, whose own names go into the table too. */
function addressesOf({ mesh, view, node }: ProxyContext, service: MeshService, table: Record<string, NameInfo>): string[] {
  const virtual = [...addressesForProxy(service, view), ...(view.dnsCapture ? service.autoAddresses : [])];
  if (virtual.length > 0) return virtual.filter((address) => isIP(address));
  // Istio's placeholder for an address is IPv4: a Service without one is nothing to a proxy that has no IPv4.
  if (!isHeadless(service) || (service.registry === "Kubernetes" && !view.ipv4)) return [];
  const found: string[] = [];
  const names = new Map<string, NameInfo & { ips: string[] }>();
  const [port] = service.ports;
  for (const endpoint of mesh.snapshot.backends(service).endpoints) {
    if (endpoint.portName !== port?.name || !isIP(endpoint.address)) continue;
    if (endpoint.health !== "HEALTHY" && !service.publishNotReadyAddresses) continue;
    if (endpoint.network && node.network && endpoint.network !== node.network) continue;
    found.push(endpoint.address);
    if (!endpoint.podSubdomain) continue;
    const shortname = `${endpoint.podHostname}.${endpoint.podSubdomain}`;
    const host = `${shortname}.${service.hostname.slice(service.hostname.indexOf(".") + 1)}`;
    const entry = names.get(host) ?? { ips: [], registry: service.registry, namespace: service.namespace, shortname };
    entry.ips.push(endpoint.address);
    names.set(host, entry);
  }
  for (const [host, entry] of names) table[host] = entry;
  return found;
}

function isHeadless(service: MeshService): boolean {
  return service.resolution === "Passthrough" && service.addresses.length === 0 && service.ports.length > 0;
}
