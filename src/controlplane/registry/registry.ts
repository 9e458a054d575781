import {
  AUTHORIZATION_POLICIES,
  CONFIG_MAPS,
  createInformer,
  DEPLOYMENTS,
  DESTINATION_RULES,
  ENDPOINT_SLICES,
  ENVOY_FILTERS,
  GATEWAYS,
  INGRESS_CLASSES,
  INGRESSES,
  NAMESPACES,
  NODES,
  PEER_AUTHENTICATIONS,
  PODS,
  PROXY_CONFIGS,
  REQUEST_AUTHENTICATIONS,
  SECRETS,
  SERVICE_ENTRIES,
  SERVICES,
  SIDECARS,
  STATEFUL_SETS,
  TELEMETRIES,
  TRAFFIC_EXTENSIONS,
  VIRTUAL_SERVICES,
  WASM_PLUGINS,
  WORKLOAD_ENTRIES,
  WORKLOAD_GROUPS,
  isNotFound,
  type GroupVersionResource,
  type Informer,
  type KubeClient,
} from "../../kube/index.ts";
import type { KubeObject, Secret } from "../../resources/index.ts";
import { systemClock } from "../../base/index.ts";
import { GatewayNames, systemResolver, type ResolveName } from "./gateway-names.ts";
import { ObjectStore } from "./object-store.ts";
import { SnapshotBuilder, type SnapshotOptions } from "./snapshot-builder.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { Registry, RegistryChange, RegistryKind, RegistryObserver } from "./types.ts";

const RESOURCES: Readonly<Record<RegistryKind, GroupVersionResource>> = {
  Namespace: NAMESPACES,
  Node: NODES,
  Service: SERVICES,
  EndpointSlice: ENDPOINT_SLICES,
  Pod: PODS,
  Secret: SECRETS,
  ConfigMap: CONFIG_MAPS,
  Deployment: DEPLOYMENTS,
  StatefulSet: STATEFUL_SETS,
  Ingress: INGRESSES,
  IngressClass: INGRESS_CLASSES,
  PeerAuthentication: PEER_AUTHENTICATIONS,
  RequestAuthentication: REQUEST_AUTHENTICATIONS,
  AuthorizationPolicy: AUTHORIZATION_POLICIES,
  VirtualService: VIRTUAL_SERVICES,
  DestinationRule: DESTINATION_RULES,
  Gateway: GATEWAYS,
  ServiceEntry: SERVICE_ENTRIES,
  WorkloadEntry: WORKLOAD_ENTRIES,
  WorkloadGroup: WORKLOAD_GROUPS,
  Sidecar: SIDECARS,
  EnvoyFilter: ENVOY_FILTERS,
  ProxyConfig: PROXY_CONFIGS,
  Telemetry: TELEMETRIES,
  WasmPlugin: WASM_PLUGINS,
  TrafficExtension: TRAFFIC_EXTENSIONS,
};

/** Failed pods serve nothing; tokens and charts are most of a cluster's Secrets and none of a gateway's business. */
const FIELD_SELECTORS: Partial<Record<RegistryKind, string>> = {
  Pod: "status.phase!=Failed",
  Secret: "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token",
};

/** What a gateway may be given of a Secret; the rest is not kept. */
const CREDENTIAL_KEYS: ReadonlySet<string> = new Set(["tls.crt", "tls.key", "ca.crt", "ca.crl", "tls.ocsp-staple", "cert", "key", "cacert"]);

