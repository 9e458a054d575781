import { defaultMeshConfig, type MeshConfig } from "../../../controlplane/registry/index.ts";
import type { LabelSelector } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { list, object, strings, text, type Json } from "../proxy-config/dump.ts";

export type Labels = Readonly<Record<string, string>>;

export interface WorldOptions {
  readonly istioNamespace: string;
  readonly mesh?: MeshConfig;
  /** Networks of the mesh by name, as the ConfigMap `istio` has them. */
  readonly networks?: Json;
}

/** Everything that is analysed together. Of objects of one kind and name the last one given is there. */
export class World {
  readonly istioNamespace: string;
  readonly mesh: MeshConfig;
  readonly networks: Json;
  readonly #byKind = new Map<string, KubeObject[]>();

  constructor(objects: readonly KubeObject[], { istioNamespace, mesh = defaultMeshConfig(), networks = {} }: WorldOptions) {
    this.istioNamespace = istioNamespace;
    this.mesh = mesh;
    this.networks = networks;
    const seen = new Map<string, KubeObject>();
    for (const candidate of objects) seen.set(`${kindOf(candidate)} ${candidate.metadata.namespace ?? ""}/${candidate.metadata.name}`, candidate);
    for (const candidate of seen.values()) {
      const same = this.#byKind.get(kindOf(candidate));
      if (same) same.push(candidate);
      else this.#byKind.set(kindOf(candidate), [candidate]);
    }
  }

  kind(kind: string): KubeObject[] {
    return this.#byKind.get(kind) ?? [];
  }

  find(kind: string, namespace: string, name: string): KubeObject | undefined {
    return this.kind(kind).find(({ metadata }) => metadata.name === name && (metadata.namespace ?? "") === namespace);
  }

  /** Pods with all the labels; in one namespace, or anywhere. */
  pods(labels: Labels, namespace?: string): KubeObject[] {
    return this.kind("Pod").filter((pod) => (namespace === undefined || namespaceOf(pod) === namespace) && hasLabels(pod, labels));
  }

  namespaceLabels(name: string): Labels | undefined {
    return this.find("Namespace", "", name)?.metadata.labels ?? (this.find("Namespace", "", name) ? {} : undefined);
  }
}

/** The kind, where two groups have one of the same name with the group's word before it. */
function kindOf({ apiVersion, kind }: KubeObject): string {
  return apiVersion?.startsWith("gateway.networking.k8s.io/") && kind === "Gateway" ? "KubernetesGateway" : kind;
}

export function spec(of: KubeObject): Json {
  return object(of.spec);
}

export function namespaceOf(of: KubeObject): string {
  return of.metadata.namespace ?? "";
}

/** `namespace/name`, or the name alone of what has no namespace. */
export function fullName({ metadata }: KubeObject): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}

export function stringMap(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(object(value)).map(([key, item]) => [key, text(item)]));
}

/** Labels as Go prints a selector: sorted, `k=v`, commas. */
export function labelText(labels: Labels): string {
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`)
    .join(",");
}

export function hasLabels(of: KubeObject, labels: Labels): boolean {
  return contains(of.metadata.labels ?? {}, labels);
}

export function contains(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

export function labelSelector(value: unknown): LabelSelector | undefined {
  return typeof value === "object" && value !== null ? (object(value) as LabelSelector) : undefined;
}

/** `a.b/name` or `name` in a namespace. */
export function qualifiedName(name: string, namespace: string): { namespace: string; name: string } {
  const slash = name.indexOf("/");
  return slash < 0 ? { namespace, name } : { namespace: name.slice(0, slash), name: name.slice(slash + 1) };
}

export function containersOf(podSpec: Json): Json[] {
  return list(podSpec.containers);
}

/** The spec of the pods that a deployment makes, and their metadata. */
export function templateOf(deployment: KubeObject): { spec: Json; labels: Labels; annotations: Labels } {
  const template = object(spec(deployment).template);
  const metadata = object(template.metadata);
  return { spec: object(template.spec), labels: stringMap(metadata.labels), annotations: stringMap(metadata.annotations) };
}

/** Whether a pod has or would get a sidecar: its container, its own word, its namespace's. */
export function inMesh(world: World, pod: { labels: Labels; annotations: Labels; containers: readonly Json[]; namespace: string }): boolean {
  if (text(pod.containers.find(({ name }) => name === "istio-proxy")?.image) !== "") return true;
  const word = pod.labels["sidecar.istio.io/inject"] ?? pod.annotations["sidecar.istio.io/inject"];
  if (word !== undefined) return word === "true";
  return world.namespaceLabels(pod.namespace)?.["istio-injection"] === "enabled";
}

export function podInMesh(world: World, pod: KubeObject): boolean {
  const { containers, initContainers } = spec(pod);
  return inMesh(world, {
    labels: pod.metadata.labels ?? {},
    annotations: pod.metadata.annotations ?? {},
    containers: [...list(containers), ...list(initContainers)],
    namespace: namespaceOf(pod),
  });
}

export function podIsAmbient(pod: KubeObject): boolean {
  return pod.metadata.annotations?.["ambient.istio.io/redirection"] === "enabled";
}

/** Objects of Istio's own installation. */
export function isControlPlane({ metadata }: KubeObject): boolean {
  return metadata.labels?.istio !== undefined || metadata.labels?.release === "istio";
}

export { list, object, strings, text, type Json };
