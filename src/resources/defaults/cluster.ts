/** Defaults of namespaces, configuration, access control, admission, custom resources and networking. */
import type {
  CrdSpec,
  CustomResourceDefinition,
  Endpoints,
  EndpointSlice,
  Namespace,
  RoleBinding,
  Secret,
  TokenRequest,
  Webhook,
  WebhookConfiguration,
} from "../core.ts";
import type { KubeObject } from "../types.ts";
import { canonicalAmounts } from "./pod.ts";

export function defaultNamespace(namespace: Namespace): void {
  (namespace.metadata.labels ??= {})["kubernetes.io/metadata.name"] = namespace.metadata.name;
  namespace.spec ??= {};
  (namespace.status ??= {}).phase ??= "Active";
}

/** Of what a kubelet says of its machine, the texts that it leaves out. */
const NODE_INFO = [
  "machineID",
  "systemUUID",
  "bootID",
  "kernelVersion",
  "osImage",
  "containerRuntimeVersion",
  "kubeletVersion",
  "kubeProxyVersion",
  "operatingSystem",
  "architecture",
];

export function defaultNode(node: KubeObject): void {
  const spec = (node.spec ??= {}) as { podCIDR?: string; podCIDRs?: string[] };
  // The first range has an old field of its own: both are always shown.
  if (spec.podCIDR && !spec.podCIDRs?.length) spec.podCIDRs = [spec.podCIDR];
  else if (spec.podCIDRs?.length) spec.podCIDR = spec.podCIDRs[0];
  const status = (node.status ??= {}) as {
    capacity?: Record<string, unknown>;
    allocatable?: Record<string, unknown>;
    daemonEndpoints?: { kubeletEndpoint?: { Port?: number } };
    nodeInfo?: Record<string, string>;
  };
  canonicalAmounts(status.capacity);
  canonicalAmounts(status.allocatable);
  if (status.capacity && !status.allocatable) status.allocatable = { ...status.capacity };
  ((status.daemonEndpoints ??= {}).kubeletEndpoint ??= {}).Port ??= 0;
  const info = (status.nodeInfo ??= {});
  for (const name of NODE_INFO) info[name] ??= "";
}

/** Whoever reports, the fields for it are shown. */
export function defaultEvent(event: KubeObject): void {
  event["source"] ??= {};
  event["eventTime"] ??= null;
  event["reportingComponent"] ??= "";
  event["reportingInstance"] ??= "";
}

export function defaultApiService(service: KubeObject): void {
  const { service: reference } = (service.spec ?? {}) as { service?: { port?: number } };
  if (reference) reference.port ??= 443;
  service.status ??= {};
}

export function defaultSigningRequest(request: KubeObject): void {
  request.status ??= {};
}

export function defaultRole(role: KubeObject): void {
  if (!(role["rules"] as unknown[] | undefined)?.length) role["rules"] = null;
}

type Amounts = Record<string, unknown>;

/** A container that names nothing gets as much as it may have at most. */
export function defaultLimitRange(range: KubeObject): void {
  const { limits = [] } = (range.spec ?? {}) as {
    limits?: { type?: string; max?: Amounts; min?: Amounts; default?: Amounts; defaultRequest?: Amounts; maxLimitRequestRatio?: Amounts }[];
  };
  for (const limit of limits) {
    for (const amounts of [limit.max, limit.min, limit.default, limit.defaultRequest, limit.maxLimitRequestRatio]) canonicalAmounts(amounts);
    if (limit.type !== "Container") continue;
    limit.default = { ...limit.max, ...limit.default };
    limit.defaultRequest = { ...limit.min, ...limit.default, ...limit.defaultRequest };
    if (Object.keys(limit.default).length === 0) delete limit.default;
    if (Object.keys(limit.defaultRequest).length === 0) delete limit.defaultRequest;
  }
}

export function defaultResourceQuota(quota: KubeObject): void {
  canonicalAmounts((quota.spec as { hard?: Amounts } | undefined)?.hard);
  const status = (quota.status ??= {}) as { hard?: Amounts; used?: Amounts };
  canonicalAmounts(status.hard);
  canonicalAmounts(status.used);
}

/** stringData is only a way to write: the server keeps it in data. */
export function defaultSecret(secret: Secret): void {
  secret.type ||= "Opaque";
  if (!secret.stringData) return;
  secret.data ??= {};
  for (const [key, value] of Object.entries(secret.stringData)) secret.data[key] = Buffer.from(value, "utf8").toString("base64");
  delete secret.stringData;
}

const RBAC = "rbac.authorization.k8s.io";

