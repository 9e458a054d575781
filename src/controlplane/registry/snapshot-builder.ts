import { ChainmailError } from "../../base/index.ts";
import type {
  ConfigMap,
  Deployment,
  EndpointSlice,
  KubeObject,
  LabelSelector,
  Namespace,
  Pod,
  Service as KubeService,
  ServiceEntry,
  WorkloadEntry,
} from "../../resources/index.ts";
import { indexConfigs, type ConfigIndex } from "./config-index.ts";
import { DiscoveryScope } from "./discovery-scope.ts";
import { backendsOf, NO_BACKENDS, serviceKey, type BackendSources, type ServiceBackends } from "./endpoint-index.ts";
import { ingressConfigs, NO_INGRESS, type IngressConfigs } from "./ingress.ts";
import { LayeredMap } from "./layered-map.ts";
import { defaultMeshConfig, parseMeshConfig, type MeshConfig } from "./mesh-config.ts";
import { indexNetworks, isNetworkGateway, NO_NETWORKS, parseMeshNetworks, type MeshNetworks, type Networks } from "./networks.ts";
import type { ObjectStore } from "./object-store.ts";
import { checkShape } from "./shape.ts";
import { isHealthyWorkload, servicesOfEntry } from "./service-entry.ts";
import { compareServices, resolveAliases, ServiceIndex } from "./service-index.ts";
import { convertService, serviceHostname, type MeshService } from "./service.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import { REGISTRY_KINDS, type RegistryChange, type RegistryKind } from "./types.ts";
import { capVisibility } from "./visibility.ts";

export interface SnapshotOptions {
  /** The cluster's DNS domain. */
  domain: string;
  clusterId: string;
  /** Where the ConfigMap `istio` (or `istio-<revision>`) is. */
  systemNamespace: string;
  meshConfigMap: string;
  /** Told of objects that are left out because they cannot be understood. */
  onInvalid(reason: unknown, object: KubeObject): void;
}

const DEFAULTS: SnapshotOptions = {
  domain: "cluster.local",
  clusterId: "Kubernetes",
  systemNamespace: "istio-system",
  meshConfigMap: "istio",
  onInvalid: () => {},
};
const SERVICE_NAME = "kubernetes.io/service-name";
/** The mesh's own kinds. */
const CUSTOM_KINDS: ReadonlySet<RegistryKind> = new Set(REGISTRY_KINDS.slice(REGISTRY_KINDS.indexOf("PeerAuthentication")));
/** What the translation of Ingresses depends on. */
const INGRESS_KINDS: readonly RegistryKind[] = ["Ingress", "IngressClass", "Service", "ConfigMap"];
const SERVICE_KINDS: readonly RegistryKind[] = ["Service", "ServiceEntry", "Namespace", "ConfigMap"];

/** Takes changes of objects and makes snapshots, each time working out only what the changes touch. */
export class SnapshotBuilder {
  readonly #store: ObjectStore;
  readonly #options: SnapshotOptions;
  readonly #discovery: DiscoveryScope;
  #gatewayNames: ReadonlyMap<string, readonly string[]> = new Map();
  #missingPods = 0;
  #gatewayNamesChanged = false;
  #generation = 0;
  #mesh: MeshConfig = defaultMeshConfig();
  #meshNetworks: MeshNetworks = {};
  #networks: Networks = NO_NETWORKS;
  #networksText = "{}";
  #revisions = { endpoints: {}, identities: {} };
  #services = new ServiceIndex([], ["*"]);
  #configs: ConfigIndex | undefined;
  #ingress: IngressConfigs = NO_INGRESS;
  #backends = LayeredMap.empty<string, ServiceBackends>();
  /** The services that the backends were worked out for. */
  #backed: ServiceIndex | undefined;
  #changedKinds = new Set<RegistryKind>();
  #changedKeys = new Set<string>();
  /** Keys of services whose backends must be worked out again, and namespaces all of whose must. */
  #dirty = new Set<string>();
  #dirtyNamespaces = new Set<string>();
  #allDirty = false;
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** `<namespace>/<pod>` to the services that have it as an endpoint. */
  readonly #podServices = new Map<string, Set<string>>();
  #entries = new Map<string, ServiceEntry[]>();
  #converted = new WeakMap<KubeObject, { namespace: Namespace | undefined; services: readonly MeshService[] }>();
  #aliased = new WeakMap<MeshService, MeshService>();

