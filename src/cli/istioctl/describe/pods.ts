import { ChainmailError, errorText } from "../../../base/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import type { KubeAccess } from "../kube-access.ts";
import { parseDump, type ConfigDump } from "../proxy-config/dump.ts";
import { podRef } from "../version.ts";
import { shownName } from "./names.ts";
import { containersOf } from "./ports.ts";
import type { Labels } from "./traffic.ts";

export const ADMIN_PORT = 15000;
/** The proxy's own user, which capture lets pass. */
const PROXY_UID = 1337;
const REQUIREMENTS = "https://istio.io/v1.30/docs/ops/deployment/requirements/";
/** Labels that name a workload's service and revision for telemetry. */
const SERVICE_LABELS = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
const REVISION_LABELS = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];

interface PodStatus {
  readonly phase?: string;
  readonly containerStatuses?: readonly { readonly name: string; readonly ready: boolean }[];
  readonly initContainerStatuses?: readonly { readonly name: string; readonly ready: boolean }[];
}

/** A pod's ports, and what is wrong with it from the mesh's point of view. */
export function podText(pod: KubeObject, namespace: string, ignoreUnmeshed: boolean): string {
  const name = shownName(pod, namespace);
  const containers = containersOf(pod);
  const lines = containers
    .filter(({ name: own, securityContext }) => own !== "istio-proxy" && own !== "istio-operator" && securityContext?.runAsUser === PROXY_UID)
    .map(() => "WARNING: User ID (UID) 1337 is reserved for the sidecar proxy.");
  lines.push(`Pod: ${name}`, `   Pod Revision: ${revisionOf(pod)}`);
  const ports = containers.flatMap((container) =>
    (container.ports ?? []).map(({ containerPort, protocol = "TCP" }) => `${containerPort}${protocol === "TCP" ? "" : `/${protocol}`} (${container.name})`),
  );
  lines.push(ports.length > 0 ? `   Pod Ports: ${ports.join(", ")}` : "   Pod does not expose ports");
  lines.push(...warnings(pod, name, ignoreUnmeshed));
  return lines.map((line) => `${line}\n`).join("");
}

function warnings(pod: KubeObject, name: string, ignoreUnmeshed: boolean): string[] {
  const status = statusOf(pod);
  if (status.phase !== "Running") return [`   Pod is not Running (${status.phase ?? ""})`];
  const lines: string[] = [];
  for (const { name: container, ready } of status.containerStatuses ?? []) if (!ready) lines.push(`WARNING: Pod ${name} Container ${container} NOT READY`);
  for (const { name: container, ready } of status.initContainerStatuses ?? [])
    if (!ready) lines.push(`WARNING: Pod ${name} Init Container ${container} NOT READY`);
  if (ignoreUnmeshed) return lines;
  if (!isMeshed(pod)) return [...lines, `WARNING: ${name} is not part of mesh; no Istio sidecar`];
  if ((pod.spec as { securityContext?: { runAsUser?: number } } | undefined)?.securityContext?.runAsUser === PROXY_UID)
    lines.push("   WARNING: User ID (UID) 1337 is reserved for the sidecar proxy.");
  const labels = pod.metadata.labels ?? {};
  if (!SERVICE_LABELS.some((label) => label in labels)) lines.push(`Suggestion: add required service name label for Istio telemetry. See ${REQUIREMENTS}.`);
  if (!REVISION_LABELS.some((label) => label in labels))
    lines.push(`Suggestion: add required service revision label for Istio telemetry. See ${REQUIREMENTS}.`);
  return lines;
}

/** The revision that injected a pod; empty where none did. */
function revisionOf(pod: KubeObject): string {
  const annotations = pod.metadata.annotations ?? {};
  if (annotations["istio.io/rev"] !== undefined) return annotations["istio.io/rev"];
  try {
    const status: unknown = JSON.parse(annotations["sidecar.istio.io/status"] ?? "{}");
    return typeof status === "object" && status !== null && "revision" in status ? String(status.revision) : "";
  } catch {
    // Anybody may write annotations; one that is no JSON names no revision.
    return "";
  }
}

/** A sidecar stands among the containers, or among the init containers where those may go on running. */
function isMeshed(pod: KubeObject): boolean {
  const spec = pod.spec as { containers?: { name: string }[]; initContainers?: { name: string }[] } | undefined;
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].some(({ name }) => name === "istio-proxy");
}

/** Why a pod of a service cannot be asked; undefined when it can. */
export function unusable(pod: KubeObject, namespace: string): string | undefined {
  const { phase, containerStatuses = [], initContainerStatuses = [] } = statusOf(pod);
  if (phase !== "Running") return `   Pod is not Running (${phase ?? ""})\n`;
  const proxy = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === "istio-proxy");
  if (!proxy) return `Pod ${shownName(pod, namespace)}: no container "istio-proxy" in pod\n`;
  return proxy.ready ? undefined : `WARNING: Pod ${shownName(pod, namespace)} Container istio-proxy NOT READY\n`;
}

function statusOf(pod: KubeObject): PodStatus {
  return (pod.status as PodStatus | undefined) ?? {};
}

export function labelsMatch(selector: Labels, pod: KubeObject): boolean {
  return Object.entries(selector).every(([key, value]) => pod.metadata.labels?.[key] === value);
}

/** A proxy's configuration; `whose` names it where it cannot be had. */
export async function dumpOf(kube: KubeAccess, pod: KubeObject, whose: string, adminPort: number): Promise<ConfigDump> {
  try {
    return parseDump((await kube.request(podRef(pod), adminPort, "GET", "config_dump")).body);
  } catch (cause) {
    throw new ChainmailError("PROXY_REQUEST_FAILED", `failed to execute command on ${whose}: ${errorText(cause)}`, { cause });
  }
}
