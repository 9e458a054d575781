import { parseDocument } from "yaml";
import type { Container, Pod, PodSpec } from "../../resources/index.ts";
import { NO_TEMPLATES, type CustomTemplates } from "./custom-templates.ts";
import { InjectionError } from "./errors.ts";
import { OVERRIDES, overridesText, userOverrides } from "./overrides.ts";
import { proxyConfigJson } from "./proxy-config.ts";
import { INIT_CONTAINER, PROXY_CONTAINER, settingsFor, TEMPLATES, type InjectionContext, type SidecarSettings, type Template } from "./settings.ts";
import { parseTemplate, runTemplate, strategicMerge, structOf, templateFunctions } from "./template/index.ts";

/** User and group of the proxy: its traffic is not captured. */
const PROXY_ID = 1337;
const STATUS = "sidecar.istio.io/status";
const VALIDATION_CONTAINER = "istio-validation";
const CORE_DUMP_CONTAINER = "enable-core-dump";

type BuiltIn = (pod: Pod, template: Template) => Pod;

/** Whether a pod gets anything else than one of the built-in templates as it is. */
export function usesCustomTemplates(names: readonly string[], { templates }: CustomTemplates): boolean {
  const [only, ...others] = names;
  return others.length > 0 || only === undefined || !isBuiltIn(only) || templates.has(only);
}

/**
 * Lays one template after the other over the pod, as Istio does. `builtIn` injects by a template that is built in;
 * `finish` does for pods without one what no template can.
 */
export function injectByTemplates(
  pod: Pod,
  namespace: string,
  context: InjectionContext,
  names: readonly string[],
  builtIn: BuiltIn,
  finish: (pod: Pod, settings: SidecarSettings) => Pod,
): Pod {
  const custom = context.templates ?? NO_TEMPLATES;
  const settings = settingsFor(pod, namespace, context);
  const data = dataOf(settings, custom);
  let merged: Pod = pod;
  let made: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "" }, spec: { containers: [] } };
  let finished = false;
  for (const name of names) {
    const text = custom.templates.get(name);
    if (text === undefined) {
      if (!isBuiltIn(name))
        throw new InjectionError(
          `requested template ${JSON.stringify(name)} not found; have [${[...new Set([...TEMPLATES, ...custom.templates.keys()])].join(", ")}]`,
        );
      merged = builtIn(merged, name);
      finished = true;
      continue;
    }
    const layer = forNative(rendered(text, data, settings) as Partial<Pod>, merged);
    merged = strategicMerge(movedProxy(merged, layer, settings.nativeWanted), layer) as Pod;
    made = strategicMerge(made, layer) as Pod;
  }
  merged = overlaid(merged, pod, made);
  if (!finished) merged = reordered(finish(merged, settings), settings.hold);
  return {
    ...merged,
    metadata: {
      ...merged.metadata,
      annotations: { ...merged.metadata.annotations, [STATUS]: status(merged.metadata.annotations?.[STATUS], finished, made.spec, settings) },
    },
  };
}

function isBuiltIn(name: string): name is Template {
  return TEMPLATES.some((known) => known === name);
}

/** What templates see, under the names that Istio gives it. */
function dataOf({ pod, workload, config, mesh, values, image, native }: SidecarSettings, custom: CustomTemplates): Record<string, unknown> {
  return {
    TypeMeta: { Kind: workload.kind, APIVersion: workload.apiVersion },
    DeploymentMeta: { Name: workload.name, Namespace: workload.namespace },
    ObjectMeta: structOf(pod.metadata),
    Spec: structOf(pod.spec ?? { containers: [] }),
    ProxyConfig: structOf({ interceptionMode: "REDIRECT", ...config }),
    MeshConfig: structOf(mesh),
    Values: Object.keys(custom.values).length > 0 ? custom.values : values,
    Revision: values.revision || "default",
    NativeSidecars: native,
    ProxyImage: image,
    ProxyInitImage: image,
    ProxyUID: PROXY_ID,
    ProxyGID: PROXY_ID,
    InboundTrafficPolicyMode: (mesh["inboundTrafficPolicy"] as { mode?: string } | undefined)?.mode ?? "PASSTHROUGH",
    CompliancePolicy: "",
  };
}

function rendered(text: string, data: Record<string, unknown>, settings: SidecarSettings): unknown {
  const functions = templateFunctions(process.env);
  // Of the proxy's configuration only what differs from the default is written.
  const protoToJSON = (value: unknown): unknown => (value === data["ProxyConfig"] ? proxyConfigJson(settings.config) : functions["protoToJSON"]?.(value));
  const made = runTemplate(parseTemplate(text, { ...functions, protoToJSON }), data);
  const document = parseDocument(made, { version: "1.1", prettyErrors: false, uniqueKeys: false });
  // What templates make is seldom indented well within braces, which Go's parser does not mind.
  const problem = document.errors.find(({ code, message }) => code !== "BAD_INDENT" || !message.startsWith("Flow "));
  if (problem)
    throw new InjectionError(`failed parsing generated injected YAML (check Istio sidecar injector configuration): ${problem.message}`, { cause: problem });
  return document.toJS({ maxAliasCount: 0 }) ?? {};
}

