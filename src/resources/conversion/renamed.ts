import type { KubeObject } from "../types.ts";

/** The object with some of its fields called otherwise. */
export function renamed(object: KubeObject, names: Record<string, string>): KubeObject {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [names[name] ?? name, value])) as KubeObject;
}
