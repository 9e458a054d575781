import type { Container, Pod } from "../../resources/index.ts";
import { InjectionError } from "./errors.ts";

/** What users wrote of the containers that injection makes; kept in an annotation, so that injecting again starts from the same. */
export const OVERRIDES = "proxy.istio.io/overrides";
const STATUS = "sidecar.istio.io/status";

interface Overrides {
  readonly containers: readonly Container[];
  readonly initContainers: readonly Container[];
}

/** Kubernetes' own order of a container's fields, in which tools compare the annotation. */
const FIELDS = [
  "name",
  "image",
  "command",
  "args",
  "workingDir",
  "ports",
  "envFrom",
  "env",
  "resources",
  "resizePolicy",
  "restartPolicy",
  "volumeMounts",
  "volumeDevices",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "terminationMessagePath",
  "terminationMessagePolicy",
  "imagePullPolicy",
  "securityContext",
];
const PORT_FIELDS = ["name", "hostPort", "containerPort", "protocol", "hostIP"];

/** The user's own containers with one of these names. In a pod that was injected before they are those that were kept: what has the names now is ours. */
export function userOverrides(pod: Pod, names: readonly string[]): Overrides {
  const earlier = parse(pod.metadata.annotations?.[OVERRIDES]);
  const injected = pod.metadata.annotations?.[STATUS] !== undefined;
  const of = (list: readonly Container[] | undefined, kept: readonly Container[]): Container[] => {
    const own = injected ? [] : (list ?? []).filter(({ name }) => names.includes(name));
    return [...own, ...kept.filter(({ name }) => !own.some((container) => container.name === name))];
  };
  return { containers: of(pod.spec?.containers, earlier.containers), initContainers: of(pod.spec?.initContainers, earlier.initContainers) };
}

/** The annotation's value; undefined when users wrote none of them. */
export function overridesText({ containers, initContainers }: Overrides): string | undefined {
  if (containers.length === 0 && initContainers.length === 0) return undefined;
  return JSON.stringify({
    ...(containers.length > 0 && { containers: containers.map(inOrder) }),
    ...(initContainers.length > 0 && { initContainers: initContainers.map(inOrder) }),
  });
}

function inOrder(container: Container): Record<string, unknown> {
  const { image, ports, ...rest } = container;
  // "auto" stands for the image of the day: it is no choice of the user's.
  const fields: Record<string, unknown> = {
    resources: {},
    ...rest,
    ...(image && image !== "auto" && { image }),
    ...(ports && { ports: ports.map((port) => sorted({ ...port }, PORT_FIELDS)) }),
  };
  return sorted(fields, FIELDS);
}

function sorted(fields: Record<string, unknown>, order: readonly string[]): Record<string, unknown> {
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => rank(a) - rank(b)));
}

function parse(text: string | undefined): Overrides {
  if (text === undefined) return { containers: [], initContainers: [] };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new InjectionError(`invalid annotation: ${OVERRIDES}: not JSON`, { cause });
  }
  const list = (name: string): Container[] => {
    const value = typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>)[name] : undefined;
    if (value === undefined || value === null) return [];
    if (
      !Array.isArray(value) ||
      !value.every((container) => typeof container === "object" && container !== null && typeof (container as Container).name === "string")
    )
      throw new InjectionError(`invalid annotation: ${OVERRIDES}: ${name} is no list of containers`);
    return value as Container[];
  };
  return { containers: list("containers"), initContainers: list("initContainers") };
}
