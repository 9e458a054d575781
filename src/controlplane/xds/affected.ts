import { XDS_TYPES } from "../../proto/index.ts";
import { serviceKey, type RegistryChange, type RegistryKind } from "../registry/index.ts";
import { mentionsPassthrough } from "./cluster/clusters.ts";
import { Memo } from "./memo.ts";
import { parseClusterName } from "./names.ts";
import type { ProxyContext } from "./proxy.ts";
import type { Scope } from "./scope/sidecar-scope.ts";

const { CDS, EDS, LDS, RDS, ECDS, NDS } = XDS_TYPES;
const EVERYTHING = [CDS, EDS, LDS, RDS, NDS] as const;

/** The types that an object of a kind has a part in. Kinds that are not here change no proxy's resources by themselves. */
const BY_KIND: Partial<Record<RegistryKind, readonly string[]>> = {
  Namespace: EVERYTHING,
  Service: EVERYTHING,
  ServiceEntry: EVERYTHING,
  ConfigMap: EVERYTHING,
  Sidecar: EVERYTHING,
  // What a VirtualService leads to becomes visible to the workloads of a Sidecar.
  VirtualService: EVERYTHING,
  DestinationRule: [CDS, EDS, LDS, RDS],
  PeerAuthentication: [CDS, EDS, LDS],
  AuthorizationPolicy: [LDS],
  RequestAuthentication: [LDS],
  Telemetry: [LDS],
  Gateway: [CDS, LDS, RDS],
  EnvoyFilter: [CDS, LDS, RDS, ECDS],
  WasmPlugin: [LDS, ECDS],
  TrafficExtension: [LDS, ECDS],
  // Where a proxy's pod runs decides which endpoints it prefers.
  Node: [CDS, EDS],
};

/** What changed endpoints of services mean for all proxies of a scope. */
interface EndpointImpact {
  /** Hostnames whose load assignments differ. */
  readonly hostnames: readonly string[];
  /** Some are part of their clusters: Envoy resolves their names, or their being decides about TLS. */
  readonly clusters: boolean;
  /** Some are of services without an address, whose endpoints have listeners and names of their own. */
  readonly headless: boolean;
}

/** Says what a change can alter for a proxy, working out once what is the same for many. */
export class Affected {
  readonly #impacts = new Memo<EndpointImpact>();
  readonly #byHostname = new Memo<ReadonlyMap<string, readonly string[]>>();
  readonly #narrowed = new Memo<readonly string[]>();

  /** By type, undefined for any resource of it; for endpoints the names among `endpoints` where only they can differ. `machine`: a workload entry may have come or gone for it. */
  by(
    change: RegistryChange,
    proxy: ProxyContext,
    usesEndpoints: boolean,
    endpoints: readonly string[],
    machine = false,
  ): Map<string, readonly string[] | undefined> {
    const { node } = proxy;
    const types = new Set<string>();
    for (const kind of change.kinds) for (const type of BY_KIND[kind] ?? []) types.add(type);
    if (change.identities.size > 0) types.add(CDS);
    // The workload's own pod says which ports its services lead to, and what its labels are.
    if (change.keys.has(`Pod/${node.namespace}/${node.podName}`)) for (const type of EVERYTHING) types.add(type);
    if (machine) for (const type of EVERYTHING) types.add(type);
    let names: readonly string[] | undefined;
    if (change.endpoints.size > 0) {
      const impact = this.#impacts.get([proxy.scope, change.endpoints], () => impactOf(proxy.scope, change.endpoints));
      if (impact.clusters) types.add(CDS);
      if (impact.headless) for (const type of [LDS, NDS]) types.add(type);
      if (usesEndpoints && [...change.endpoints].some((key) => key.startsWith(`${node.namespace}/`))) for (const type of [CDS, LDS, RDS]) types.add(type);
      if (!types.has(EDS)) {
        names = this.#narrowed.get([endpoints, impact], () => this.#namesOf(endpoints, impact.hostnames));
        if (names.length > 0) types.add(EDS);
      }
    }
    if (node.type !== "sidecar") types.delete(NDS);
    return new Map([...EVERYTHING, ECDS].filter((type) => types.has(type)).map((type) => [type, type === EDS ? names : undefined]));
  }

  #namesOf(endpoints: readonly string[], hostnames: readonly string[]): readonly string[] {
    const byHostname = this.#byHostname.get([endpoints], () => indexByHostname(endpoints));
    return hostnames.flatMap((hostname) => byHostname.get(hostname) ?? []);
  }
}

function impactOf(scope: Scope, endpoints: ReadonlySet<string>): EndpointImpact {
  const services = [...endpoints].flatMap((key) => {
    const service = scope.byHostname.get(key.slice(key.indexOf("/") + 1));
    return service && serviceKey(service) === key ? [service] : [];
  });
  const headless = services.some(({ resolution }) => resolution === "Passthrough");
  const inCluster = services.some(
    ({ resolution, hostname }) => resolution === "DNSLB" || resolution === "DNSRoundRobinLB" || (scope.rules.get(hostname) ?? []).some(mentionsPassthrough),
  );
  return { hostnames: services.map(({ hostname }) => hostname), clusters: headless || inCluster, headless };
}

function indexByHostname(names: readonly string[]): Map<string, string[]> {
  const index = new Map<string, string[]>();
  for (const name of names) {
    const hostname = parseClusterName(name)?.hostname;
    if (hostname === undefined) continue;
    const list = index.get(hostname);
    if (list) list.push(name);
    else index.set(hostname, [name]);
  }
  return index;
}
