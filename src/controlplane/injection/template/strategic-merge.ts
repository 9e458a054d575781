import { isMap } from "./data.ts";

/** By which field the elements of a pod's lists are the same; lists that are not here are replaced as a whole. */
const KEYS: Readonly<Record<string, string>> = {
  containers: "name",
  initContainers: "name",
  ephemeralContainers: "name",
  volumes: "name",
  env: "name",
  ports: "containerPort",
  volumeMounts: "mountPath",
  volumeDevices: "devicePath",
  imagePullSecrets: "name",
  hostAliases: "ip",
  topologySpreadConstraints: "topologyKey",
  resourceClaims: "name",
  schedulingGates: "name",
};

/** Kubernetes' strategic merge patch of a pod: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md */
export function strategicMerge(original: unknown, patch: unknown, field = ""): unknown {
  if (Array.isArray(patch)) return Array.isArray(original) ? mergedList(original, patch, field) : patch.filter((item: unknown) => !isDirective(item));
  if (!isMap(patch)) return patch;
  if (patch["$patch"] === "replace") return withoutDirectives(patch);
  const result: Record<string, unknown> = isMap(original) ? { ...original } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) continue;
    if (value === null) delete result[key];
    else result[key] = strategicMerge(result[key], value, key);
  }
  return result;
}

function mergedList(original: readonly unknown[], patch: readonly unknown[], field: string): unknown[] {
  const key = KEYS[field];
  if (key === undefined || patch.some((item) => isMap(item) && item["$patch"] === "replace")) return patch.filter((item) => !isDirective(item));
  const keyOf = (item: unknown): unknown => (isMap(item) ? item[key] : undefined);
  const gone = new Set(patch.filter((item) => isMap(item) && item["$patch"] === "delete").map(keyOf));
  const before = original.filter((item) => !gone.has(keyOf(item)));
  const places = new Map(before.map((item, index) => [keyOf(item), index]));
  const patched = patch
    .filter((item) => !isDirective(item))
    .map((item) => {
      const at = places.get(keyOf(item));
      return strategicMerge(at === undefined ? undefined : before[at], item);
    });
  const named = new Set(patched.map(keyOf));
  return inOrder(
    patched,
    before.filter((item) => !named.has(keyOf(item))),
    (item) => places.get(keyOf(item)),
  );
}

/** What the patch names stays in its order and what it does not in the old one; new elements come first. */
function inOrder(patched: readonly unknown[], others: readonly unknown[], placeOf: (item: unknown) => number | undefined): unknown[] {
  const result: unknown[] = [];
  let rest = [...others];
  for (const item of patched) {
    const place = placeOf(item);
    const earlier = place === undefined ? -1 : rest.findIndex((other) => (placeOf(other) ?? 0) > place);
    const count = place === undefined ? 0 : earlier < 0 ? rest.length : earlier;
    result.push(...rest.slice(0, count), item);
    rest = rest.slice(count);
  }
  return [...result, ...rest];
}

function isDirective(item: unknown): boolean {
  return isMap(item) && (item["$patch"] === "delete" || (item["$patch"] === "replace" && Object.keys(item).length === 1));
}

function withoutDirectives(patch: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(patch).filter(([key]) => !key.startsWith("$")));
}
