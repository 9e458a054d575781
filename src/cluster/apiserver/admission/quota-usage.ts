import { canonicalQuantity, type KubeObject, type Pod, qosClass } from "../../../resources/index.ts";
import { type Amounts, amountsOf, nanosOf, podAmounts, sum } from "./pod-amounts.ts";

/** A ResourceQuota's side: what it bounds and of which pods. */
export interface Quota {
  hard: Amounts;
  scopes: readonly Scope[];
}

interface Scope {
  scopeName?: string;
  operator?: string;
  values?: string[];
}

/** Kinds of which the bare plural counts, too. */
const COUNTED = new Set(["/configmaps", "/secrets", "/replicationcontrollers", "/resourcequotas"]);
/** What a pod's containers ask for under a quota's older names without `requests.`. */
const COMPUTE = ["cpu", "memory", "ephemeral-storage"];
/** What each container has to name where a quota bounds it. */
const NAMED_BY_CONTAINERS = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

export function quotaOf(object: KubeObject): Quota {
  const {
    hard = {},
    scopes = [],
    scopeSelector,
  } = (object.spec ?? {}) as { hard?: Amounts; scopes?: string[]; scopeSelector?: { matchExpressions?: Scope[] } };
  return { hard, scopes: [...scopes.map((scopeName) => ({ scopeName, operator: "Exists" })), ...(scopeSelector?.matchExpressions ?? [])] };
}

/** `count/deployments.apps` of `apps/deployments`. */
export function countName(id: string): string {
  const [group = "", plural = ""] = id.split("/");
  return `count/${plural}${group === "" ? "" : `.${group}`}`;
}

/** The kind that a quota's name is about, as `group/plural`: the reverse of {@link countName}, and of the bare names. */
export function kindOf(name: string): string {
  if (name.startsWith("count/")) {
    const [plural = "", ...group] = name.slice("count/".length).split(".");
    return `${group.join(".")}/${plural}`;
  }
  if (name === "requests.storage" || name === "persistentvolumeclaims" || name.includes(".storageclass.storage.k8s.io/")) return "/persistentvolumeclaims";
  if (name === "services" || name.startsWith("services.")) return "/services";
  return COUNTED.has(`/${name}`) ? `/${name}` : "/pods";
}

/** What one object takes of a quota, under every name that a quota may give it. */
export function usageOf(id: string, object: KubeObject): Amounts {
  const usage: Amounts = { [countName(id)]: "1" };
  if (COUNTED.has(id)) usage[id.slice(1)] = "1";
  if (id === "/pods") return { ...usage, ...podUsage(object as KubeObject as Pod) };
  if (id === "/services") return { ...usage, ...serviceUsage(object) };
  if (id === "/persistentvolumeclaims") return { ...usage, ...claimUsage(object) };
  return usage;
}

/** Whether a quota is about an object at all. */
export function isInScope({ scopes }: Quota, id: string, object: KubeObject): boolean {
  return scopes.every((scope) => id === "/pods" && podMatches(scope, object as KubeObject as Pod));
}

/** The part of `usage` that the quota bounds. */
export function bounded({ hard }: Quota, usage: Amounts): Amounts {
  return Object.fromEntries(Object.entries(usage).filter(([name]) => hard[name] !== undefined));
}

/** What the containers of a pod fail to name although the quota bounds it, in the real server's words; undefined if nothing. */
export function unnamed({ hard }: Quota, { spec }: Pod): string | undefined {
  if (!spec || (spec as { resources?: object }).resources) return undefined;
  const missing = NAMED_BY_CONTAINERS.filter((name) => hard[name] !== undefined)
    .sort()
    .flatMap((name) => {
      const without = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].filter(
        (container) => computeUsage(amountsOf(container, "requests"), amountsOf(container, "limits"))[name] === undefined,
      );
      const names = [...new Set(without.map((container) => container.name))].sort();
      return names.length > 0 ? [`${name} for: ${names.join(",")}`] : [];
    });
  return missing.length > 0 ? `must specify ${missing.join("; ")}` : undefined;
}

/** How much more `next` takes than `before`; what does not grow is left out. */
export function growth(next: Amounts, before: Amounts): Amounts {
  return Object.fromEntries(
    Object.entries(next).flatMap(([name, amount]) => {
      const more = nanosOf(amount) - nanosOf(before[name] ?? "0");
      if (more <= 0n) return [];
      return [[name, nanosOf(before[name] ?? "0") === 0n ? amount : String(canonicalQuantity(`${more}n`))]];
    }),
  );
}

function podUsage(pod: Pod): Amounts {
  const { spec, status } = pod;
  // What has ended takes nothing any more.
  if (!spec || status?.phase === "Succeeded" || status?.phase === "Failed") return {};
  return computeUsage(podAmounts(spec, "requests"), podAmounts(spec, "limits"));
}

function computeUsage(requests: Amounts, limits: Amounts): Amounts {
  const usage: Amounts = { pods: "1" };
  for (const [name, amount] of Object.entries(requests)) {
    usage[`requests.${name}`] = amount;
    if (COMPUTE.includes(name) || name.startsWith("hugepages-")) usage[name] = amount;
  }
  for (const name of COMPUTE) if (limits[name] !== undefined) usage[`limits.${name}`] = limits[name];
  return usage;
}

function serviceUsage({ spec }: KubeObject): Amounts {
  const {
    type,
    ports = [],
    allocateLoadBalancerNodePorts,
  } = (spec ?? {}) as { type?: string; ports?: { nodePort?: number }[]; allocateLoadBalancerNodePorts?: boolean };
  const balanced = type === "LoadBalancer";
  const counted = balanced && allocateLoadBalancerNodePorts === false ? ports.filter(({ nodePort }) => nodePort) : balanced || type === "NodePort" ? ports : [];
  return { services: "1", "services.loadbalancers": balanced ? "1" : "0", "services.nodeports": String(counted.length) };
}

function claimUsage({ spec }: KubeObject): Amounts {
  const { resources, storageClassName } = (spec ?? {}) as { resources?: { requests?: Amounts }; storageClassName?: string };
  const storage = resources?.requests?.["storage"];
  const usage: Amounts = { persistentvolumeclaims: "1", ...(storage === undefined ? {} : { "requests.storage": storage }) };
  if (!storageClassName) return usage;
  const prefix = `${storageClassName}.storageclass.storage.k8s.io/`;
  return { ...usage, ...Object.fromEntries(Object.entries(usage).map(([name, amount]) => [prefix + name, amount])) };
}

function podMatches({ scopeName, operator, values = [] }: Scope, { spec }: Pod): boolean {
  const own = spec as (NonNullable<Pod["spec"]> & { priorityClassName?: string; activeDeadlineSeconds?: number }) | undefined;
  if (!own) return false;
  switch (scopeName) {
    case "Terminating":
      return own.activeDeadlineSeconds !== undefined;
    case "NotTerminating":
      return own.activeDeadlineSeconds === undefined;
    case "BestEffort":
      return qosClass(own) === "BestEffort";
    case "NotBestEffort":
      return qosClass(own) !== "BestEffort";
    case "PriorityClass": {
      const name = own.priorityClassName ?? "";
      if (operator === "Exists" || operator === "DoesNotExist") return (name !== "") === (operator === "Exists");
      return operator === "In" ? values.includes(name) : !values.includes(name);
    }
    default:
      return false;
  }
}

/** The sum over many objects. */
export function total(usages: Iterable<Amounts>): Amounts {
  let result: Amounts = {};
  for (const usage of usages) result = sum(result, usage);
  return result;
}
