import type { Container, ContainerPort, EphemeralContainer, PodSpec, Volume } from "../../core.ts";
import type { FieldError } from "../../types.ts";
import { duplicate, forbidden, invalid, invalids, notFound, notSupported, oneOf, required, Unique } from "../field.ts";
import { dns1123Label, portName, portNumber } from "../names.ts";
import { validateEnv, validateEnvFrom } from "./environment.ts";
import { forbiddenInInit, validateProbesAndHooks } from "./probes.ts";
import { validateResources } from "./resources.ts";
import { type ContainerSecurity, validateContainerSecurity } from "./security.ts";
import { validateMounts } from "./volumes.ts";

/** What containers are checked against: the pod's parts that they refer to. */
export interface PodParts {
  spec: PodSpec;
  volumes: ReadonlyMap<string, Volume>;
  claims: ReadonlySet<string>;
}

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES = ["File", "FallbackToLogsOnError"];

/** All containers of a pod, in the order in which the real server goes through them. */
export function validateContainers(parts: PodParts, field: string): FieldError[] {
  const { containers = [], initContainers = [], ephemeralContainers = [], terminationGracePeriodSeconds: grace } = parts.spec;
  const errors: FieldError[] = [];
  const at = `${field}.containers`;
  if (containers.length === 0) errors.push(required(at));
  const names = new Unique();
  for (const [index, container] of containers.entries()) {
    const own = `${at}[${index}]`;
    errors.push(...validateContainer(container, own, parts), ...names.check(`${own}.name`, container.name));
    errors.push(...validateProbesAndHooks(container, own, grace));
    if (container.restartPolicy !== undefined) errors.push(forbidden(`${own}.restartPolicy`, "may not be set for non-init containers"));
  }
  errors.push(...hostPortConflicts(containers, at));
  const taken = new Set(containers.map((container) => container.name));
  for (const [index, container] of initContainers.entries()) {
    const own = `${field}.initContainers[${index}]`;
    const sidecar = container.restartPolicy === "Always";
    errors.push(...validateContainer(container, own, parts));
    if (container.restartPolicy !== undefined && !sidecar) errors.push(notSupported(`${own}.restartPolicy`, container.restartPolicy, ["Always"]));
    if (taken.has(container.name)) errors.push(duplicate(`${own}.name`, container.name));
    else if (container.name) taken.add(container.name);
    errors.push(...hostPortConflicts([container], `${field}.initContainers`));
    errors.push(...(sidecar ? validateProbesAndHooks(container, own, grace) : forbiddenInInit(container, own)));
  }
  return [...errors, ...validateEphemeral(ephemeralContainers, parts, `${field}.ephemeralContainers`, taken)];
}

function validateContainer(container: Container, field: string, { spec, volumes, claims }: PodParts): FieldError[] {
  const errors: FieldError[] = container.name ? invalids(`${field}.name`, container.name, dns1123Label(container.name)) : [required(`${field}.name`)];
  if (!container.image) errors.push(required(`${field}.image`));
  const policy = container.terminationMessagePolicy;
  if (policy !== undefined && !MESSAGE_POLICIES.includes(policy)) errors.push(notSupported(`${field}.terminationMessagePolicy`, policy, MESSAGE_POLICIES));
  errors.push(...validatePorts(container.ports ?? [], `${field}.ports`));
  for (const [index, variable] of (container.env ?? []).entries()) errors.push(...validateEnv(variable, `${field}.env[${index}]`));
  errors.push(...validateEnvFrom(container.envFrom ?? [], `${field}.envFrom`), ...validateMounts(container, field, volumes));
  if (container.imagePullPolicy) errors.push(...oneOf(`${field}.imagePullPolicy`, container.imagePullPolicy, PULL_POLICIES));
  errors.push(...validateResources(container.resources ?? {}, `${field}.resources`, claims));
  const { hostUsers } = spec as PodSpec & { hostUsers?: boolean };
  if (container.securityContext)
    errors.push(...validateContainerSecurity(container.securityContext as ContainerSecurity, `${field}.securityContext`, hostUsers ?? true));
  return errors;
}

