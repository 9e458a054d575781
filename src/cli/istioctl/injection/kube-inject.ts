import { ChainmailError } from "../../../base/index.ts";
import { injectionRequired, injectSidecar, type InjectionContext } from "../../../controlplane/injection/index.ts";
import type { Pod } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { goYaml } from "../format/go-yaml.ts";
import { parseKubeYaml, plainValue, splitDocuments } from "../format/kube-yaml.ts";
import { asGoWrites } from "./go-objects.ts";

type Fields = Record<string, unknown>;

/** YAML documents with sidecars in their pods. A document without pods keeps its text; comments alone are left out. */
export function injectDocuments(text: string, namespace: string, context: InjectionContext): string {
  const documents = splitDocuments(text).flatMap((part) => {
    const parsed = parseKubeYaml(part);
    if (parsed.problem !== undefined) throw new ChainmailError("FILE_INVALID", `error converting YAML to JSON: ${parsed.problem}`);
    const value = plainValue(parsed);
    if (value === null || value === undefined) return [];
    const injected = isFields(value) ? injectValue(value, namespace, context) : undefined;
    return [injected ? goYaml(asGoWrites(injected)) : `${part.replace(/^\n/, "").trimEnd()}\n`];
  });
  return documents.map((document) => `${document.trimEnd()}\n---\n`).join("");
}

/** undefined when nothing in it gets a sidecar. */
function injectValue(value: Fields, namespace: string, context: InjectionContext): Fields | undefined {
  if (Array.isArray(value.items)) {
    const items = value.items.map((item: unknown) => (isFields(item) ? (injectValue(item, namespace, context) ?? item) : item));
    return items.some((item, index) => item !== (value.items as unknown[])[index]) ? { ...value, items } : undefined;
  }
  const place = templatePath(value);
  if (!place) return undefined;
  const object = value as Fields & KubeObject;
  const where = object.metadata?.namespace ?? namespace;
  const template = at(value, place) as { metadata?: KubeObject["metadata"]; spec?: Pod["spec"] };
  const pod = podOf(object, template, place.length === 0);
  if (!pod.spec || !injectionRequired(pod, where, context.values)) return undefined;
  const { metadata, spec } = injectSidecar(pod, where, context);
  const { ownerReferences: _, ...kept } = metadata;
  const own = place.length === 0 ? metadata : { ...kept, ...(template.metadata?.name === undefined && { name: undefined }) };
  return replaced(value, place, { ...template, metadata: withoutUndefined(own), spec });
}

/** Where a kind keeps its pod: nowhere for kinds that have none. */
function templatePath({ kind, spec }: Fields): string[] | undefined {
  if (kind === "Pod") return [];
  if (kind === "CronJob") return ["spec", "jobTemplate", "spec", "template"];
  return isFields(spec) && isFields(spec.template) && isFields(spec.template.spec) && "containers" in spec.template.spec ? ["spec", "template"] : undefined;
}

/** The pod that the controller would make, so that the sidecar knows its workload. */
function podOf(owner: Fields & KubeObject, template: { metadata?: KubeObject["metadata"]; spec?: Pod["spec"] }, itself: boolean): Pod {
  const metadata = { ...template.metadata, name: template.metadata?.name ?? "" };
  const controller = { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata?.name ?? "", uid: "", controller: true };
  return { apiVersion: "v1", kind: "Pod", metadata: itself ? metadata : { ...metadata, ownerReferences: [controller] }, ...(template.spec && { spec: template.spec }) };
}

function at(value: Fields, path: readonly string[]): Fields {
  return path.reduce<Fields>((place, step) => (isFields(place[step]) ? place[step] : {}), value);
}

function replaced(value: Fields, path: readonly string[], inner: Fields): Fields {
  const [step, ...rest] = path;
  if (step === undefined) return inner;
  return { ...value, [step]: replaced(at(value, [step]), rest, inner) };
}

function withoutUndefined(fields: object): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
