/** Columns of Ingress, storage, quotas and autoscaling. */
import type { Column, KubeObject } from "../types.ts";
import { ageColumn, column, nameColumn } from "./format.ts";

interface MetricSpec {
  type?: string;
  resource?: { name: string; target: MetricTarget };
  containerResource?: { name: string; target: MetricTarget };
  pods?: { target: MetricTarget };
  object?: { target: MetricTarget };
  external?: { target: MetricTarget };
}
interface MetricTarget {
  averageUtilization?: number;
  averageValue?: string;
  value?: string;
}
interface MetricStatus {
  resource?: { current?: MetricTarget };
  containerResource?: { current?: MetricTarget };
  pods?: { current?: MetricTarget };
  object?: { current?: MetricTarget };
  external?: { current?: MetricTarget };
}

const specOf = <T>(object: KubeObject): Partial<T> => (object.spec ?? {}) as Partial<T>;
const statusOf = <T>(object: KubeObject): Partial<T> => (object.status ?? {}) as Partial<T>;

export const ingressColumns: Column[] = [
  nameColumn,
  column(
    "Class",
    "string",
    "which controller serves it",
    (o) => specOf<{ ingressClassName: string }>(o).ingressClassName ?? o.metadata.annotations?.["kubernetes.io/ingress.class"] ?? "<none>",
  ),
  column("Hosts", "string", "host names it serves", (o) => {
    const hosts = (specOf<{ rules: { host?: string }[] }>(o).rules ?? []).flatMap((rule) => rule.host || []);
    return hosts.length === 0 ? "*" : hosts.length > 3 ? `${hosts.slice(0, 3).join(",")} + ${hosts.length - 3} more...` : hosts.join(",");
  }),
  column("Address", "string", "where it is reached", (o) =>
    [
      ...new Set(
        (statusOf<{ loadBalancer: { ingress?: { ip?: string; hostname?: string }[] } }>(o).loadBalancer?.ingress ?? []).map((i) => i.ip || i.hostname || ""),
      ),
    ]
      .sort()
      .join(","),
  ),
  column("Ports", "string", "80, and 443 with TLS", (o) => ((specOf<{ tls: unknown[] }>(o).tls?.length ?? 0) > 0 ? "80, 443" : "80")),
  ageColumn,
];

export const ingressClassColumns: Column[] = [
  nameColumn,
  column("Controller", "string", "its controller", (o) => specOf<{ controller: string }>(o).controller ?? ""),
  column("Parameters", "string", "its parameters", (o) => {
    const parameters = specOf<{ parameters: { apiGroup?: string; kind: string; name: string } }>(o).parameters;
    return parameters ? `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ""}/${parameters.name}` : "<none>";
  }),
  ageColumn,
];

const accessModes = (modes: string[] | undefined): string =>
  (modes ?? []).map((mode) => ({ ReadWriteOnce: "RWO", ReadOnlyMany: "ROX", ReadWriteMany: "RWX", ReadWriteOncePod: "RWOP" })[mode] ?? mode).join(",");

interface ClaimSpec {
  volumeName: string;
  storageClassName: string;
  volumeAttributesClassName: string;
  volumeMode: string;
}

export const persistentVolumeClaimColumns: Column[] = [
  nameColumn,
  column("Status", "string", "whether it has a volume", (o) => (o.metadata.deletionTimestamp ? "Terminating" : (statusOf<{ phase: string }>(o).phase ?? ""))),
  column("Volume", "string", "its volume", (o) => specOf<ClaimSpec>(o).volumeName ?? ""),
  column("Capacity", "string", "the volume's size", (o) =>
    specOf<ClaimSpec>(o).volumeName ? (statusOf<{ capacity: Record<string, string> }>(o).capacity?.["storage"] ?? "") : "",
  ),
  column("Access Modes", "string", "how it may be mounted", (o) =>
    specOf<ClaimSpec>(o).volumeName ? accessModes(statusOf<{ accessModes: string[] }>(o).accessModes) : "",
  ),
  column("StorageClass", "string", "what kind of storage", (o) => specOf<ClaimSpec>(o).storageClassName ?? ""),
  column("VolumeAttributesClass", "string", "the volume's attributes", (o) => specOf<ClaimSpec>(o).volumeAttributesClassName ?? "<unset>"),
  ageColumn,
  column("VolumeMode", "string", "Filesystem or Block", (o) => specOf<ClaimSpec>(o).volumeMode ?? "<unset>", 1),
];

interface VolumeSpec extends ClaimSpec {
  capacity: Record<string, string>;
  accessModes: string[];
  persistentVolumeReclaimPolicy: string;
  claimRef: { namespace?: string; name?: string };
}