/** Follows every kind that the mesh's configuration is made from. */
export function createRegistry(
  client: KubeClient,
  options: Partial<SnapshotOptions> = {},
  observer?: RegistryObserver,
  resolveName: ResolveName = systemResolver(),
): Registry {
  const builder = new SnapshotBuilder(new ObjectStore(), options);
  const listeners = new Set<(change: RegistryChange) => void>();
  const informers: Informer[] = [];
  let snapshot: MeshSnapshot = builder.build().snapshot;
  let ready = false;
  let scheduled: ReturnType<typeof setImmediate> | undefined;
  let waitingSince = 0;
  let podsLive = false;
  const doubts = new Set<() => void>();
  const doubt = (): void => {
    for (const listener of doubts) listener();
  };

  const names = new GatewayNames(resolveName, systemClock, (addresses) => {
    builder.setGatewayNames(addresses);
    schedule();
  });
  const schedule = (): void => {
    if (!ready || scheduled) return;
    waitingSince = performance.now();
    scheduled = setImmediate(publish);
  };
  const publish = (): void => {
    scheduled = undefined;
    if (!builder.changed) return;
    const started = performance.now();
    const built = builder.build();
    names.watch(new Set(built.snapshot.networks.unresolved.gateways.map(({ address }) => address)));
    const ended = performance.now();
    const missing = builder.takeMissingPods();
    if (missing > 0) observer?.missingPods(missing);
    observer?.built((ended - waitingSince) / 1_000, (ended - started) / 1_000);
    snapshot = built.snapshot;
    for (const listener of listeners) listener(built.change);
  };
  const follow = (kind: RegistryKind): Informer => {
    const fieldSelector = kind === "ConfigMap" ? `metadata.name=${options.meshConfigMap ?? "istio"}` : FIELD_SELECTORS[kind];
    const onConnection = (connected: boolean): void => {
      podsLive = connected;
      if (!connected) doubt();
    };
    const informer = createInformer(client, RESOURCES[kind], {
      transform: trim,
      ...(kind === "Pod" && { onConnection }),
      ...(fieldSelector && { fieldSelector }),
      ...(kind === "ConfigMap" && { namespace: options.systemNamespace ?? "istio-system" }),
    });
    informer.onChange(({ type, object }) => {
      if (type === "DELETED") builder.delete(kind, object.metadata.name, object.metadata.namespace);
      else builder.set(kind, object);
      if (kind === "Pod" && type === "DELETED") doubt();
      // Until everything has been listed a snapshot would tell proxies to drop what is merely not read yet.
      observer?.event(kind, type === "ADDED" ? "add" : type === "DELETED" ? "delete" : "update");
      schedule();
    });
    return informer;
  };
  const waits = (Object.keys(RESOURCES) as RegistryKind[]).map((kind) => {
    const informer = follow(kind);
    informers.push(informer);
    const custom = RESOURCES[kind].group.endsWith("istio.io");
    return custom ? Promise.race([informer.synced, absence(client, RESOURCES[kind])]) : informer.synced;
  });
  const synced = Promise.all(waits).then(() => {
    ready = true;
    waitingSince = performance.now();
    publish();
  });
  return {
    pods: {
      get: (name, namespace) => snapshot.objects.get("Pod", name, namespace),
      live: () => podsLive,
      onDoubt: (listener) => void doubts.add(listener),
    },
    current: () => snapshot,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    synced,
    stop() {
      for (const informer of informers) informer.stop();
      names.stop();
      if (scheduled) clearImmediate(scheduled);
      listeners.clear();
      doubts.clear();
    },
  };
}

/** Resolves when the server does not know the resource: a cluster need not have all of Istio's kinds. */
function absence(client: KubeClient, gvr: GroupVersionResource): Promise<void> {
  return new Promise((resolve) => {
    client.list(gvr, { namespace: "default" }).catch((thrown: unknown) => {
      // Any other failure is the informer's to retry.
      if (isNotFound(thrown)) resolve();
    });
  });
}

/** Drops what nothing here reads; a cluster's objects are held in memory. */
function trim(object: KubeObject): KubeObject {
  delete object.metadata.managedFields;
  delete object.metadata.annotations?.["kubectl.kubernetes.io/last-applied-configuration"];
  const { data } = object as Secret;
  if (object.kind === "Secret" && data) for (const key of Object.keys(data)) if (!CREDENTIAL_KEYS.has(key)) delete data[key];
  return object;
}
