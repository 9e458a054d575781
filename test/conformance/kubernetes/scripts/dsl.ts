/** Words to write conversations with: paths, bodies and steps. */
import type { Script, Step } from "../types.ts";

type More = Partial<Omit<Step, "title" | "method" | "path">>;

export const step = (title: string, method: string, path: string, more: More = {}): Step => ({ title, method, path, ...more });
export const get = (title: string, path: string, more: More = {}): Step => step(title, "GET", path, more);
export const post = (title: string, path: string, body: unknown, more: More = {}): Step => step(title, "POST", path, { body, ...more });
export const put = (title: string, path: string, body: unknown, more: More = {}): Step => step(title, "PUT", path, { body, ...more });
export const del = (title: string, path: string, body?: unknown, more: More = {}): Step =>
  step(title, "DELETE", path, { ...(body === undefined ? {} : { body }), ...more });
export const mergePatch = (title: string, path: string, body: unknown, more: More = {}): Step =>
  step(title, "PATCH", path, { body, type: "application/merge-patch+json", ...more });
export const strategic = (title: string, path: string, body: unknown, more: More = {}): Step =>
  step(title, "PATCH", path, { body, type: "application/strategic-merge-patch+json", ...more });
export const jsonPatch = (title: string, path: string, body: unknown, more: More = {}): Step =>
  step(title, "PATCH", path, { body, type: "application/json-patch+json", ...more });
export const apply = (title: string, path: string, body: unknown, manager = "m1", more: More & { query?: string } = {}): Step => {
  const { query = "", ...rest } = more;
  return step(title, "PATCH", `${path}?fieldManager=${manager}${query}`, { body, type: "application/apply-patch+yaml", ...rest });
};
export const setup = (one: Step): Step => ({ ...one, setup: true });

export const pause = (pauseMs: number): Step => ({ title: "", method: "", path: "", setup: true, pauseMs });

export const script = (name: string, steps: readonly Step[]): Script => {
  const titles = new Set<string>();
  for (const { title } of steps.filter((one) => !one.setup)) {
    if (titles.has(title)) throw new Error(`${name} has two steps called ${title}`);
    titles.add(title);
  }
  return { name, steps };
};

/** The collection of a kind in the script's namespace: `configmaps`, `apps/v1/deployments`. */
export function ns(resource: string, name = ""): string {
  const parts = resource.split("/");
  const prefix = parts.length === 1 ? "/api/v1" : `/apis/${parts.slice(0, -1).join("/")}`;
  return `${prefix}/namespaces/{ns}/${parts.at(-1)}${name === "" ? "" : `/${name}`}`;
}

/** The collection of a kind without a namespace. */
export function cluster(resource: string, name = ""): string {
  const parts = resource.split("/");
  const prefix = parts.length === 1 ? "/api/v1" : `/apis/${parts.slice(0, -1).join("/")}`;
  return `${prefix}/${parts.at(-1)}${name === "" ? "" : `/${name}`}`;
}

export const object = (apiVersion: string, kind: string, name: string | object, rest: object = {}): object => ({
  apiVersion,
  kind,
  metadata: typeof name === "string" ? { name } : name,
  ...rest,
});
export const configMap = (name: string | object, data: object = {}): object => object("v1", "ConfigMap", name, { data });
export const pod = (name: string | object, spec: object = {}): object =>
  object("v1", "Pod", name, { spec: { containers: [{ name: "c", image: "i:1" }], ...spec } });
export const template = (spec: object = {}, labels: object = { app: "a" }): object => ({
  metadata: { labels },
  spec: { containers: [{ name: "c", image: "i:1" }], ...spec },
});
export const deployment = (name: string, spec: object = {}): object =>
  object("apps/v1", "Deployment", name, { spec: { selector: { matchLabels: { app: "a" } }, template: template(), ...spec } });
export const service = (name: string, spec: object = {}): object => object("v1", "Service", name, { spec: { ports: [{ port: 80 }], ...spec } });

export const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
export const PARTIAL = { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" };
export const PARTIAL_LIST = { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" };
export const as = (user: string, ...groups: string[]): Record<string, string> => ({
  "impersonate-user": user,
  ...(groups[0] ? { "impersonate-group": groups[0] } : {}),
});