  constructor(store: ObjectStore, options: Partial<SnapshotOptions> = {}) {
    this.#store = store;
    this.#discovery = new DiscoveryScope(store);
    this.#options = { ...DEFAULTS, ...options };
  }

  /** An object of Istio's kinds that is of another form than its definition says leaves the last one in force. */
  set(kind: RegistryKind, object: KubeObject): void {
    const shape = CUSTOM_KINDS.has(kind) ? checkShape(object) : { object };
    if ("problem" in shape)
      return this.#options.onInvalid(
        new ChainmailError("OBJECT_INVALID", shape.problem, {
          hint: `kubectl get ${kind.toLowerCase()} -n ${object.metadata.namespace ?? "default"} ${object.metadata.name} -o yaml`,
        }),
        object,
      );
    if (!this.#discovery.includes(kind, object.metadata.namespace ?? "")) return this.#discovery.hide(kind, shape.object);
    this.#note(kind, this.#store.set(kind, shape.object), shape.object);
  }

  delete(kind: RegistryKind, name: string, namespace?: string): void {
    this.#discovery.forget(kind, name, namespace);
    this.#note(kind, this.#store.delete(kind, name, namespace), undefined);
  }

  /** Whether anything was noted since the last build. */
  get changed(): boolean {
    return this.#changedKinds.size > 0 || this.#gatewayNamesChanged;
  }

  /** How often an endpoint's pod was not known since the last time that somebody asked. */
  takeMissingPods(): number {
    const count = this.#missingPods;
    this.#missingPods = 0;
    return count;
  }

  /** What the names of gateways between networks stand for now. */
  setGatewayNames(addresses: ReadonlyMap<string, readonly string[]>): void {
    this.#gatewayNames = addresses;
    this.#gatewayNamesChanged = true;
  }

