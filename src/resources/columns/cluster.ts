/** Columns of nodes, events, namespaces, access control and what else lives at the cluster's edges. */
import type { Event, Lease, Namespace, Node, RoleBinding, Secret, ServiceAccount, WebhookConfiguration } from "../core.ts";
import type { Column, KubeObject } from "../types.ts";
import { ageColumn, column, createdAtColumn, formatSelector, nameColumn, since, humanDuration } from "./format.ts";

const count = (value: unknown): number => (typeof value === "object" && value !== null ? Object.keys(value).length : 0);
const specOf = <T>(object: KubeObject): Partial<T> => (object.spec ?? {}) as Partial<T>;

export const defaultColumns: Column[] = [nameColumn, createdAtColumn];

export const namespaceColumns: Column[] = [
  nameColumn,
  column("Status", "string", "Active or Terminating", (o) => (o as Namespace).status?.phase ?? ""),
  ageColumn,
];

export const nodeColumns: Column[] = [
  nameColumn,
  column("Status", "string", "whether it takes pods", (o) => nodeStatus(o as Node)),
  column("Roles", "string", "its roles", (o) => nodeRoles(o as Node)),
  ageColumn,
  column("Version", "string", "the kubelet's version", (o) => (o as Node).status?.nodeInfo?.["kubeletVersion"] ?? ""),
  column("Internal-IP", "string", "its address inside the cluster", (o) => nodeAddress(o as Node, "InternalIP"), 1),
  column("External-IP", "string", "its address outside the cluster", (o) => nodeAddress(o as Node, "ExternalIP"), 1),
  column("OS-Image", "string", "its system", (o) => (o as Node).status?.nodeInfo?.["osImage"] || "<unknown>", 1),
  column("Kernel-Version", "string", "its kernel", (o) => (o as Node).status?.nodeInfo?.["kernelVersion"] || "<unknown>", 1),
  column("Container-Runtime", "string", "what runs its containers", (o) => (o as Node).status?.nodeInfo?.["containerRuntimeVersion"] || "<unknown>", 1),
];

export const eventColumns: Column[] = [
  column("Last Seen", "string", "time since it was last seen", (o, now) => eventTimes(o as Event, now).last),
  column("Type", "string", "Normal or Warning", (o) => (o as Event).type ?? ""),
  column("Reason", "string", "why, in one word", (o) => (o as Event).reason ?? ""),
  column("Object", "string", "what it is about", (o) => {
    const { kind = "", name } = (o as Event).involvedObject ?? {};
    return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
  }),
  column("Subobject", "string", "the part it is about", (o) => (o as Event).involvedObject?.fieldPath ?? "", 1),
  column("Source", "string", "who reported it", (o) => eventSource(o as Event), 1),
  column("Message", "string", "what happened", (o) => ((o as Event).message ?? "").trim()),
  column("First Seen", "string", "time since it was first seen", (o, now) => eventTimes(o as Event, now).first, 1),
  column("Count", "string", "how often it was seen", (o) => (o as Event).series?.count ?? ((o as Event).count || 1), 1),
  { ...nameColumn, priority: 1 },
];

export const configMapColumns: Column[] = [
  nameColumn,
  column("Data", "string", "how many entries", (o) => count(o["data"]) + count(o["binaryData"])),
  ageColumn,
];

export const secretColumns: Column[] = [
  nameColumn,
  column("Type", "string", "what its data is for", (o) => (o as Secret).type ?? ""),
  column("Data", "string", "how many entries", (o) => count((o as Secret).data)),
  ageColumn,
];

export const serviceAccountColumns: Column[] = [
  nameColumn,
  column("Secrets", "string", "how many secrets", (o) => (o as ServiceAccount).secrets?.length ?? 0),
  ageColumn,
];

export const leaseColumns: Column[] = [nameColumn, column("Holder", "string", "who holds it", (o) => (o as Lease).spec?.holderIdentity ?? ""), ageColumn];

export const webhookConfigurationColumns: Column[] = [
  nameColumn,
  column("Webhooks", "integer", "how many webhooks", (o) => (o as WebhookConfiguration).webhooks?.length ?? 0),
  ageColumn,
];

export const admissionPolicyColumns: Column[] = [
  nameColumn,
  column("Validations", "integer", "how many rules", (o) => count(specOf<{ validations: unknown[] }>(o).validations)),
  column("ParamKind", "string", "kind of its parameters", (o) => {
    const kind = specOf<{ paramKind: { apiVersion: string; kind: string } }>(o).paramKind;
    return kind ? `${kind.apiVersion}/${kind.kind}` : "<unset>";
  }),
  ageColumn,
];

export const admissionPolicyBindingColumns: Column[] = [
  nameColumn,
  column("PolicyName", "string", "the policy it applies", (o) => specOf<{ policyName: string }>(o).policyName ?? ""),
  column("ParamRef", "string", "its parameters", (o) => {
    const reference = specOf<{ paramRef: { name?: string; namespace?: string } }>(o).paramRef;
    return reference ? (reference.namespace ? `${reference.namespace}/${reference.name ?? "*"}` : (reference.name ?? "*")) : "<unset>";
  }),
  ageColumn,
];

const subjects = (object: KubeObject, kind: string): string =>
  ((object as RoleBinding).subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === "ServiceAccount" ? `${subject.namespace}/${subject.name}` : subject.name))
    .join(", ");

