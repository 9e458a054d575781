import { canonicalQuantity, parseQuantity, type PodSpec } from "../../../resources/index.ts";

/** Amounts by the resource's name, as texts: `{cpu: "100m"}`. */
export type Amounts = Record<string, string>;

/**
 * What a whole pod takes: its containers together, or more where one that comes before them takes more. Sidecars (init
 * containers that go on) count with both; what the pod itself says wins.
 */
export function podAmounts(spec: PodSpec, part: "requests" | "limits"): Amounts {
  const of = (one: { resources?: object }): Amounts => amountsOf(one, part);
  let total = (spec.containers ?? []).map(of).reduce(sum, {});
  let sidecars: Amounts = {};
  let before: Amounts = {};
  for (const container of spec.initContainers ?? []) {
    const goesOn = (container as { restartPolicy?: string }).restartPolicy === "Always";
    const now = sum(sidecars, of(container));
    if (goesOn) {
      total = sum(total, of(container));
      sidecars = now;
    }
    before = larger(before, now);
  }
  return { ...larger(total, before), ...of(spec as { resources?: object }) };
}

/** What a container (or a pod, in its own name) says itself. */
export function amountsOf({ resources }: { resources?: object }, part: "requests" | "limits"): Amounts {
  return { ...(resources as Partial<Record<typeof part, Amounts>> | undefined)?.[part] };
}

/** The sum of both, resource by resource. */
export function sum(a: Amounts, b: Amounts): Amounts {
  const result = { ...a };
  for (const [name, amount] of Object.entries(b)) result[name] = result[name] === undefined ? String(amount) : plus(result[name], String(amount));
  return result;
}

function larger(a: Amounts, b: Amounts): Amounts {
  const result = { ...a };
  for (const [name, amount] of Object.entries(b)) result[name] = result[name] === undefined ? String(amount) : highest(result[name], String(amount));
  return result;
}

/** The larger of two amounts; of equal ones the first. */
export function highest(a: string, b: string): string {
  return nanosOf(b) > nanosOf(a) ? b : a;
}

export function nanosOf(amount: string): bigint {
  return parseQuantity(amount)?.nanos ?? 0n;
}

/** The first one's form is the sum's, as in Kubernetes. */
function plus(a: string, b: string): string {
  const total = nanosOf(a) + nanosOf(b);
  const binary = /[KMGTPE]i$/.test(nanosOf(a) === 0n ? b : a);
  return String(canonicalQuantity(binary && total % KIBI === 0n ? `${total / KIBI}Ki` : `${total}n`));
}

/** 1024 in nano units. */
const KIBI = 1024n * 1_000_000_000n;
