import type { Container } from "../../resources/index.ts";

/** What names an element of a container's lists, as strategic merge patch has it. */
const KEYS: Record<string, string> = { env: "name", ports: "containerPort", volumeMounts: "mountPath", envFrom: "prefix" };

/**
 * A container istio-proxy (or istio-init) that the user wrote into the pod is not replaced but laid over ours: that is
 * how users change a sidecar. The image "auto" stands for ours.
 */
export function overlayContainer(ours: Container, users: Container | undefined): Container {
  if (!users) return ours;
  const { image, ...rest } = users;
  const merged = merge(ours, rest) as Container;
  return image && image !== "auto" ? { ...merged, image } : merged;
}

function merge(base: unknown, over: unknown, field = ""): unknown {
  if (over === undefined || over === null) return base;
  if (Array.isArray(base) && Array.isArray(over)) {
    const key = KEYS[field];
    if (!key) return over.length > 0 ? over : base;
    const named = new Map(over.map((element: unknown) => [keyOf(element, key), element]));
    const kept = base.map((element: unknown) => {
      const update = named.get(keyOf(element, key));
      named.delete(keyOf(element, key));
      // An element is taken whole: value and valueFrom of a variable exclude each other.
      return update ?? element;
    });
    return [...kept, ...named.values()];
  }
  if (isRecord(base) && isRecord(over)) {
    const out: Record<string, unknown> = { ...base };
    for (const [name, value] of Object.entries(over)) out[name] = merge(base[name], value, name);
    return out;
  }
  return over;
}

function keyOf(element: unknown, key: string): unknown {
  return isRecord(element) ? element[key] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
