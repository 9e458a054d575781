import type { Container, ContainerPort, EnvVar, Pod, PodSpec, PodTemplate, Probe, ProbeHandler, Volume } from "../core.ts";
import { parseQuantity } from "../defaults/quantity.ts";
import type { FieldError } from "../types.ts";
import { duplicate, forbidden, invalid, invalids, nonNegative, notFound, notSupported, oneOf, required, sameJson, Unique } from "./field.ts";
import { validateLabels } from "./metadata.ts";
import { dns1123Label, dns1123Subdomain, environmentName, portName, portNumber } from "./names.ts";

export function validatePod(pod: Pod): FieldError[] {
  return pod.spec ? validatePodSpec(pod.spec, "spec") : [required("spec.containers")];
}

export function validatePodTemplate(template: PodTemplate | undefined, field: string): FieldError[] {
  if (!template?.spec) return [required(`${field}.spec.containers`)];
  return [...validateLabels(template.metadata?.labels, `${field}.labels`), ...validatePodSpec(template.spec, `${field}.spec`)];
}

export function validatePodSpec(spec: PodSpec, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const volumes = new Set<string>();
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    const at = `${field}.volumes[${index}]`;
    errors.push(...validateVolume(volume, at));
    if (volumes.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name));
    volumes.add(volume.name);
  }
  const names = new Unique();
  if (!spec.containers?.length) errors.push(required(`${field}.containers`));
  for (const [index, container] of (spec.containers ?? []).entries()) errors.push(...validateContainer(container, `${field}.containers[${index}]`, volumes, names, spec));
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const at = `${field}.initContainers[${index}]`;
    errors.push(...validateContainer(container, at, volumes, names, spec));
    if (container.restartPolicy !== "Always") errors.push(...forbiddenInInit(container, at));
  }
  errors.push(...oneOf(`${field}.restartPolicy`, spec.restartPolicy, ["Always", "OnFailure", "Never"]));
  errors.push(...oneOf(`${field}.dnsPolicy`, spec.dnsPolicy, ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]));
  if (spec.dnsPolicy === "None" && !spec.dnsConfig?.nameservers?.length) {
    errors.push(required(`${field}.dnsConfig.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
  errors.push(...nonNegative(`${field}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds));
  errors.push(...validateLabels(spec.nodeSelector, `${field}.nodeSelector`));
  if (spec.serviceAccountName) errors.push(...invalids(`${field}.serviceAccountName`, spec.serviceAccountName, dns1123Subdomain(spec.serviceAccountName)));
  if (spec.nodeName) errors.push(...invalids(`${field}.nodeName`, spec.nodeName, dns1123Subdomain(spec.nodeName)));
  if (spec.hostname) errors.push(...invalids(`${field}.hostname`, spec.hostname, dns1123Label(spec.hostname)));
  if (spec.subdomain) errors.push(...invalids(`${field}.subdomain`, spec.subdomain, dns1123Label(spec.subdomain)));
  if (spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds < 1) {
    errors.push(invalid(`${field}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, "must be between 1 and 2147483647, inclusive"));
  }
  return errors;
}

function validateContainer(container: Container, field: string, volumes: Set<string>, names: Unique, spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (!container.name) errors.push(required(`${field}.name`));
  else errors.push(...invalids(`${field}.name`, container.name, dns1123Label(container.name)), ...names.check(`${field}.name`, container.name));
  if (!container.image) errors.push(required(`${field}.image`));
  else if (container.image !== container.image.trim()) errors.push(invalid(`${field}.image`, container.image, "must not have leading or trailing whitespace"));
  errors.push(...validatePorts(container.ports ?? [], `${field}.ports`, spec));
  for (const [index, variable] of (container.env ?? []).entries()) errors.push(...validateEnv(variable, `${field}.env[${index}]`));
  const paths = new Set<string>();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${field}.volumeMounts[${index}]`;
    if (!mount.name) errors.push(required(`${at}.name`));
    else if (!volumes.has(mount.name)) errors.push(notFound(`${at}.name`, mount.name));
    if (!mount.mountPath) errors.push(required(`${at}.mountPath`));
    else if (paths.has(mount.mountPath)) errors.push(invalid(`${at}.mountPath`, mount.mountPath, "must be unique"));
    paths.add(mount.mountPath);
    if (mount.subPath?.split("/").includes("..")) errors.push(invalid(`${at}.subPath`, mount.subPath, "must not contain '..'"));
  }
  const probes = { livenessProbe: container.livenessProbe, readinessProbe: container.readinessProbe, startupProbe: container.startupProbe };
  for (const [name, probe] of Object.entries(probes)) if (probe) errors.push(...validateProbe(probe, `${field}.${name}`, name !== "readinessProbe"));
  if (container.lifecycle?.postStart) errors.push(...validateHandler(container.lifecycle.postStart, `${field}.lifecycle.postStart`));
  if (container.lifecycle?.preStop) errors.push(...validateHandler(container.lifecycle.preStop, `${field}.lifecycle.preStop`));
  if (container.imagePullPolicy) errors.push(...oneOf(`${field}.imagePullPolicy`, container.imagePullPolicy, ["Always", "IfNotPresent", "Never"]));
  if (container.terminationMessagePolicy) errors.push(...oneOf(`${field}.terminationMessagePolicy`, container.terminationMessagePolicy, ["FallbackToLogsOnError", "File"]));
  errors.push(...validateResources(container, `${field}.resources`));
  return errors;
}

function forbiddenInInit(container: Container, field: string): FieldError[] {
  const handlers = { lifecycle: container.lifecycle, livenessProbe: container.livenessProbe, readinessProbe: container.readinessProbe, startupProbe: container.startupProbe };
  return Object.entries(handlers)
    .filter(([, value]) => value)
    .map(([name]) => forbidden(`${field}.${name}`, "may not be set for init containers without restartPolicy=Always"));
}

const PROTOCOLS = ["SCTP", "TCP", "UDP"];

function validatePorts(ports: ContainerPort[], field: string, spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Unique();
  for (const [index, port] of ports.entries()) {
    const at = `${field}[${index}]`;
    if (port.name) {
      const problems = invalids(`${at}.name`, port.name, portName(port.name));
      errors.push(...(problems.length > 0 ? problems : names.check(`${at}.name`, port.name)));
    }
    if (!port.containerPort) errors.push(required(`${at}.containerPort`));
    else errors.push(...invalids(`${at}.containerPort`, port.containerPort, portNumber(port.containerPort)));
    if (port.hostPort) errors.push(...invalids(`${at}.hostPort`, port.hostPort, portNumber(port.hostPort)));
    if (spec.hostNetwork && port.hostPort !== undefined && port.hostPort !== port.containerPort) errors.push(invalid(`${at}.hostPort`, port.hostPort, "must match `containerPort` when `hostNetwork` is true"));
    errors.push(...oneOf(`${at}.protocol`, port.protocol, PROTOCOLS));
  }
  return errors;
}

function validateEnv({ name, value, valueFrom }: EnvVar, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${field}.name`));
  else errors.push(...invalids(`${field}.name`, name, environmentName(name)));
  if (!valueFrom) return errors;
  const sources = Object.entries(valueFrom).filter(([, source]) => source);
  if (sources.length === 0) errors.push(invalid(`${field}.valueFrom`, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"));
  else if (value) errors.push(invalid(`${field}.valueFrom`, "", "may not be specified when `value` is not empty"));
  else if (sources.length > 1) errors.push(invalid(`${field}.valueFrom`, "", "may not have more than one field specified at a time"));
  for (const [kind, source] of sources) {
    const at = `${field}.valueFrom.${kind}`;
    if (kind === "fieldRef") errors.push(...validateFieldRef((source as { fieldPath?: string }).fieldPath ?? "", `${at}.fieldPath`));
    if (kind.endsWith("KeyRef") && !(source as { key?: string }).key) errors.push(required(`${at}.key`));
  }
  return errors;
}

const ENV_FIELDS = ["metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"];

function validateFieldRef(path: string, field: string): FieldError[] {
  if (path === "") return [required(field)];
  if (/^metadata\.(labels|annotations)\['.+'\]$/.test(path) || ENV_FIELDS.includes(path)) return [];
  return [notSupported(field, path, ENV_FIELDS)];
}

function validateProbe(probe: Probe, field: string, oneSuccess: boolean): FieldError[] {
  const errors = validateHandler(probe, field);
  for (const name of ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] as const) errors.push(...nonNegative(`${field}.${name}`, probe[name]));
  if (oneSuccess && probe.successThreshold !== undefined && probe.successThreshold !== 1) errors.push(invalid(`${field}.successThreshold`, probe.successThreshold, "must be 1"));
  return errors;
}

function validateHandler(handler: ProbeHandler, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const kinds = (["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const).filter((kind) => handler[kind]);
  if (kinds.length === 0) errors.push(required(field, "must specify a handler type"));
  for (const kind of kinds.slice(1)) errors.push(forbidden(`${field}.${kind}`, "may not specify more than 1 handler type"));
  if (handler.exec && !handler.exec.command?.length) errors.push(required(`${field}.exec.command`));
  for (const kind of ["httpGet", "tcpSocket"] as const) {
    const port = handler[kind]?.port;
    if (!handler[kind]) continue;
    if (typeof port === "number") errors.push(...invalids(`${field}.${kind}.port`, port, portNumber(port)));
    else errors.push(...invalids(`${field}.${kind}.port`, port ?? "", portName(port ?? "")));
  }
  if (handler.httpGet?.scheme) errors.push(...oneOf(`${field}.httpGet.scheme`, handler.httpGet.scheme, ["HTTP", "HTTPS"]));
  if (handler.grpc) errors.push(...invalids(`${field}.grpc.port`, handler.grpc.port, portNumber(handler.grpc.port)));
  return errors;
}

function validateResources(container: Container, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const { limits = {}, requests = {} } = container.resources ?? {};
  for (const [kind, amounts] of [["limits", limits] as const, ["requests", requests] as const]) {
    for (const [name, amount] of Object.entries(amounts)) {
      const quantity = parseQuantity(String(amount));
      if (quantity && quantity.nanos < 0n) errors.push(invalid(`${field}.${kind}[${name}]`, String(amount), "must be greater than or equal to 0"));
    }
  }
  for (const [name, amount] of Object.entries(requests)) {
    const limit = limits[name];
    const [asked, allowed] = [parseQuantity(String(amount)), limit === undefined ? undefined : parseQuantity(String(limit))];
    if (asked && allowed && asked.nanos > allowed.nanos) errors.push(invalid(`${field}.requests`, String(amount), `must be less than or equal to ${name} limit of ${limit}`));
  }
  return errors;
}

function validateVolume(volume: Volume, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!volume.name) errors.push(required(`${field}.name`));
  else errors.push(...invalids(`${field}.name`, volume.name, dns1123Label(volume.name)));
  const sources = Object.keys(volume).filter((key) => key !== "name");
  for (const source of sources.slice(1)) errors.push(forbidden(`${field}.${source}`, "may not specify more than 1 volume type"));
  if (volume.secret && !volume.secret.secretName) errors.push(required(`${field}.secret.secretName`));
  if (volume.configMap && !volume.configMap.name) errors.push(required(`${field}.configMap.name`));
  if (volume.hostPath && !volume.hostPath.path) errors.push(required(`${field}.hostPath.path`));
  if (volume.persistentVolumeClaim && !volume.persistentVolumeClaim.claimName) errors.push(required(`${field}.persistentVolumeClaim.claimName`));
  for (const [index, source] of (volume.projected?.sources ?? []).entries()) {
    const seconds = source.serviceAccountToken?.expirationSeconds;
    if (seconds !== undefined && seconds < 600) errors.push(invalid(`${field}.projected.sources[${index}].serviceAccountToken.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"));
  }
  return errors;
}

/** Of a pod's spec only a few fields may change once it is there. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  if (!pod.spec || !old.spec) return [];
  const errors: FieldError[] = [];
  for (const list of ["containers", "initContainers"] as const) {
    if ((pod.spec[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0)) return [forbidden(`spec.${list}`, "pod updates may not add or remove containers")];
  }
  const [now, before] = [mutableLeftOut(pod.spec, old.spec), mutableLeftOut(old.spec, old.spec)];
  if (!sameJson(now, before)) {
    errors.push(
      forbidden(
        "spec",
        `pod updates may not change fields other than \`spec.containers[*].image\`,\`spec.initContainers[*].image\`,\`spec.activeDeadlineSeconds\`,\`spec.tolerations\` (only additions to existing tolerations),\`spec.terminationGracePeriodSeconds\` (allow it to be set to 1 if it was previously negative)\n${changedLines(before, now)}`,
      ),
    );
  }
  return errors;
}

/** The spec without what may change: images, deadline, added tolerations, scheduling gates that go, a grace period of 1. */
function mutableLeftOut(spec: PodSpec, old: PodSpec): Record<string, unknown> {
  const withoutImage = (containers: Container[] | undefined) => containers?.map((container) => ({ ...container, image: undefined }));
  const added = (spec.tolerations ?? []).filter((toleration) => !(old.tolerations ?? []).some((known) => sameJson(known, toleration)));
  const grace = (old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1 ? old.terminationGracePeriodSeconds : spec.terminationGracePeriodSeconds;
  return {
    ...spec,
    activeDeadlineSeconds: undefined,
    schedulingGates: undefined,
    // A gated pod may still be told where to go.
    ...(old.schedulingGates?.length ? { nodeSelector: undefined, affinity: undefined } : {}),
    terminationGracePeriodSeconds: grace,
    tolerations: (spec.tolerations ?? []).filter((toleration) => !added.includes(toleration)),
    containers: withoutImage(spec.containers),
    initContainers: withoutImage(spec.initContainers),
  };
}

function changedLines(before: Record<string, unknown>, now: Record<string, unknown>): string {
  const lines: string[] = [];
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (sameJson(before[key], now[key])) continue;
    if (before[key] !== undefined) lines.push(`- "${key}": ${JSON.stringify(before[key])}`);
    if (now[key] !== undefined) lines.push(`+ "${key}": ${JSON.stringify(now[key])}`);
  }
  return lines.join("\n");
}
