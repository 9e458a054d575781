/** What the API server fills into pods and pod templates. https://github.com/kubernetes/kubernetes → pkg/apis/core/v1/defaults.go has the rules. */
import type { Container, Pod, PodSpec, PodTemplate, Probe, ProbeHandler, Volume } from "../core.ts";
import { parseReference } from "./image-reference.ts";
import { qosClass } from "./qos.ts";
import { canonicalQuantity } from "./quantity.ts";

/** Files from ConfigMaps, Secrets and the like are 0644 where nothing else is said. */
const DEFAULT_FILE_MODE = 0o644;

export function defaultPod(pod: Pod, old?: Pod): void {
  const spec = (pod.spec ??= { containers: [] });
  defaultPodSpec(spec);
  for (const container of everyContainer(spec)) if (spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ??= port.containerPort;
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1;
  spec.enableServiceLinks ??= true;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) requestsFromLimits(container);
  if (!old) pod.status = { phase: "Pending", qosClass: qosClass(spec), ...gated(pod) };
  else if (pod.status) {
    sameAddresses(pod.status);
    const {
      containerStatuses = [],
      initContainerStatuses = [],
      ephemeralContainerStatuses = [],
    } = pod.status as Record<string, { state?: object; lastState?: object }[] | undefined>;
    for (const status of [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses]) {
      status.state ??= {};
      status.lastState ??= {};
    }
  }
}

/** What says of a new pod that its scheduling gates hold it. */
function gated({ metadata, spec }: Pod): Pick<NonNullable<Pod["status"]>, "conditions"> {
  if (!(spec as { schedulingGates?: unknown[] } | undefined)?.schedulingGates?.length) return {};
  const message = "Scheduling is blocked due to non-empty scheduling gates";
  return {
    conditions: [
      { type: "PodScheduled", status: "False", lastProbeTime: null, lastTransitionTime: metadata.creationTimestamp ?? "", reason: "SchedulingGated", message },
    ],
  };
}

/** The first of a pod's addresses has an old field of its own: both are always shown. */
function sameAddresses(status: NonNullable<Pod["status"]>): void {
  if (status.podIPs?.length) status.podIP = status.podIPs[0]?.ip;
  else if (status.podIP) status.podIPs = [{ ip: status.podIP }];
}

export function defaultPodTemplate(template: PodTemplate | undefined): void {
  if (!template) return;
  template.metadata ??= {};
  if (template.spec) defaultPodSpec(template.spec);
}

function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ??= "Always";
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ??= "ClusterFirst";
  spec.securityContext ??= {};
  spec.schedulerName ??= "default-scheduler";
  // serviceAccount is the old name of the same field: both are always shown.
  const account = spec.serviceAccountName || spec.serviceAccount;
  if (account) spec.serviceAccountName = spec.serviceAccount = account;
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of everyContainer(spec)) defaultContainer(container);
}

function everyContainer(spec: PodSpec): Container[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

function defaultContainer(container: Container): void {
  container.imagePullPolicy ??= pullsAlways(container.image ?? "") ? "Always" : "IfNotPresent";
  container.terminationMessagePath ??= "/dev/termination-log";
  container.terminationMessagePolicy ??= "File";
  container.resources ??= {};
  for (const amounts of [container.resources.limits, container.resources.requests]) canonicalAmounts(amounts);
  for (const port of container.ports ?? []) port.protocol ??= "TCP";
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ??= "v1";
    if (valueFrom?.resourceFieldRef) valueFrom.resourceFieldRef.divisor = String(canonicalQuantity(valueFrom.resourceFieldRef.divisor ?? "0"));
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) if (probe) defaultProbe(probe);
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop]) if (handler) defaultHandler(handler);
}

/** A container that names limits but no requests asks for as much as it may have. */
function requestsFromLimits(container: Container): void {
  const limits = container.resources?.limits;
  if (!container.resources || !limits || Object.keys(limits).length === 0) return;
  container.resources.requests = { ...limits, ...container.resources.requests };
}

export function canonicalAmounts(amounts: Record<string, unknown> | undefined): void {
  for (const name in amounts) amounts[name] = canonicalQuantity(amounts[name]);
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.grpc) probe.grpc.service ??= "";
  defaultHandler(probe);
}

function defaultHandler(handler: ProbeHandler): void {
  if (!handler.httpGet) return;
  handler.httpGet.path ||= "/";
  handler.httpGet.scheme ||= "HTTP";
}

function pullsAlways(image: string): boolean {
  const { tag, digest } = parseReference(image);
  return digest === undefined && (tag === undefined || tag === "latest");
}

function defaultVolume(volume: Volume): void {
  const { secret, configMap, downwardAPI, projected, hostPath } = volume;
  if (Object.keys(volume).every((key) => key === "name")) volume.emptyDir = {};
  for (const files of [secret, configMap, downwardAPI, projected]) if (files) files.defaultMode ??= DEFAULT_FILE_MODE;
  if (hostPath) hostPath.type ??= "";
  const { iscsi, ephemeral } = volume as Volume & {
    iscsi?: { iscsiInterface?: string };
    ephemeral?: { volumeClaimTemplate?: { metadata?: object; spec?: { volumeMode?: string } } };
  };
  if (iscsi) iscsi.iscsiInterface ??= "default";
  if (ephemeral?.volumeClaimTemplate) {
    ephemeral.volumeClaimTemplate.metadata ??= {};
    if (ephemeral.volumeClaimTemplate.spec) ephemeral.volumeClaimTemplate.spec.volumeMode ??= "Filesystem";
  }
  if (volume.emptyDir?.sizeLimit !== undefined) volume.emptyDir.sizeLimit = String(canonicalQuantity(volume.emptyDir.sizeLimit));
  const downward = [...(downwardAPI?.items ?? []), ...(projected?.sources ?? []).flatMap((source) => source.downwardAPI?.items ?? [])];
  for (const item of downward) {
    if (item.fieldRef) item.fieldRef.apiVersion ??= "v1";
    if (item.resourceFieldRef) item.resourceFieldRef.divisor = String(canonicalQuantity(item.resourceFieldRef.divisor ?? "0"));
  }
  for (const { serviceAccountToken } of projected?.sources ?? []) if (serviceAccountToken) serviceAccountToken.expirationSeconds ??= 3600;
}
