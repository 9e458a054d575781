import type { Container, Pod, PodSpec, PodTemplate } from "../core.ts";
import { parseQuantity } from "../defaults/quantity.ts";
import { overlappingPaths } from "./volumes.ts";
import type { KubeObject } from "../types.ts";

/** What a pod may say and should not: the real server's warnings, in its words. */
export function podWarnings(pod: Pod, old?: Pod): string[] {
  // People do not change pods that run; controllers do.
  return pod.spec && !old ? warningsOf(pod.spec, pod.metadata.annotations ?? {}, "") : [];
}

/** The same of the template of a kind that makes pods, when what it wants has changed. */
export function templateWarnings(object: KubeObject, old?: KubeObject): string[] {
  if (old && old.metadata.generation === object.metadata.generation) return [];
  const template = (object.spec as { template?: PodTemplate } | undefined)?.template;
  return template?.spec ? warningsOf(template.spec, template.metadata?.annotations ?? {}, "spec.template.") : [];
}

/** The same of a CronJob's. */
export function cronJobWarnings(object: KubeObject, old?: KubeObject): string[] {
  if (old && old.metadata.generation === object.metadata.generation) return [];
  const template = (object.spec as { jobTemplate?: { spec?: { template?: PodTemplate } } } | undefined)?.jobTemplate?.spec?.template;
  return template?.spec ? warningsOf(template.spec, template.metadata?.annotations ?? {}, "spec.jobTemplate.spec.template.") : [];
}

const DEPRECATED_LABELS: Record<string, string> = {
  "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
  "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
};
const DEPRECATED_ANNOTATIONS: Record<string, string> = {
  "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
  "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
  "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
};
const DEPRECATED_VOLUMES: Record<string, string> = {
  photonPersistentDisk: "deprecated in v1.11, non-functional in v1.16+",
  gitRepo: "deprecated in v1.11, and disabled by default in v1.33+",
  scaleIO: "deprecated in v1.16, non-functional in v1.22+",
  flocker: "deprecated in v1.22, non-functional in v1.25+",
  storageos: "deprecated in v1.22, non-functional in v1.25+",
  quobyte: "deprecated in v1.22, non-functional in v1.25+",
  glusterfs: "deprecated in v1.25, non-functional in v1.26+",
  cephfs: "deprecated in v1.28, non-functional in v1.31+",
  rbd: "deprecated in v1.28, non-functional in v1.31+",
};
const SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/";
const APPARMOR_CONTAINER = "container.apparmor.security.beta.kubernetes.io/";
const NO_POD = "a null labelSelector results in matching no pod";

interface PodTerm {
  labelSelector?: unknown;
}

interface Affinity {
  requiredDuringSchedulingIgnoredDuringExecution?: PodTerm[];
  preferredDuringSchedulingIgnoredDuringExecution?: { podAffinityTerm?: PodTerm }[];
}

interface HostedPort {
  name?: string;
  hostIP?: string;
  hostPort?: number;
  containerPort: number;
  protocol?: string;
}

interface WarnedSpec {
  topologySpreadConstraints?: { topologyKey?: string; labelSelector?: unknown }[];
  affinity?: { podAffinity?: Affinity; podAntiAffinity?: Affinity };
  securityContext?: { seccompProfile?: unknown; appArmorProfile?: unknown };
}