export const persistentVolumeColumns: Column[] = [
  nameColumn,
  column("Capacity", "string", "its size", (o) => specOf<VolumeSpec>(o).capacity?.["storage"] ?? ""),
  column("Access Modes", "string", "how it may be mounted", (o) => accessModes(specOf<VolumeSpec>(o).accessModes)),
  column("Reclaim Policy", "string", "what happens when it is released", (o) => specOf<VolumeSpec>(o).persistentVolumeReclaimPolicy ?? ""),
  column("Status", "string", "whether it is bound", (o) => (o.metadata.deletionTimestamp ? "Terminating" : (statusOf<{ phase: string }>(o).phase ?? ""))),
  column("Claim", "string", "who has it", (o) => {
    const claim = specOf<VolumeSpec>(o).claimRef;
    return claim ? `${claim.namespace}/${claim.name}` : "";
  }),
  column("StorageClass", "string", "what kind of storage", (o) => specOf<VolumeSpec>(o).storageClassName ?? ""),
  column("VolumeAttributesClass", "string", "the volume's attributes", (o) => specOf<VolumeSpec>(o).volumeAttributesClassName ?? "<unset>"),
  column("Reason", "string", "why it is in this state", (o) => statusOf<{ reason: string }>(o).reason ?? ""),
  ageColumn,
  column("VolumeMode", "string", "Filesystem or Block", (o) => specOf<VolumeSpec>(o).volumeMode ?? "<unset>", 1),
];

export const storageClassColumns: Column[] = [
  nameColumn,
  column("Provisioner", "string", "who makes the volumes", (o) => String(o["provisioner"] ?? "")),
  column("ReclaimPolicy", "string", "what happens when one is released", (o) => String(o["reclaimPolicy"] ?? "Delete")),
  column("VolumeBindingMode", "string", "when one is bound", (o) => String(o["volumeBindingMode"] ?? "Immediate")),
  column("AllowVolumeExpansion", "string", "whether one may grow", (o) => o["allowVolumeExpansion"] === true),
  ageColumn,
];

const usage = (object: KubeObject, limits: boolean): string => {
  const { hard = {}, used = {} } = statusOf<{ hard: Record<string, string>; used: Record<string, string> }>(object);
  return Object.keys(hard)
    .sort()
    .filter((name) => name.startsWith("limits") === limits)
    .map((name) => `${name}: ${used[name] ?? "0"}/${hard[name]}`)
    .join(", ");
};

export const resourceQuotaColumns: Column[] = [
  nameColumn,
  column("Request", "string", "requests, used of allowed", (o) => usage(o, false)),
  column("Limit", "string", "limits, used of allowed", (o) => usage(o, true)),
  ageColumn,
];

interface AutoscalerSpec {
  scaleTargetRef: { kind: string; name: string };
  minReplicas: number;
  maxReplicas: number;
  metrics: MetricSpec[];
}

export const horizontalPodAutoscalerColumns: Column[] = [
  nameColumn,
  column("Reference", "string", "what it scales", (o) => {
    const target = specOf<AutoscalerSpec>(o).scaleTargetRef;
    return `${target?.kind}/${target?.name}`;
  }),
  column("Targets", "string", "what it aims at", (o) => autoscalerTargets(o)),
  column("MinPods", "string", "fewest pods", (o) =>
    specOf<AutoscalerSpec>(o).minReplicas === undefined ? "<unset>" : String(specOf<AutoscalerSpec>(o).minReplicas),
  ),
  column("MaxPods", "string", "most pods", (o) => specOf<AutoscalerSpec>(o).maxReplicas ?? 0),
  column("Replicas", "string", "pods there are", (o) => statusOf<{ currentReplicas: number }>(o).currentReplicas ?? 0),
  ageColumn,
];

function autoscalerTargets(object: KubeObject): string {
  const metrics = specOf<AutoscalerSpec>(object).metrics ?? [];
  const current = statusOf<{ currentMetrics: MetricStatus[] }>(object).currentMetrics ?? [];
  if (metrics.length === 0) return "<none>";
  const shown = metrics.slice(0, 2).map((metric, index) => {
    const now = current[index];
    const named = metric.resource ?? metric.containerResource;
    const target = named?.target ?? (metric.pods ?? metric.object ?? metric.external)?.target;
    const at = now?.resource?.current ?? now?.containerResource?.current ?? (now?.pods ?? now?.object ?? now?.external)?.current;
    const suffix = target?.averageValue !== undefined && !named && !metric.pods ? " (avg)" : "";
    const label = named ? `${named.name}: ` : "";
    if (target?.averageUtilization !== undefined)
      return `${label}${at?.averageUtilization === undefined ? "<unknown>" : `${at.averageUtilization}%`}/${target.averageUtilization}%`;
    return `${label}${at?.averageValue ?? at?.value ?? "<unknown>"}/${target?.averageValue ?? target?.value ?? "<auto>"}${suffix}`;
  });
  return metrics.length > 2 ? `${shown.join(", ")} + ${metrics.length - 2} more...` : shown.join(", ");
}
