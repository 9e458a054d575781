import { registryNow, XDS_TYPES } from "../../proto/index.ts";
import type { EnvoyFilter } from "../../resources/index.ts";
import type { JwksSource } from "../policy/index.ts";
import type { MeshSnapshot, RegistryChange } from "../registry/index.ts";
import { Affected } from "./affected.ts";
import { ClusterGenerator } from "./cluster/clusters.ts";
import { EndpointGenerator } from "./endpoint/endpoints.ts";
import { EnvoyFilterPatcher } from "./envoy-filter/index.ts";
import { ExtensionGenerator } from "./extension/index.ts";
import { mergeGateways } from "./gateway/merge.ts";
import { unusableJwks } from "./jwks.ts";
import { ListenerGenerator } from "./listener/listeners.ts";
import { Interner, Memo } from "./memo.ts";
import { MeshViews } from "./mesh-view.ts";
import { NameTableGenerator } from "./name-table.ts";
import { isOwnProxy } from "./node.ts";
import { families, metadataFlag, metadataText, placedNode, placeOf, sharedProxyConfig, type ProxyContext, type ProxyView } from "./proxy.ts";
import { RouteGenerator } from "./route/routes.ts";
import { serviceTargets, targetsUseEndpoints, workloadOf, type ServiceTarget } from "./targets.ts";
import type { ProxyNode, XdsGenerator, XdsResource } from "./types.ts";

export interface GeneratorOptions {
  /** The keys of token issuers; without it only keys that stand in a RequestAuthentication are known. */
  readonly jwks?: Pick<JwksSource, "get">;
  /** Told of EnvoyFilters that cannot be applied; without it they are passed over in silence. */
  readonly onInvalid?: (thrown: unknown, filters: readonly EnvoyFilter[]) => void;
}

const { CDS, EDS, LDS, RDS, ECDS, NDS } = XDS_TYPES;
/** What nothing was subscribed to. */
const NO_NAMES: readonly string[] = [];

/** Makes what proxies ask for. One generator serves all proxies, and keeps what it has encoded for as long as it holds. */
export function createGenerator(options: GeneratorOptions = {}): XdsGenerator {
  return new Generator(options);
}

class Generator implements XdsGenerator {
  readonly #meshViews = new MeshViews();
  readonly #affected = new Affected();
  readonly #placed = new Memo<ProxyNode>();
  readonly #viewOf = new Memo<ProxyView>();
  readonly #views = new Interner<ProxyView>();
  readonly #contexts = new Memo<ProxyContext>();
  readonly #targets = new Memo<readonly ServiceTarget[]>();
  readonly #targetsUseEndpoints = new Memo<boolean>();
  readonly #clusters = new ClusterGenerator();
  readonly #endpoints = new EndpointGenerator();
  readonly #routes = new RouteGenerator();
  readonly #names = new NameTableGenerator();
  readonly #extensions = new ExtensionGenerator();
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