function warningsOf(spec: PodSpec, annotations: Record<string, string>, prefix: string): string[] {
  const own = spec as PodSpec & WarnedSpec;
  const at = `${prefix}spec`;
  const annotation = (key: string) => `${prefix}metadata.annotations[${key}]`;
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {})) if (DEPRECATED_LABELS[key]) warnings.push(`${at}.nodeSelector[${key}]: ${DEPRECATED_LABELS[key]}`);
  for (const [index, { topologyKey = "", labelSelector }] of (own.topologySpreadConstraints ?? []).entries()) {
    const field = `${at}.topologySpreadConstraints[${index}]`;
    if (DEPRECATED_LABELS[topologyKey]) warnings.push(`${field}.topologyKey: ${topologyKey} is ${DEPRECATED_LABELS[topologyKey]}`);
    if (!labelSelector) warnings.push(`${field}.labelSelector: ${NO_POD}`);
  }
  for (const [key, message] of Object.entries(DEPRECATED_ANNOTATIONS)) if (key in annotations) warnings.push(`${annotation(key)}: ${message}`);
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    for (const [type, message] of Object.entries(DEPRECATED_VOLUMES)) if (type in volume) warnings.push(`${at}.volumes[${index}].${type}: ${message}`);
  }
  warnings.push(...repeated(spec.hostAliases, "ip", `${at}.hostAliases`), ...repeated(spec.imagePullSecrets, "name", `${at}.imagePullSecrets`));
  for (const [index, { name = "" }] of (spec.imagePullSecrets ?? []).entries())
    if (name === "") warnings.push(`${at}.imagePullSecrets[${index}].name: invalid empty name ""`);
  if (!own.securityContext?.seccompProfile && SECCOMP_POD in annotations)
    warnings.push(`${annotation(SECCOMP_POD)}: non-functional in v1.27+; use the "seccompProfile" field instead`);
  const containers = containersOf(spec, at);
  for (const [container, field] of containers)
    warnings.push(...containerWarnings(container, field, annotations, annotation, prefix !== "" && !own.securityContext?.appArmorProfile));
  for (const [container, field] of containers) {
    for (const [index, { name = "", hostIP, hostPort = 0, containerPort, protocol = "" }] of ((container.ports ?? []) as HostedPort[]).entries()) {
      if (hostIP && !hostPort)
        warnings.push(
          `${field}.ports[${index}]: hostIP set without hostPort: {Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`,
        );
    }
  }
  warnings.push(...portWarnings(containers));
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    warnings.push(`${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  for (const kind of ["podAffinity", "podAntiAffinity"] as const) {
    const field = `${at}.affinity.${kind}`;
    const { requiredDuringSchedulingIgnoredDuringExecution: hard = [], preferredDuringSchedulingIgnoredDuringExecution: soft = [] } =
      own.affinity?.[kind] ?? {};
    for (const [index, term] of hard.entries())
      if (!term.labelSelector) warnings.push(`${field}.requiredDuringSchedulingIgnoredDuringExecution[${index}].labelSelector: ${NO_POD}`);
    for (const [index, term] of soft.entries())
      if (!term.podAffinityTerm?.labelSelector)
        warnings.push(`${field}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm.labelSelector: ${NO_POD}`);
  }
  warnings.push(...overlappingPaths(spec.volumes ?? []));
  return warnings;
}

function containersOf({ initContainers = [], containers, ephemeralContainers = [] }: PodSpec, at: string): [Container, string][] {
  const named = (list: readonly Container[], name: string) => list.map((container, index): [Container, string] => [container, `${at}.${name}[${index}]`]);
  return [...named(initContainers, "initContainers"), ...named(containers ?? [], "containers"), ...named(ephemeralContainers, "ephemeralContainers")];
}

function repeated<K extends string>(items: readonly { [key in K]?: string }[] | undefined, key: K, field: string): string[] {
  const seen = new Set<string>();
  return (items ?? []).flatMap((item, index) => {
    const value = item[key] ?? "";
    if (seen.has(value)) return [`${field}[${index}].${key}: duplicate ${key} ${JSON.stringify(value)}`];
    seen.add(value);
    return [];
  });
}

function containerWarnings(
  container: Container,
  field: string,
  annotations: Record<string, string>,
  annotation: (key: string) => string,
  noPodProfile: boolean,
): string[] {
  const warnings: string[] = [];
  const security = container.securityContext as { seccompProfile?: unknown; appArmorProfile?: unknown } | undefined;
  const seccomp = SECCOMP_CONTAINER + container.name;
  if (!security?.seccompProfile && seccomp in annotations)
    warnings.push(`${annotation(seccomp)}: non-functional in v1.27+; use the "seccompProfile" field instead`);
  const appArmor = APPARMOR_CONTAINER + container.name;
  if (noPodProfile && !security?.appArmorProfile && appArmor in annotations)
    warnings.push(`${annotation(appArmor)}: deprecated since v1.30; use the "appArmorProfile" field instead`);
  for (const resource of ["memory", "ephemeral-storage"]) {
    for (const part of ["limits", "requests"] as const) {
      const amount = container.resources?.[part]?.[resource];
      const quantity = amount === undefined ? undefined : parseQuantity(String(amount));
      if (quantity && quantity.nanos % 1_000_000_000n !== 0n)
        warnings.push(`${field}.resources.${part}[${resource}]: fractional byte value ${JSON.stringify(String(amount))} is invalid, must be an integer`);
    }
  }
  const seen = new Set<string>();
  for (const [index, { name, value = "", valueFrom }] of (container.env ?? []).entries()) {
    const reference = `$(${name})`;
    if (seen.has(name) && (valueFrom || value === reference || !value.includes(reference))) {
      warnings.push(`${field}.env[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`);
    }
    seen.add(name);
  }
  return warnings;
}

function portWarnings(containers: readonly [Container, string][]): string[] {
  const warnings: string[] = [];
  const ports = containers.flatMap(([{ ports: own = [] }, field]) =>
    own.map((port, index) => ({ port: port as typeof port & { hostIP?: string }, field: `${field}.ports[${index}]` })),
  );
  for (const [index, { port, field }] of ports.entries()) {
    for (const { port: other, field: before } of ports.slice(0, index)) {
      if (other.containerPort !== port.containerPort || (other.protocol ?? "TCP") !== (port.protocol ?? "TCP")) continue;
      const [ip, otherIp, host, otherHost] = [port.hostIP ?? "", other.hostIP ?? "", port.hostPort ?? 0, other.hostPort ?? 0];
      if (ip === otherIp && host === otherHost) warnings.push(`${field}: duplicate port definition with ${before}`);
      else if (host === 0 || otherHost === 0) warnings.push(`${field}: overlapping port definition with ${before}`);
      else if (host === otherHost && (ip === "") !== (otherIp === "")) warnings.push(`${field}: dangerously ambiguous port definition with ${before}`);
    }
  }
  const names = new Map<string, string>();
  for (const { port, field } of ports) {
    if (!port.name) continue;
    const other = names.get(port.name);
    if (other)
      warnings.push(
        `${field}: duplicate port name ${JSON.stringify(port.name)} with ${other}, services and probes that select ports by name will use ${other}`,
      );
    else names.set(port.name, field);
  }
  return warnings;
}