export const roleBindingColumns: Column[] = [
  nameColumn,
  column("Role", "string", "the role it gives", (o) => `${(o as RoleBinding).roleRef?.kind}/${(o as RoleBinding).roleRef?.name}`),
  ageColumn,
  column("Users", "string", "users it is given to", (o) => subjects(o, "User"), 1),
  column("Groups", "string", "groups it is given to", (o) => subjects(o, "Group"), 1),
  column("ServiceAccounts", "string", "service accounts it is given to", (o) => subjects(o, "ServiceAccount"), 1),
];

export const networkPolicyColumns: Column[] = [
  nameColumn,
  column("Pod-Selector", "string", "pods it is for", (o) => formatSelector(specOf<{ podSelector: Parameters<typeof formatSelector>[0] }>(o).podSelector)),
  ageColumn,
];

export const disruptionBudgetColumns: Column[] = [
  nameColumn,
  column("Min Available", "string", "pods that must stay", (o) => String(specOf<{ minAvailable: number | string }>(o).minAvailable ?? "N/A")),
  column("Max Unavailable", "string", "pods that may go", (o) => String(specOf<{ maxUnavailable: number | string }>(o).maxUnavailable ?? "N/A")),
  column("Allowed Disruptions", "integer", "pods that may go now", (o) => (o.status as { disruptionsAllowed?: number } | undefined)?.disruptionsAllowed ?? 0),
  ageColumn,
];

export const priorityClassColumns: Column[] = [
  nameColumn,
  column("Value", "integer", "the priority", (o) => Number(o["value"] ?? 0)),
  column("Global-Default", "boolean", "whether pods without a class get it", (o) => o["globalDefault"] === true),
  ageColumn,
  column("PreemptionPolicy", "string", "whether it pushes others out", (o) => String(o["preemptionPolicy"] ?? "PreemptLowerPriority")),
];

export const runtimeClassColumns: Column[] = [nameColumn, column("Handler", "string", "how its pods are run", (o) => String(o["handler"] ?? "")), ageColumn];

export const apiServiceColumns: Column[] = [
  nameColumn,
  column("Service", "string", "who serves it", (o) => {
    const { service } = (o.spec ?? {}) as { service?: { namespace?: string; name?: string } };
    return service ? `${service.namespace}/${service.name}` : "Local";
  }),
  column("Available", "string", "whether it answers", (o) => {
    const { conditions = [] } = (o.status ?? {}) as { conditions?: { type: string; status: string; reason?: string }[] };
    const available = conditions.find(({ type }) => type === "Available");
    return available ? (available.status === "True" ? "True" : `${available.status} (${available.reason})`) : "Unknown";
  }),
  ageColumn,
];

export const signingRequestColumns: Column[] = [
  nameColumn,
  ageColumn,
  column("SignerName", "string", "who is to sign", (o) => String((o.spec as { signerName?: string } | undefined)?.signerName ?? "")),
  column("Requestor", "string", "who asks", (o) => String((o.spec as { username?: string } | undefined)?.username ?? "")),
  column("RequestedDuration", "string", "for how long", (o) => {
    const seconds = (o.spec as { expirationSeconds?: number } | undefined)?.expirationSeconds;
    return seconds === undefined ? "<none>" : humanDuration(seconds * 1000);
  }),
  column("Condition", "string", "what became of it", (o) => {
    const { conditions = [], certificate } = (o.status ?? {}) as { conditions?: { type: string }[]; certificate?: string };
    const found = ["Approved", "Denied", "Failed"].filter((type) => conditions.some((one) => one.type === type));
    return [...(found.length > 0 ? found : ["Pending"]), ...(certificate ? ["Issued"] : [])].join(",");
  }),
];

function nodeStatus(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
  const text = ready ? (ready.status === "True" ? "Ready" : "NotReady") : "Unknown";
  return node.spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

function nodeRoles(node: Node): string {
  const prefix = "node-role.kubernetes.io/";
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(prefix) && key.length > prefix.length) roles.add(key.slice(prefix.length));
    else if (key === "kubernetes.io/role" && value) roles.add(value);
  }
  return roles.size > 0 ? [...roles].sort().join(",") : "<none>";
}

function nodeAddress(node: Node, type: string): string {
  return node.status?.addresses?.find((address) => address.type === type)?.address ?? "<none>";
}

function eventTimes(event: Event, now: number): { first: string; last: string } {
  const first = since(event.firstTimestamp ?? event.eventTime, now);
  if (event.series) return { first, last: since(event.series.lastObservedTime, now) };
  return { first, last: event.lastTimestamp ? since(event.lastTimestamp, now) : first };
}

function eventSource(event: Event): string {
  const component = event.source?.component || event.reportingComponent || "";
  const host = event.source?.host || event.reportingInstance || "";
  return host ? `${component}, ${host}` : component;
}

/** The first condition of type Healthy tells. */
const health = (object: KubeObject): { status?: string; message?: string; error?: string } | undefined =>
  ((object["conditions"] ?? []) as { type?: string; status?: string; message?: string; error?: string }[]).find(({ type }) => type === "Healthy");

export const componentStatusColumns: Column[] = [
  nameColumn,
  column(
    "Status",
    "string",
    "Healthy, Unhealthy or Unknown",
    (o) => ({ True: "Healthy", undefined: "Unknown" })[health(o)?.status ?? "undefined"] ?? "Unhealthy",
  ),
  column("Message", "string", "what it says", (o) => health(o)?.message ?? ""),
  column("Error", "string", "what went wrong", (o) => health(o)?.error ?? ""),
];