  generate(node: ProxyNode, snapshot: MeshSnapshot, typeUrl: string, names?: readonly string[]): readonly XdsResource[] {
    const proxy = this.#proxy(node, snapshot);
    switch (typeUrl) {
      case CDS:
        return named(this.#patcher.clusters(proxy, this.#clustersOf(proxy)), names);
      case LDS:
        return named(this.#patcher.listeners(proxy, this.#listeners.generate(proxy)), names);
      case EDS:
        return this.#endpoints.generate(proxy, names ?? NO_NAMES);
      case RDS:
        return this.#patcher.routes(proxy, this.#routes.generate(proxy, names ?? NO_NAMES));
      case ECDS:
        return joined(this.#patcher.extensionConfigs(proxy, names ?? NO_NAMES), this.#extensions.generate(proxy, names ?? NO_NAMES));
      case NDS:
        return this.#names.generate(proxy);
      default:
        return [];
    }
  }

  affected(node: ProxyNode, snapshot: MeshSnapshot, change: RegistryChange, endpoints: readonly string[]): ReadonlyMap<string, readonly string[] | undefined> {
    const proxy = this.#proxy(node, snapshot);
    // A machine outside the cluster has no pod: its workload entry says what it is.
    const machine = change.kinds.has("WorkloadEntry") && (!placeOf(node, snapshot).pod || workloadOf(node, snapshot) !== undefined);
    return this.#affected.by(change, proxy, this.#usesEndpoints(node, snapshot), endpoints, machine);
  }

  #clustersOf(proxy: ProxyContext): readonly XdsResource[] {
    const clusters = this.#clusters.generate(proxy);
    if (proxy.view.type !== "router") return clusters;
    const { autoPassthrough } = mergeGateways(proxy.mesh.snapshot.configs.Gateway, proxy.node.labels, proxy.targets);
    return autoPassthrough ? [...clusters, ...this.#clusters.sniClusters(proxy)] : clusters;
  }

  #proxy(node: ProxyNode, snapshot: MeshSnapshot): ProxyContext {
    return this.#contexts.get([snapshot, node], () => this.#context(node, snapshot));
  }

  #context(asked: ProxyNode, snapshot: MeshSnapshot): ProxyContext {
    const { pod, host } = placeOf(asked, snapshot);
    const node = this.#placed.get([asked, pod, host], () => placedNode(asked, pod, host));
    const view = this.#viewOf.get([node], () => this.#viewOfNode(node));
    const mesh = this.#meshViews.view(snapshot);
    return { node, view, mesh, scope: mesh.scopeFor(node), targets: this.#targetsOf(node, snapshot) };
  }

  #viewOfNode(node: ProxyNode): ProxyView {
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
      dnsProxy: metadataText(node, "DNS_PROXY_ADDR"),
      forwardProxy: !isOwnProxy(node),
      proxyConfig: sharedProxyConfig(node),
      secretSockets: { credentialSocket: node.metadata["credential"] === "true", fileSocket: node.metadata["file-credential"] === "true" },
      clientFiles: metadataText(node, "TLS_CLIENT_CERT_CHAIN")
        ? {
            certificate: metadataText(node, "TLS_CLIENT_CERT_CHAIN"),
            key: metadataText(node, "TLS_CLIENT_KEY"),
            root: metadataText(node, "TLS_CLIENT_ROOT_CERT"),
          }
        : undefined,
    };
    return this.#views.intern(JSON.stringify(view), () => view);
  }

  /** Most changes leave the services that lead to a pod as they are. */
  #targetsOf(node: ProxyNode, snapshot: MeshSnapshot): readonly ServiceTarget[] {
    const { services, objects, revisions } = snapshot;
    const pod = objects.get("Pod", node.podName, node.namespace);
    const byEndpoint = this.#usesEndpoints(node, snapshot);
    const key = [
      services,
      pod ?? JSON.stringify(node.labels),
      byEndpoint ? revisions.endpoints : undefined,
      node.namespace,
      node.addresses.join(),
      workloadOf(node, snapshot),
      node.clusterId,
    ];
    return this.#targets.get(key, () => serviceTargets(node, snapshot));
  }

  #usesEndpoints({ namespace }: ProxyNode, snapshot: MeshSnapshot): boolean {
    return this.#targetsUseEndpoints.get([snapshot.services, snapshot.configs.ServiceEntry, namespace], () => targetsUseEndpoints(namespace, snapshot));
  }
}

/** All, or those that were asked for. */
function named(resources: readonly XdsResource[], names: readonly string[] | undefined): readonly XdsResource[] {
  if (!names) return resources;
  const wanted = new Set(names);
  return resources.filter(({ name }) => wanted.has(name));
}

/** The same list as before where there is nothing to add. */
function joined(resources: readonly XdsResource[], more: readonly XdsResource[]): readonly XdsResource[] {
  return more.length === 0 ? resources : [...resources, ...more];
}
