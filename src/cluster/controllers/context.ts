import type { Clock, Logger } from "../../base/index.ts";
import {
  CERTIFICATE_SIGNING_REQUESTS,
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  createInformer,
  CRON_JOBS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  type GroupVersionResource,
  type Informer,
  type InformerOptions,
  JOBS,
  type KubeClient,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  STATEFUL_SETS,
  STORAGE_CLASSES,
} from "../../kube/index.ts";
import type {
  ConfigMap,
  ControllerRevision,
  CronJob,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  Endpoints,
  EndpointSlice,
  Job,
  KubeObject,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  ReplicaSet,
  Service,
  ServiceAccount,
  StatefulSet,
  StorageClass,
} from "../../resources/index.ts";
import type { SigningRequest } from "./certificates.ts";
import type { DisruptionBudget } from "./disruption.ts";
import { EventRecorder } from "./events.ts";
import { controllerUid } from "./objects.ts";
import type { VolumeFolders } from "./storage/provision.ts";
import { WorkQueue } from "./work-queue.ts";

export interface ControllerOptions {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  /** The cluster's own address on the host: what LoadBalancer Services get. */
  loopbackAddress: string;
  /** PEM of the CA that signed the API server's certificate: for kube-root-ca.crt. */
  caPem: string;
  /** A client certificate in PEM for a request in PEM, by the CA that the API server trusts; without it nothing signs any. */
  signClient?(request: string, lifetimeMs: number | undefined): string;
  /** 0 ≤ x < 1. */
  random: () => number;
  /** Where claims of the standard class get their volumes; without it there is no such class. */
  volumeFolders?: VolumeFolders;
  /** Where pods reach the API server: the address and port of the Service `kubernetes` and of its endpoint. */
  apiEndpoint?: { serviceIp: string; ip: string; port: number };
}

export interface Controller {
  stop(): void;
}

/** Watches that several controllers share. By convention objects in them are never changed. */
export interface Informers {
  pods: Informer<Pod>;
  nodes: Informer<Node>;
  namespaces: Informer<Namespace>;
  services: Informer<Service>;
  endpointSlices: Informer<EndpointSlice>;
  endpoints: Informer<Endpoints>;
  serviceAccounts: Informer<ServiceAccount>;
  rootCertificates: Informer<ConfigMap>;
  deployments: Informer<Deployment>;
  replicaSets: Informer<ReplicaSet>;
  revisions: Informer<ControllerRevision>;
  statefulSets: Informer<StatefulSet>;
  daemonSets: Informer<DaemonSet>;
  jobs: Informer<Job>;
  cronJobs: Informer<CronJob>;
  definitions: Informer<CustomResourceDefinition>;
  claims: Informer<PersistentVolumeClaim>;
  volumes: Informer<PersistentVolume>;
  storageClasses: Informer<StorageClass>;
  signingRequests: Informer<SigningRequest>;
  budgets: Informer<DisruptionBudget>;
}

export interface Context extends ControllerOptions {
  informers: Informers;
  events: EventRecorder;
  queue(name: string, process: (key: string) => Promise<void>, concurrency?: number): WorkQueue;
}

/** The ConfigMap in each namespace with which pods check the API server's certificate. */
export const ROOT_CA_CONFIG_MAP = "kube-root-ca.crt";
/** Index of pods and sets by the uid of their controller. */
export const BY_CONTROLLER = "controller";
/** Index of slices by `namespace/service`. */
export const BY_SERVICE = "service";

export function createContext(options: ControllerOptions): Context {
  const { client, clock, log, random } = options;
  const informer = <T extends KubeObject>(gvr: GroupVersionResource, own: InformerOptions<T> = {}): Informer<T> =>
    createInformer<T>(client, gvr, { clock, log, random, transform: withoutManagedFields, ...own });
  const owned = <T extends KubeObject>(): InformerOptions<T> => ({ indexes: { [BY_CONTROLLER]: controllerUid } });
  const serviceKey = (slice: KubeObject) => {
    const service = slice.metadata.labels?.["kubernetes.io/service-name"];
    return service ? [`${slice.metadata.namespace}/${service}`] : [];
  };
  const informers: Informers = {
    pods: informer<Pod>(PODS, owned()),
    nodes: informer(NODES),
    namespaces: informer(NAMESPACES),
    services: informer(SERVICES),
    endpointSlices: informer<EndpointSlice>(ENDPOINT_SLICES, { indexes: { [BY_SERVICE]: serviceKey } }),
    endpoints: informer(ENDPOINTS),
    serviceAccounts: informer(SERVICE_ACCOUNTS),
    rootCertificates: informer(CONFIG_MAPS, { fieldSelector: `metadata.name=${ROOT_CA_CONFIG_MAP}` }),
    deployments: informer(DEPLOYMENTS),
    replicaSets: informer<ReplicaSet>(REPLICA_SETS, owned()),
    revisions: informer<ControllerRevision>(CONTROLLER_REVISIONS, owned()),
    statefulSets: informer(STATEFUL_SETS),
    daemonSets: informer(DAEMON_SETS),
    jobs: informer<Job>(JOBS, owned()),
    cronJobs: informer(CRON_JOBS),
    definitions: informer(CUSTOM_RESOURCE_DEFINITIONS, { transform: withoutSchemas }),
    claims: informer(PERSISTENT_VOLUME_CLAIMS),
    volumes: informer(PERSISTENT_VOLUMES),
    storageClasses: informer(STORAGE_CLASSES),
    signingRequests: informer(CERTIFICATE_SIGNING_REQUESTS),
    budgets: informer(POD_DISRUPTION_BUDGETS),
  };
  return {
    ...options,
    informers,
    events: new EventRecorder(client, clock, log),
    queue: (name, process, concurrency) => new WorkQueue({ name, clock, log, process, ...(concurrency === undefined ? {} : { concurrency }) }),
  };
}

/** Who set which field is a third of an object's size and no controller's business. */
function withoutManagedFields<T extends KubeObject>(object: T): T {
  delete object.metadata.managedFields;
  return object;
}

function withoutSchemas(crd: CustomResourceDefinition): CustomResourceDefinition {
  for (const version of crd.spec?.versions ?? []) delete version.schema;
  return withoutManagedFields(crd);
}