  build(): { snapshot: MeshSnapshot; change: RegistryChange } {
    const meshChanged = this.#changedKinds.has("ConfigMap") || this.#generation === 0;
    if (meshChanged) this.#readMesh();
    if (meshChanged || this.#changedKinds.has("Namespace")) this.#reviewDiscovery();
    const kinds = this.#changedKinds;
    const keys = this.#changedKeys;
    this.#changedKinds = new Set();
    this.#changedKeys = new Set();
    if (INGRESS_KINDS.some((kind) => kinds.has(kind)) || this.#generation === 0) this.#translateIngresses(kinds, keys);
    this.#configs = indexConfigs(this.#store, this.#configs, kinds, this.#ingress);
    if (SERVICE_KINDS.some((kind) => kinds.has(kind)) || this.#generation === 0) this.#indexServices();
    if (kinds.has("ConfigMap") || kinds.has("Service") || this.#gatewayNamesChanged || this.#generation === 0) this.#indexNetworks(kinds.has("ConfigMap"));
    // What a name stands for counts as part of the mesh's configuration.
    if (this.#gatewayNamesChanged) kinds.add("ConfigMap");
    this.#gatewayNamesChanged = false;
    const { endpoints, identities } = this.#renewBackends();
    const backends = this.#backends;
    if (endpoints.size > 0) this.#revisions = { ...this.#revisions, endpoints: {} };
    if (identities.size > 0) this.#revisions = { ...this.#revisions, identities: {} };
    const snapshot: MeshSnapshot = {
      generation: ++this.#generation,
      mesh: this.#mesh,
      domain: this.#options.domain,
      clusterId: this.#options.clusterId,
      services: this.#services,
      networks: this.#networks,
      configs: this.#configs,
      backends: (service) => backends.get(serviceKey(service)) ?? NO_BACKENDS,
      revisions: this.#revisions,
      objects: this.#store,
    };
    return { snapshot, change: { kinds, keys, endpoints, identities } };
  }

  #reviewDiscovery(): void {
    const { entering, leaving } = this.#discovery.review(this.#mesh.discoverySelectors as LabelSelector[]);
    for (const { kind, object } of leaving) {
      this.delete(kind, object.metadata.name, object.metadata.namespace);
      this.#discovery.hide(kind, object);
    }
    for (const { kind, object } of entering) this.#note(kind, this.#store.set(kind, object), object);
  }

  #note(kind: RegistryKind, old: KubeObject | undefined, object: KubeObject | undefined): void {
    const { metadata } = object ?? old ?? {};
    if (!metadata || !this.#isRelevant(kind, old, object)) return;
    const namespace = metadata.namespace ?? "";
    this.#changedKinds.add(kind);
    this.#changedKeys.add(`${kind}/${namespace}/${metadata.name}`);
    switch (kind) {
      case "EndpointSlice":
        for (const slice of [old, object] as (EndpointSlice | undefined)[]) {
          const service = slice?.metadata.labels?.[SERVICE_NAME];
          if (!slice || !service) continue;
          const key = `${namespace}/${service}`;
          const slices = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
          this.#slices.set(key, slices);
          if (slice === object) slices.set(slice.metadata.name, slice);
          else slices.delete(slice.metadata.name);
          this.#dirty.add(this.#keyOf(namespace, service));
        }
        break;
      case "Pod":
        for (const key of this.#podServices.get(`${namespace}/${metadata.name}`) ?? []) this.#dirty.add(key);
        for (const entries of this.#entries.values()) {
          for (const entry of entries)
            if (entry.metadata.namespace === namespace && entry.spec?.workloadSelector)
              for (const host of entry.spec.hosts) this.#dirty.add(`${namespace}/${host}`);
        }
        break;
      case "Service":
        this.#dirty.add(this.#keyOf(namespace, metadata.name));
        break;
      case "ServiceEntry":
        for (const entry of [old, object] as (ServiceEntry | undefined)[]) for (const host of entry?.spec?.hosts ?? []) this.#dirty.add(`${namespace}/${host}`);
        break;
      case "WorkloadEntry":
      case "Deployment":
      case "StatefulSet":
        this.#dirtyNamespaces.add(namespace);
        break;
      case "Node":
        this.#allDirty = true;
        break;
      case "Namespace":
        if (metadata.name === this.#mesh.rootNamespace) this.#allDirty = true;
        break;
      default:
    }
  }

  /** Status updates and the like, which change nothing here, make most of the traffic. */
  #isRelevant(kind: RegistryKind, old: KubeObject | undefined, object: KubeObject | undefined): boolean {
    if (kind === "ConfigMap")
      return (object ?? old)?.metadata.name === this.#options.meshConfigMap && (object ?? old)?.metadata.namespace === this.#options.systemNamespace;
    if (!old || !object) return true;
    if (kind === "Pod") return podFingerprint(old as Pod) !== podFingerprint(object as Pod);
    if (kind === "Deployment" || kind === "StatefulSet") return templateFingerprint(old as Deployment) !== templateFingerprint(object as Deployment);
    if (kind === "Node" || kind === "Namespace")
      return JSON.stringify([old.metadata.labels, old.metadata.annotations]) !== JSON.stringify([object.metadata.labels, object.metadata.annotations]);
    // What is written back as status must not come around as a change.
    if (
      isNetworkGateway(object, this.#networks, this.#options.domain) &&
      JSON.stringify((old as KubeService).status) !== JSON.stringify((object as KubeService).status)
    )
      return true;
    if (kind === "Service" || kind === "Ingress" || CUSTOM_KINDS.has(kind)) return specFingerprint(old) !== specFingerprint(object);
    return true;
  }

  #keyOf(namespace: string, service: string): string {
    return serviceKey({ namespace, hostname: serviceHostname(service, namespace, this.#options.domain) });
  }

  /** A mesh config that cannot be read leaves the last one in force. */
  #readMesh(): void {
    const object = this.#store.get("ConfigMap", this.#options.meshConfigMap, this.#options.systemNamespace) as ConfigMap | undefined;
    try {
      const mesh = object ? parseMeshConfig(object.data?.["mesh"] ?? "") : defaultMeshConfig();
      if (JSON.stringify(mesh) === JSON.stringify(this.#mesh)) return;
      this.#mesh = mesh;
    } catch (thrown) {
      if (object) this.#options.onInvalid(thrown, object);
      return;
    }
    this.#converted = new WeakMap();
    this.#aliased = new WeakMap();
    this.#allDirty = true;
  }

  /** What became of Ingresses counts as Gateways and VirtualServices, here and in what is said to have changed. */
  #translateIngresses(kinds: Set<RegistryKind>, keys: Set<string>): void {
    const next = ingressConfigs({ objects: this.#store, mesh: this.#mesh, domain: this.#options.domain, systemNamespace: this.#options.systemNamespace });
    const [was, is] = [this.#ingress, next].map(
      ({ gateways, virtualServices }) =>
        new Map(
          [...gateways, ...virtualServices].map((object) => [
            `${object.kind}/${object.metadata.namespace ?? ""}/${object.metadata.name}`,
            JSON.stringify(object),
          ]),
        ),
    );
    const changed = [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])].filter((key) => was?.get(key) !== is?.get(key));
    if (changed.length === 0) return;
    this.#ingress = next;
    for (const key of changed) {
      keys.add(key);
      kinds.add(key.startsWith("Gateway/") ? "Gateway" : "VirtualService");
    }
  }

  #indexServices(): void {
    const { domain } = this.#options;
    const namespaceOf = (object: KubeObject): Namespace | undefined => this.#store.get("Namespace", object.metadata.namespace ?? "") as Namespace | undefined;
    const convert = (object: KubeObject, make: () => readonly MeshService[]): readonly MeshService[] => {
      // Namespaces say how far their services are seen, and how traffic to them is spread.
      const namespace = namespaceOf(object);
      const known = this.#converted.get(object);
      let services = known && sameWords(known.namespace, namespace) ? known.services : undefined;
      if (!services) {
        try {
          services = make();
        } catch (thrown) {
          this.#options.onInvalid(thrown, object);
          services = [];
        }
        this.#converted.set(object, { namespace, services });
      }
      return services;
    };
    this.#entries = new Map();
    const services: MeshService[] = [];
    for (const object of this.#store.list("Service") as KubeService[]) {
      services.push(
        ...convert(object, () => [
          convertService(object, { domain, trustDomain: this.#mesh.trustDomain, namespaceAnnotations: namespaceOf(object)?.metadata.annotations }),
        ]),
      );
    }
    for (const entry of this.#configs?.ServiceEntry ?? []) {
      services.push(...convert(entry, () => capVisibility(servicesOfEntry(entry, namespaceOf(entry)), namespaceOf(entry), this.#mesh)));
      for (const host of entry.spec?.hosts ?? []) {
        const key = serviceKey({ namespace: entry.metadata.namespace ?? "", hostname: host });
        const list = this.#entries.get(key);
        if (list) list.push(entry);
        else this.#entries.set(key, [entry]);
      }
    }
    const sorted = resolveAliases(services.sort(compareServices), this.#aliased);
    const same =
      sorted.length === this.#services.all.length &&
      this.#services.defaultExportTo === this.#mesh.defaultServiceExportTo &&
      sorted.every((service, index) => service === this.#services.all[index]);
    if (!same) this.#services = new ServiceIndex(sorted, this.#mesh.defaultServiceExportTo);
  }

  /** Keeps what it was when nothing about networks changed: most Services lead into none. */
  #indexNetworks(meshChanged: boolean): void {
    const { clusterId, domain, meshConfigMap, systemNamespace } = this.#options;
    const object = this.#store.get("ConfigMap", meshConfigMap, systemNamespace) as ConfigMap | undefined;
    if (meshChanged || this.#generation === 0) {
      try {
        this.#meshNetworks = parseMeshNetworks(object?.data?.["meshNetworks"] ?? "");
      } catch (thrown) {
        if (object) this.#options.onInvalid(thrown, object);
      }
    }
    const next = indexNetworks({
      config: this.#meshNetworks,
      services: this.#store.list("Service") as KubeService[],
      clusterId,
      domain,
      addressesOf: (name) => this.#gatewayNames.get(name) ?? [],
    });
    if (networksText(next) === networksText(this.#networks) && !meshChanged) return;
    if (JSON.stringify(this.#meshNetworks) !== this.#networksText) this.#allDirty = true;
    this.#networksText = JSON.stringify(this.#meshNetworks);
    this.#networks = next;
  }

  #renewBackends(): { endpoints: Set<string>; identities: Set<string> } {
    const endpoints = new Set<string>();
    const identities = new Set<string>();
    const sources: BackendSources = {
      store: this.#store,
      mesh: this.#mesh,
      clusterId: this.#options.clusterId,
      networks: this.#networks,
      slicesOf: (key) => [...(this.#slices.get(key)?.values() ?? [])],
      onMissingPod: () => this.#missingPods++,
      youngestOf: (service) => {
        const entry = this.#services.entriesOf(service.hostname, service.namespace).at(-1);
        return entry && compareServices(entry, service) > 0 ? entry : service;
      },
      entriesOf: (namespace, hostname) => this.#entries.get(serviceKey({ namespace, hostname })) ?? [],
    };
    const renewed = new Map<string, ServiceBackends | undefined>();
    for (const [key, service] of this.#staleServices()) {
      const previous = this.#backends.get(key);
      if (!service) {
        if (!previous) continue;
        renewed.set(key, undefined);
        if (previous.endpoints.length > 0) endpoints.add(key);
        continue;
      }
      let backends = NO_BACKENDS;
      try {
        backends = backendsOf(service, sources, previous);
      } catch (thrown) {
        this.#options.onInvalid(thrown, { apiVersion: "v1", kind: "Service", metadata: { name: service.name, namespace: service.namespace } });
      }
      this.#notePods(key, service);
      if (JSON.stringify(previous?.endpoints ?? []) === JSON.stringify(backends.endpoints))
        backends = { ...backends, endpoints: previous?.endpoints ?? backends.endpoints };
      else endpoints.add(key);
      if (previous?.identities !== backends.identities) identities.add(key);
      renewed.set(key, backends);
    }
    this.#backends = this.#backends.with(renewed);
    this.#backed = this.#services;
    this.#dirty.clear();
    this.#dirtyNamespaces.clear();
    this.#allDirty = false;
    return { endpoints, identities };
  }

  /** The services whose backends must be worked out again, undefined for those that are gone. Most changes name a few. */
  *#staleServices(): Generator<[string, MeshService | undefined]> {
    const { byHostname } = this.#services;
    const find = (key: string): MeshService | undefined => {
      const [namespace, hostname] = splitKey(key);
      return byHostname.get(hostname)?.get(namespace);
    };
    if (!this.#allDirty && this.#dirtyNamespaces.size === 0 && this.#backed === this.#services) {
      for (const key of this.#dirty) yield [key, find(key)];
      return;
    }
    for (const [key] of this.#backends.entries()) if (!find(key)) yield [key, undefined];
    for (const namespaces of byHostname.values()) {
      for (const service of namespaces.values()) {
        const key = serviceKey(service);
        if (this.#allDirty || this.#dirtyNamespaces.has(service.namespace) || this.#dirty.has(key)) yield [key, service];
      }
    }
  }

  /** Remembers which pods the service's slices name, those that are not there yet too. */
  #notePods(key: string, service: MeshService): void {
    for (const slice of this.#slices.get(`${service.namespace}/${service.name}`)?.values() ?? []) {
      for (const endpoint of slice.endpoints ?? []) {
        if (endpoint.targetRef?.kind !== "Pod") continue;
        const pod = `${endpoint.targetRef.namespace ?? service.namespace}/${endpoint.targetRef.name ?? ""}`;
        const services = this.#podServices.get(pod);
        if (services) services.add(key);
        else this.#podServices.set(pod, new Set([key]));
      }
    }
  }
}

/** An object that was made anew is younger; the addresses that a ServiceEntry was given and the health of a workload are read from the status. */
function specFingerprint(object: KubeObject): string {
  const { labels, annotations, creationTimestamp } = object.metadata;
  const state =
    object.kind === "ServiceEntry"
      ? (object as ServiceEntry).status?.addresses
      : object.kind === "WorkloadEntry"
        ? isHealthyWorkload(object as WorkloadEntry)
        : undefined;
  return JSON.stringify([object.spec, labels, annotations, creationTimestamp, state]);
}

function networksText({ gateways, unresolved, serviceNames }: Networks): string {
  return JSON.stringify([gateways, unresolved.gateways, [...serviceNames]]);
}

function sameWords(a: Namespace | undefined, b: Namespace | undefined): boolean {
  const words = (namespace: Namespace | undefined): string => JSON.stringify([namespace?.metadata.labels ?? {}, namespace?.metadata.annotations ?? {}]);
  return a === b || words(a) === words(b);
}

function splitKey(key: string): [string, string] {
  const slash = key.indexOf("/");
  return [key.slice(0, slash), key.slice(slash + 1)];
}

function podFingerprint({ metadata, spec, status }: Pod): string {
  return JSON.stringify([
    metadata.labels,
    metadata.deletionTimestamp,
    spec?.nodeName,
    spec?.serviceAccountName,
    spec?.hostname,
    spec?.subdomain,
    status?.phase,
    status?.podIP,
    status?.podIPs,
  ]);
}

function templateFingerprint({ metadata, spec }: Deployment): string {
  return JSON.stringify([metadata.labels, spec?.template?.metadata?.labels, spec?.template?.spec?.serviceAccountName]);
}
