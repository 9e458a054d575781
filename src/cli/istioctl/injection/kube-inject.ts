import { ChainmailError } from "../../../base/index.ts";
import { injectionRequired, injectSidecar, type InjectionContext } from "../../../controlplane/injection/index.ts";
import type { Pod } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { goYaml } from "../format/go-yaml.ts";
import { parseKubeYaml, plainValue, splitDocuments } from "../format/kube-yaml.ts";
import { asGoWrites } from "./go-objects.ts";

type Fields = Record<string, unknown>;

export interface FileContext extends InjectionContext {
  /** Pods of templates have no owner, as where a webhook is asked about them one by one. */
  readonly anonymous?: boolean;
  /** Is told of objects with pods that get no sidecar. */
  readonly skipped?: (reason: string) => void;
}

/** YAML documents with sidecars in their pods. A document of a kind without pods keeps its text; comments alone are left out. */
export function injectDocuments(text: string, namespace: string, context: FileContext): string {
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

/** undefined for kinds without pods. */
function injectValue(value: Fields, namespace: string, context: FileContext): Fields | undefined {
  if (Array.isArray(value.items)) {
    const items = value.items.map((item: unknown) => (isFields(item) ? (injectValue(item, namespace, context) ?? item) : item));
    return value.kind === "List" || items.some((item, index) => item !== (value.items as unknown[])[index]) ? { ...value, items } : undefined;
  }
  const place = templatePath(value);
  if (!place) return undefined;
  const object = value as Fields & KubeObject;
  const where = object.metadata?.namespace ?? (context.anonymous ? "default" : namespace);
  const template = templateAt(value, place);
  const pod = podOf(object, template, place.length === 0 || (context.anonymous ?? false));
  if (!pod.spec) return undefined;
  if (!injectionRequired(pod, where, context.values)) {
    const name = [object.metadata?.namespace ?? "", template.metadata?.name || (object.metadata?.name ?? "")].filter(Boolean).join("/");
    context.skipped?.(
      `===> Skipping injection because ${object.kind} ${JSON.stringify(name)} has ${pod.spec.hostNetwork ? "host networking enabled" : "sidecar injection disabled"}\n`,
    );
    return value;
  }
  const { metadata, spec } = injectSidecar(pod, where, context);
  const { ownerReferences: _, generateName: _generated, ...kept } = metadata;
  const own = place.length === 0 ? metadata : { ...kept, ...(template.metadata?.name === undefined && { name: undefined }) };
  if (!isCronJob(value)) return replaced(value, place, { ...template, metadata: withoutUndefined(own), spec });
  const withSpec = replaced(value, place, { ...at(value, place), metadata: at(value, [...place, "metadata"]), spec });
  return replaced(withSpec, JOB_TEMPLATE, { ...at(withSpec, JOB_TEMPLATE), metadata: withoutUndefined(own) });
}

/** Where a kind keeps its pod: nowhere for kinds that have none. */
function templatePath({ kind, spec }: Fields): string[] | undefined {
  if (kind === "Pod") return [];
  if (kind === "CronJob") return ["spec", "jobTemplate", "spec", "template"];
  return isFields(spec) && isFields(spec.template) && isFields(spec.template.spec) && "containers" in spec.template.spec ? ["spec", "template"] : undefined;
}

const JOB_TEMPLATE = ["spec", "jobTemplate"];

function isCronJob({ kind }: Fields): boolean {
  return kind === "CronJob";
}

/** A pod's template. Of a CronJob Istio takes the labels and annotations of the job's template for the pod's, and writes them there. */
function templateAt(value: Fields, place: readonly string[]): { metadata?: KubeObject["metadata"]; spec?: Pod["spec"] } {
  const template = at(value, place) as { metadata?: KubeObject["metadata"]; spec?: Pod["spec"] };
  return isCronJob(value) ? { ...template, metadata: at(value, [...JOB_TEMPLATE, "metadata"]) as unknown as KubeObject["metadata"] } : template;
}

/** The pod that the controller would make, so that the sidecar knows its workload. */
function podOf(owner: Fields & KubeObject, template: { metadata?: KubeObject["metadata"]; spec?: Pod["spec"] }, itself: boolean): Pod {
  const metadata = { ...template.metadata, name: template.metadata?.name ?? "" };
  const controller = { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata?.name ?? "", uid: "", controller: true };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: itself ? metadata : { ...metadata, generateName: `${controller.name}-`, ownerReferences: [controller] },
    ...(template.spec && { spec: template.spec }),
  };
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
