import { registryNow, XDS_TYPES } from "../../proto/index.ts";
import type { EnvoyFilter } from "../../resources/index.ts";
import type { JwksSource } from "../policy/index.ts";
import type { MeshSnapshot, RegistryChange, RegistryKind } from "../registry/index.ts";
import { ClusterGenerator } from "./cluster/clusters.ts";
import { EndpointGenerator } from "./endpoint/endpoints.ts";
import { EnvoyFilterPatcher } from "./envoy-filter/index.ts";
import { mergeGateways } from "./gateway/merge.ts";
import { unusableJwks } from "./jwks.ts";
import { ListenerGenerator } from "./listener/listeners.ts";
import { Interner, Memo } from "./memo.ts";
import { MeshViews } from "./mesh-view.ts";
import { NameTableGenerator } from "./name-table.ts";
import { families, metadataFlag, placedNode, proxyConfigOf, serviceTargets, targetsUseEndpoints, type ProxyContext, type ProxyView, type ServiceTarget } from "./proxy.ts";
import { RouteGenerator } from "./route/routes.ts";
import type { ProxyNode, XdsGenerator, XdsResource } from "./types.ts";

export interface GeneratorOptions {
  /** The keys of token issuers; without it only keys that stand in a RequestAuthentication are known. */
  readonly jwks?: Pick<JwksSource, "get">;
  /** Told of EnvoyFilters that cannot be applied; without it they are passed over in silence. */
  readonly onInvalid?: (thrown: unknown, filters: readonly EnvoyFilter[]) => void;
}

const { CDS, EDS, LDS, RDS, ECDS, NDS } = XDS_TYPES;
const EVERYTHING = [CDS, EDS, LDS, RDS, NDS] as const;

/** The types that an object of a kind has a part in, in push order. Kinds that are not here change no proxy's resources. */
const AFFECTED: Partial<Record<RegistryKind, readonly string[]>> = {
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
};

/** Makes what proxies ask for. One generator serves all proxies, and keeps what it has encoded for as long as it holds. */
export function createGenerator(options: GeneratorOptions = {}): XdsGenerator {
  return new Generator(options);
}

class Generator implements XdsGenerator {
  readonly #meshViews = new MeshViews();
  readonly #views = new Interner<ProxyView>();
  readonly #contexts = new Memo<ProxyContext>();
  readonly #targets = new Memo<readonly ServiceTarget[]>();
  readonly #targetsUseEndpoints = new Memo<boolean>();
  readonly #clusters = new ClusterGenerator();
  readonly #endpoints = new EndpointGenerator();
  readonly #routes = new RouteGenerator();
  readonly #names = new NameTableGenerator();
  readonly #listeners: ListenerGenerator;
  readonly #patcher: EnvoyFilterPatcher;

  constructor({ jwks, onInvalid = () => {} }: GeneratorOptions) {
    this.#patcher = new EnvoyFilterPatcher(registryNow, onInvalid);
    this.#listeners = new ListenerGenerator({
      get: (issuer, uri) => jwks?.get(issuer, uri),
      get unusable() {
        return unusableJwks();
      },
    });
  }

  generate(node: ProxyNode, snapshot: MeshSnapshot, typeUrl: string, names?: readonly string[]): XdsResource[] {
    const proxy = this.#contexts.get([snapshot, node], () => this.#context(node, snapshot));
    switch (typeUrl) {
      case CDS:
        return named(this.#patcher.clusters(proxy, this.#clustersOf(proxy)), names);
      case LDS:
        return named(this.#patcher.listeners(proxy, this.#listeners.generate(proxy)), names);
      case EDS:
        return this.#endpoints.generate(proxy, names ?? []);
      case RDS:
        return [...this.#patcher.routes(proxy, this.#routes.generate(proxy, names ?? []))];
      case ECDS:
        return this.#patcher.extensionConfigs(proxy, names ?? []);
      case NDS:
        return this.#names.generate(proxy);
      default:
        return [];
    }
  }

  affectedTypes(node: ProxyNode, change: RegistryChange): readonly string[] {
    const types = new Set<string>();
    for (const kind of change.kinds) for (const type of AFFECTED[kind] ?? []) types.add(type);
    // Endpoints are part of clusters by DNS name, of listeners of headless services and of the name table as well.
    if (change.endpoints.size > 0) for (const type of EVERYTHING) types.add(type);
    if (change.identities.size > 0) types.add(CDS);
    // The workload's own pod says which ports its services lead to.
    if (change.keys.has(`Pod/${node.namespace}/${node.podName}`)) for (const type of [CDS, LDS]) types.add(type);
    if (node.type !== "sidecar") types.delete(NDS);
    return [...EVERYTHING, ECDS].filter((type) => types.has(type));
  }

  #clustersOf(proxy: ProxyContext): readonly XdsResource[] {
    const clusters = this.#clusters.generate(proxy);
    if (proxy.view.type !== "router") return clusters;
    const { autoPassthrough } = mergeGateways(proxy.mesh.snapshot.configs.Gateway, proxy.node.labels, proxy.targets);
    return autoPassthrough ? [...clusters, ...this.#clusters.sniClusters(proxy)] : clusters;
  }

  #context(asked: ProxyNode, snapshot: MeshSnapshot): ProxyContext {
    const node = placedNode(asked, snapshot);
    const own = families(node);
    const view: ProxyView = {
      type: node.type,
      dialect: node.dialect,
      // A node without a usable address is one that only asks what it would get.
      ipv4: own.ipv4 || !own.ipv6,
      ipv6: own.ipv6,
      clusterId: node.clusterId,
      network: node.network,
      dnsCapture: metadataFlag(node, "DNS_CAPTURE"),
      proxyConfig: proxyConfigOf(node),
    };
    const mesh = this.#meshViews.view(snapshot);
    return { node, view: this.#views.intern(JSON.stringify(view), () => view), mesh, scope: mesh.scopeFor(node), targets: this.#targetsOf(node, snapshot) };
  }

  /** Most changes leave the services that lead to a pod as they are. */
  #targetsOf(node: ProxyNode, snapshot: MeshSnapshot): readonly ServiceTarget[] {
    const { services, configs, objects, revisions } = snapshot;
    const pod = objects.get("Pod", node.podName, node.namespace);
    const byEndpoint = this.#targetsUseEndpoints.get([services, configs.ServiceEntry, node.namespace], () => targetsUseEndpoints(node.namespace, snapshot));
    const key = [services, pod ?? JSON.stringify(node.labels), byEndpoint ? revisions.endpoints : undefined, node.namespace, node.addresses[0] ?? ""];
    return this.#targets.get(key, () => serviceTargets(node, snapshot));
  }
}

/** A list of the caller's own, of all or of those that were asked for. */
function named(resources: readonly XdsResource[], names: readonly string[] | undefined): XdsResource[] {
  if (!names) return [...resources];
  const wanted = new Set(names);
  return resources.filter(({ name }) => wanted.has(name));
}