export function defaultRoleBinding(binding: RoleBinding): void {
  if (binding.roleRef) binding.roleRef.apiGroup ||= RBAC;
  for (const subject of binding.subjects ?? []) if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup ||= RBAC;
}

export function defaultEndpointSlice(slice: EndpointSlice): void {
  slice.endpoints ??= [];
  for (const endpoint of slice.endpoints) endpoint.conditions ??= {};
  for (const port of slice.ports ?? []) {
    port.name ??= "";
    port.protocol ??= "TCP";
  }
}

export function defaultEndpoints(endpoints: Endpoints): void {
  for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= "TCP";
}

export function defaultWebhooks(configuration: WebhookConfiguration): void {
  const mutating = configuration.kind === "MutatingWebhookConfiguration";
  for (const webhook of configuration.webhooks ?? []) defaultWebhook(webhook, mutating);
}

function defaultWebhook(webhook: Webhook, mutating: boolean): void {
  webhook.failurePolicy ??= "Fail";
  webhook.matchPolicy ??= "Equivalent";
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  if (mutating) webhook.reinvocationPolicy ??= "Never";
  for (const rule of webhook.rules ?? []) rule.scope ??= "*";
  if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443;
}

interface MatchResources {
  matchPolicy?: string;
  namespaceSelector?: unknown;
  objectSelector?: unknown;
  resourceRules?: { scope?: string }[];
  excludeResourceRules?: { scope?: string }[];
}

function defaultMatch(match: MatchResources | undefined): void {
  if (!match) return;
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= "*";
}

export function defaultAdmissionPolicy(policy: KubeObject): void {
  const spec = policy.spec as { failurePolicy?: string; matchConstraints?: MatchResources } | undefined;
  if (!spec) return;
  spec.failurePolicy ??= "Fail";
  defaultMatch(spec.matchConstraints);
  policy.status ??= {};
}

export function defaultAdmissionPolicyBinding(binding: KubeObject): void {
  defaultMatch((binding.spec as { matchResources?: MatchResources } | undefined)?.matchResources);
}

/**
 * Names and, since the server serves a definition as soon as it is stored, its status: accepted and established from its
 * creation on, with every version that objects may be stored in.
 */
export function defaultCrd(crd: CustomResourceDefinition, old?: CustomResourceDefinition): void {
  const spec = crd.spec as CrdSpec | undefined;
  if (!spec?.names) return;
  spec.names.singular ??= spec.names.kind?.toLowerCase();
  if (spec.names.kind) spec.names.listKind ??= `${spec.names.kind}List`;
  spec.conversion ??= { strategy: "None" };
  const storage = spec.versions?.find((version) => version.storage)?.name;
  const stored = new Set([...(old?.status?.storedVersions ?? []), ...(storage ? [storage] : [])]);
  const since = old?.status?.conditions?.[0]?.lastTransitionTime ?? crd.metadata.creationTimestamp;
  const condition = (type: string, reason: string, message: string) => ({
    type,
    status: "True" as const,
    reason,
    message,
    ...(since ? { lastTransitionTime: since } : {}),
  });
  crd.status = {
    ...old?.status,
    acceptedNames: spec.names,
    conditions: old?.status?.conditions ?? [
      condition("NamesAccepted", "NoConflicts", "no conflicts found"),
      condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ],
    storedVersions: [...stored],
  };
}

export function defaultNetworkPolicy(policy: KubeObject): void {
  const spec = (policy.spec ??= {}) as {
    podSelector?: unknown;
    policyTypes?: string[];
    ingress?: { ports?: { protocol?: string }[] }[];
    egress?: { ports?: { protocol?: string }[] }[];
  };
  spec.podSelector ??= {};
  if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ["Ingress", "Egress"] : ["Ingress"];
  for (const { ports } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of ports ?? []) port.protocol ??= "TCP";
}

export function defaultIngress(ingress: KubeObject): void {
  ingress.status ??= { loadBalancer: {} };
}

export function defaultIngressClass(ingressClass: KubeObject): void {
  const parameters = (ingressClass.spec as { parameters?: { scope?: string } } | undefined)?.parameters;
  if (parameters) parameters.scope ??= "Cluster";
}

export function defaultPriorityClass(priorityClass: KubeObject): void {
  priorityClass["preemptionPolicy"] ??= "PreemptLowerPriority";
}

export function defaultStorageClass(storageClass: KubeObject): void {
  storageClass["reclaimPolicy"] ??= "Delete";
  storageClass["volumeBindingMode"] ??= "Immediate";
}

export function defaultTokenRequest(request: TokenRequest): void {
  if (request.spec) request.spec.expirationSeconds ??= 3600;
}