/** What a container for debugging may not have: it is there to look, not to serve. */
const NOT_EPHEMERAL = ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy"] as const;

function validateEphemeral(containers: readonly EphemeralContainer[], parts: PodParts, field: string, taken: Set<string>): FieldError[] {
  const others = new Set(taken);
  return containers.flatMap((container, index) => {
    const own = `${field}[${index}]`;
    const errors = validateContainer(container, own, parts);
    if (container.image && container.image !== container.image.trim()) errors.push(surroundedBySpaces(container.image, own));
    if (taken.has(container.name)) errors.push(duplicate(`${own}.name`, container.name));
    taken.add(container.name);
    const target = container.targetContainerName;
    if (target && !others.has(target)) errors.push(notFound(`${own}.targetContainerName`, target));
    for (const name of NOT_EPHEMERAL)
      if ((container as unknown as Record<string, unknown>)[name] !== undefined)
        errors.push(forbidden(`${own}.${name}`, "cannot be set for an Ephemeral Container"));
    if (Object.keys(container.resources ?? {}).length > 0) errors.push(forbidden(`${own}.resources`, "cannot be set for an Ephemeral Container"));
    for (const [at, mount] of (container.volumeMounts ?? []).entries())
      if (mount.subPath) errors.push(forbidden(`${own}.volumeMounts[${at}].subPath`, "cannot be set for an Ephemeral Container"));
    return errors;
  });
}

/** Only pods are asked: templates have been let pass for too long. */
export function validateImages(containers: readonly Container[], field: string): FieldError[] {
  return containers.flatMap(({ image }, index) => (image && image !== image.trim() ? [surroundedBySpaces(image, `${field}[${index}]`)] : []));
}

function surroundedBySpaces(image: string, field: string): FieldError {
  return invalid(`${field}.image`, image, "must not have leading or trailing whitespace");
}

function validatePorts(ports: readonly ContainerPort[], field: string): FieldError[] {
  const names = new Unique();
  return ports.flatMap((port, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (port.name) {
      const problems = invalids(`${at}.name`, port.name, portName(port.name));
      errors.push(...(problems.length > 0 ? problems : names.check(`${at}.name`, port.name)));
    }
    if (!port.containerPort) errors.push(required(`${at}.containerPort`));
    else errors.push(...invalids(`${at}.containerPort`, port.containerPort, portNumber(port.containerPort)));
    if (port.hostPort) errors.push(...invalids(`${at}.hostPort`, port.hostPort, portNumber(port.hostPort)));
    return [...errors, ...oneOf(`${at}.protocol`, port.protocol, PROTOCOLS)];
  });
}

function hostPortConflicts(containers: readonly Container[], field: string): FieldError[] {
  const seen = new Set<string>();
  return containers.flatMap((container, index) =>
    (container.ports ?? []).flatMap((port, at) => {
      if (!port.hostPort) return [];
      const place = `${port.protocol ?? "TCP"}/${(port as ContainerPort & { hostIP?: string }).hostIP ?? ""}/${port.hostPort}`;
      if (seen.has(place)) return [duplicate(`${field}[${index}].ports[${at}].hostPort`, place)];
      seen.add(place);
      return [];
    }),
  );
}

/** In the host's network a container's port is the host's. Templates leave it to the pod. */
export function validateHostNetwork({ containers = [] }: PodSpec, field: string, isPod: boolean): FieldError[] {
  return containers.flatMap((container, index) =>
    (container.ports ?? []).flatMap(({ hostPort = 0, containerPort }, at) =>
      (isPod || hostPort !== 0) && hostPort !== containerPort
        ? [invalid(`${field}.containers[${index}].ports[${at}].hostPort`, hostPort, "must match `containerPort` when `hostNetwork` is true")]
        : [],
    ),
  );
}