/** Where an earlier template has made the proxy a native sidecar, what a later one says of the container is about that. */
function forNative(layer: Partial<Pod>, merged: Pod): Partial<Pod> {
  const isProxy = ({ name }: Container): boolean => name === PROXY_CONTAINER;
  const { spec } = layer;
  const own = spec?.containers?.filter(isProxy) ?? [];
  if (!spec || own.length === 0 || !merged.spec?.initContainers?.some(isProxy)) return layer;
  return {
    ...layer,
    spec: { ...spec, containers: spec.containers.filter((container) => !isProxy(container)), initContainers: [...(spec.initContainers ?? []), ...own] },
  };
}

/** A container istio-proxy that the user wrote belongs where the template has its own. */
function movedProxy(pod: Pod, layer: Partial<Pod>, native: boolean): Pod {
  const inits = layer.spec?.initContainers ?? [];
  const own = pod.spec?.containers.find(({ name }) => name === PROXY_CONTAINER);
  if (!native || !own || !pod.spec || !inits.some(({ name }) => name === PROXY_CONTAINER)) return pod;
  return {
    ...pod,
    spec: { ...pod.spec, containers: pod.spec.containers.filter((container) => container !== own), initContainers: [...(pod.spec.initContainers ?? []), own] },
  };
}

/** What users wrote of the containers that templates make goes over these, and is kept for the next injection. */
function overlaid(merged: Pod, original: Pod, made: Pod): Pod {
  const names = [...(made.spec?.containers ?? []), ...(made.spec?.initContainers ?? [])].map(({ name }) => name);
  const own = userOverrides(original, names);
  const text = overridesText(own);
  if (text === undefined || !merged.spec) return merged;
  const users = new Map([...own.initContainers, ...own.containers].map((container) => [container.name, container]));
  const over = (container: Container): Container => {
    const { image, ...rest } = users.get(container.name) ?? container;
    return users.has(container.name) ? (strategicMerge(container, { ...rest, ...(image && image !== "auto" && { image }) }) as Container) : container;
  };
  const spec: PodSpec = {
    ...merged.spec,
    containers: merged.spec.containers.map(over),
    ...(merged.spec.initContainers && { initContainers: merged.spec.initContainers.map(over) }),
  };
  return { ...merged, metadata: { ...merged.metadata, annotations: { ...merged.metadata.annotations, [OVERRIDES]: text } }, spec };
}

/** The proxy comes last, so that tools go on to choose the application first; first where others wait for it, or depend on it. */
function reordered(pod: Pod, hold: boolean): Pod {
  if (!pod.spec) return pod;
  const { containers, initContainers = [] } = pod.spec;
  const first = (list: readonly Container[], name: string): Container[] => [
    ...list.filter((one) => one.name === name),
    ...list.filter((one) => one.name !== name),
  ];
  const last = (list: readonly Container[], name: string): Container[] => [
    ...list.filter((one) => one.name !== name),
    ...list.filter((one) => one.name === name),
  ];
  const native = initContainers.some(({ name }) => name === PROXY_CONTAINER);
  const inits = native
    ? [CORE_DUMP_CONTAINER, PROXY_CONTAINER, VALIDATION_CONTAINER, INIT_CONTAINER].reduce(first, initContainers)
    : [INIT_CONTAINER, CORE_DUMP_CONTAINER].reduce(last, first(initContainers, VALIDATION_CONTAINER));
  return { ...pod, spec: { ...pod.spec, containers: (hold ? first : last)(containers, PROXY_CONTAINER), ...(inits.length > 0 && { initContainers: inits }) } };
}

interface Status {
  initContainers: string[] | null;
  containers: string[] | null;
  volumes: string[] | null;
  imagePullSecrets: string[] | null;
  revision: string;
}

/** What was injected, by name: what a built-in template has written down, and what the others made. */
function status(before: string | undefined, hasBuiltIn: boolean, spec: PodSpec | undefined, { values }: SidecarSettings): string {
  const known = hasBuiltIn && before !== undefined ? (JSON.parse(before) as Status) : undefined;
  const add = (list: readonly string[] | null | undefined, items: readonly { name?: string }[] | undefined): string[] | null => {
    const all = [...new Set([...(list ?? []), ...(items ?? []).flatMap(({ name }) => name ?? [])])];
    return all.length > 0 ? all : null;
  };
  const result: Status = {
    initContainers: add(known?.initContainers, spec?.initContainers),
    containers: add(known?.containers, spec?.containers),
    volumes: add(known?.volumes, spec?.volumes),
    imagePullSecrets: add(known?.imagePullSecrets, spec?.imagePullSecrets),
    revision: values.revision || "default",
  };
  return JSON.stringify(result);
}
