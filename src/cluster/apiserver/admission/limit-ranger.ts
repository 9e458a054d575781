import { type Container, type KubeObject, type Pod, qosClass } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import { forbidden } from "../http/status.ts";
import { type Amounts, amountsOf, nanosOf, podAmounts } from "./pod-amounts.ts";
import type { AdmissionPlugin, Attributes } from "./types.ts";

const ANNOTATION = "kubernetes.io/limit-ranger";

interface Limit {
  type?: string;
  min?: Amounts;
  max?: Amounts;
  default?: Amounts;
  defaultRequest?: Amounts;
  maxLimitRequestRatio?: Amounts;
}

/** What one thing asks for and may have at most. */
interface Wants {
  requests: Amounts;
  limits: Amounts;
}

/**
 * Gives containers the amounts that a namespace's LimitRanges have for those that name none, and refuses (403) pods and
 * claims beyond their bounds. https://kubernetes.io/docs/concepts/policy/limit-range/
 */
export function limitRanger(store: Store): AdmissionPlugin {
  return {
    complete(attributes: Attributes): void {
      const { object, operation, resource, subresource } = attributes;
      if (operation !== "CREATE" || resource.id !== "/pods" || subresource !== "" || !object?.spec) return;
      const pod = object as KubeObject as Pod;
      for (const limits of rangesIn(store, attributes.namespace)) fillIn(pod, limits);
    },
    validate(attributes: Attributes): void {
      const { object, operation, resource, subresource, name } = attributes;
      if (subresource !== "" || !object?.spec || object.metadata.deletionTimestamp) return;
      const pods = resource.id === "/pods" && operation === "CREATE";
      const claims = resource.id === "/persistentvolumeclaims" && (operation === "CREATE" || operation === "UPDATE");
      if (!pods && !claims) return;
      for (const limits of rangesIn(store, attributes.namespace)) {
        const problems = limits.flatMap((limit) => (pods ? podProblems(limit, object as KubeObject as Pod) : claimProblems(limit, object)));
        if (problems.length > 0) throw forbidden(resource.definition, name, problems.length === 1 ? (problems[0] as string) : `[${problems.join(", ")}]`);
      }
    },
  };
}

/** The limits of each range. */
function rangesIn(store: Store, namespace: string): (readonly Limit[])[] {
  return store.list("/limitranges", namespace).map(({ object }) => ((object.spec ?? {}) as { limits?: Limit[] }).limits ?? []);
}

function fillIn(pod: Pod, limits: readonly Limit[]): void {
  const { spec } = pod;
  const ofContainers = limits.filter(({ type }) => type === "Container");
  const byDefault: Wants = {
    requests: Object.assign({}, ...ofContainers.map((limit) => limit.defaultRequest)),
    limits: Object.assign({}, ...ofContainers.map((limit) => limit.default)),
  };
  if (!spec || Object.keys(byDefault.requests).length + Object.keys(byDefault.limits).length === 0) return;
  const set = [
    ...(spec.containers ?? []).flatMap((one) => fillContainer(one, byDefault, "container")),
    ...(spec.initContainers ?? []).flatMap((one) => fillContainer(one, byDefault, "init container")),
  ];
  if (set.length === 0) return;
  (pod.metadata.annotations ??= {})[ANNOTATION] = `LimitRanger plugin set: ${set.join("; ")}`;
  if (pod.status) (pod.status as { qosClass?: string }).qosClass = qosClass(spec);
}

/** Returns what was set, in the words of the annotation. */
function fillContainer(container: Container, byDefault: Wants, what: string): string[] {
  const resources = (container.resources ??= {}) as { requests?: Amounts; limits?: Amounts };
  return (["requests", "limits"] as const).flatMap((part) => {
    const missing = Object.keys(byDefault[part])
      .filter((name) => resources[part]?.[name] === undefined)
      .sort();
    for (const name of missing) (resources[part] ??= {})[name] = byDefault[part][name] as string;
    return missing.length > 0 ? [`${missing.join(", ")} ${part === "requests" ? "request" : "limit"} for ${what} ${container.name}`] : [];
  });
}

function podProblems(limit: Limit, pod: Pod): string[] {
  const { spec } = pod;
  if (!spec) return [];
  if (limit.type === "Pod") return problemsOf(limit, { requests: podAmounts(spec, "requests"), limits: podAmounts(spec, "limits") });
  if (limit.type !== "Container") return [];
  return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap((container) =>
    problemsOf(limit, { requests: amountsOf(container, "requests"), limits: amountsOf(container, "limits") }),
  );
}

function problemsOf(limit: Limit, wants: Wants): string[] {
  const type = limit.type ?? "";
  return [
    ...each(limit.min, (name, bound) => below(type, name, bound, wants)),
    ...each(limit.max, (name, bound) => above(type, name, bound, wants)),
    ...each(limit.maxLimitRequestRatio, (name, bound) => beyondRatio(type, name, bound, wants)),
  ];
}

function claimProblems(limit: Limit, claim: KubeObject): string[] {
  if (limit.type !== "PersistentVolumeClaim") return [];
  const { requests = {} } = (claim.spec as { resources?: { requests?: Amounts } }).resources ?? {};
  const type = limit.type;
  return [
    ...each(limit.min, (name, bound) => below(type, name, bound, { requests, limits: {} })),
    ...each(limit.max, (name, bound) => {
      const request = requests[name];
      if (request === undefined) return `maximum ${name} usage per ${type} is ${bound}.  No request is specified`;
      return more(request, bound) ? `maximum ${name} usage per ${type} is ${bound}, but request is ${request}` : undefined;
    }),
  ];
}

function each(bounds: Amounts | undefined, check: (name: string, bound: string) => string | undefined): string[] {
  return Object.entries(bounds ?? {}).flatMap(([name, bound]) => check(name, String(bound)) ?? []);
}

function below(type: string, name: string, bound: string, { requests, limits }: Wants): string | undefined {
  const rule = `minimum ${name} usage per ${type} is ${bound}`;
  const [request, limit] = [requests[name], limits[name]];
  if (request === undefined) return `${rule}.  No request is specified`;
  if (more(bound, request)) return `${rule}, but request is ${request}`;
  return limit !== undefined && more(bound, limit) ? `${rule}, but limit is ${limit}` : undefined;
}

function above(type: string, name: string, bound: string, { requests, limits }: Wants): string | undefined {
  const rule = `maximum ${name} usage per ${type} is ${bound}`;
  const [request, limit] = [requests[name], limits[name]];
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (more(limit, bound)) return `${rule}, but limit is ${limit}`;
  return request !== undefined && more(request, bound) ? `${rule}, but request is ${request}` : undefined;
}

/** The digits that Go's %f shows. */
const RATIO_DIGITS = 6;

function beyondRatio(type: string, name: string, bound: string, { requests, limits }: Wants): string | undefined {
  const rule = `${name} max limit to request ratio per ${type} is ${bound}`;
  const [request, limit] = [nanosOf(requests[name] ?? "0"), nanosOf(limits[name] ?? "0")];
  if (request === 0n) return `${rule}, but no request is specified or request is 0`;
  if (limit === 0n) return `${rule}, but no limit is specified or limit is 0`;
  const ratio = Number(limit) / Number(request);
  return ratio > Number(nanosOf(bound)) / 1e9 ? `${rule}, but provided ratio is ${ratio.toFixed(RATIO_DIGITS)}` : undefined;
}

function more(a: string, b: string): boolean {
  return nanosOf(a) > nanosOf(b);
}
