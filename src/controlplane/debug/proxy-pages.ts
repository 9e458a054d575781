import type { MeshSnapshot } from "../registry/snapshot.ts";
import { MeshViews } from "../xds/mesh-view.ts";
import { serviceTargets } from "../xds/targets.ts";
import type { XdsGenerator, XdsResource } from "../xds/types.ts";
import { serviceView } from "./registry-pages.ts";
import { proxyName, type ConnectionView } from "./views.ts";

/** `/debug/instancesz`: by proxy, the services whose endpoint it is. */
export function instancesPage(connections: readonly ConnectionView[], snapshot: MeshSnapshot): Record<string, unknown> {
  return Object.fromEntries(
    connections.map((connection) => [
      proxyName(connection),
      serviceTargets(connection.node, snapshot).map(({ service, port, targetPort }) => ({
        Service: serviceView(service, snapshot),
        Port: { name: port.name, port: port.port, protocol: port.protocol, TargetPort: targetPort },
      })),
    ]),
  );
}

/** `/debug/sidecarz`: what the proxy sees of the mesh, by its Sidecar or by default. */
export function sidecarPage({ node }: ConnectionView, snapshot: MeshSnapshot, version: string): unknown {
  const scope = new MeshViews().view(snapshot).scopeFor(node);
  const services = scope.services.map((service) => serviceView(service, snapshot));
  return {
    version,
    name: scope.name,
    namespace: node.namespace,
    outboundTrafficPolicy: { mode: scope.outbound.mode, ...(scope.outbound.egressProxy !== undefined && { egressProxy: scope.outbound.egressProxy }) },
    services,
    egressListenerServices: scope.listeners.map((listener) => listener.services.map((service) => serviceView(service, snapshot))),
    servicesByHostname: Object.fromEntries(scope.services.map((service, index) => [service.hostname, services[index]])),
    sidecar: scope.sidecar ?? null,
    destinationRules: Object.fromEntries(
      [...scope.rules].map(([hostname, rules]) => [hostname, rules.map(({ name, namespace, spec }) => ({ name, namespace, spec }))]),
    ),
  };
}

/** `/debug/cachez`: the resources that are encoded once for the proxies that see the same, by type. */
export function cachedResources(connections: readonly ConnectionView[], snapshot: MeshSnapshot, generator: XdsGenerator): Map<string, XdsResource[]> {
  const found = new Map<string, Map<string, XdsResource>>();
  for (const { node, watches } of connections) {
    for (const [typeUrl, { wildcard, names }] of watches) {
      const ofType = found.get(typeUrl) ?? new Map<string, XdsResource>();
      for (const resource of generator.generate(node, snapshot, typeUrl, wildcard ? undefined : [...names]))
        ofType.set(`${resource.name}\n${resource.version}`, resource);
      if (ofType.size > 0) found.set(typeUrl, ofType);
    }
  }
  return new Map([...found].map(([typeUrl, resources]) => [typeUrl, [...resources.values()]]));
}

/** Sizes as people read them: 999B, 1.5kB. */
export function byteCount(bytes: number): string {
  if (bytes < 1_000) return `${bytes}B`;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length);
  return `${(bytes / 1_000 ** power).toFixed(1)}${UNITS[power - 1]}B`;
}

const UNITS = "kMGT";
