import type { KubeObject } from "../../../resources/types.ts";
import { proxyImage } from "../injection/injector-list.ts";
import { hooksOf, selects } from "../injection/webhooks.ts";
import { type Analyzer, type Finding, goList } from "./findings.ts";
import { contains, containersOf, list, namespaceOf, object, spec, stringMap, templateOf, text, type Json, type World } from "./world.ts";

const INJECTION_LABEL = "istio-injection";
const REVISION_LABEL = "istio.io/rev";
const MODE_LABEL = "istio.io/dataplane-mode";
const CONFIG_MAP = "istio-sidecar-injector";
const PROXY = "istio-proxy";

export const injection: Analyzer = {
  name: "injection.Analyzer",
  description: "Checks conditions related to Istio sidecar injection",
  needs: ["Namespace", "Pod"],
  run(world) {
    const findings: Finding[] = [];
    const injected = new Set<string>();
    for (const about of world.kind("Namespace")) {
      const { name, labels = {} } = about.metadata;
      if (name === world.istioNamespace) continue;
      findings.push(...severalLabels(about));
      if (labels[MODE_LABEL] === "ambient") continue;
      if (!labels[INJECTION_LABEL] && labels[REVISION_LABEL] === undefined)
        findings.push(injectedByDefault(world, labels[REVISION_LABEL]) ? byDefault(about) : notInjected(about));
      else if (labels[INJECTION_LABEL] === "enabled") injected.add(name);
    }
    for (const about of world.kind("Pod")) {
      const wish = about.metadata.labels?.["sidecar.istio.io/inject"] ?? about.metadata.annotations?.["sidecar.istio.io/inject"];
      if (!injected.has(namespaceOf(about)) || wish?.toLowerCase() === "false" || spec(about).hostNetwork === true) continue;
      if (proxiesOf(about).every(({ image }) => text(image) === ""))
        findings.push({
          code: "IST0103",
          about,
          message: `The pod ${namespaceOf(about)}/${about.metadata.name} is missing the Istio proxy. This can often be resolved by restarting or redeploying the workload.`,
        });
    }
    return findings;
  },
};

/** Labels that say different things of injection; a namespace that is switched off is not asked further. */
function severalLabels(about: KubeObject): Finding[] {
  const { labels = {} } = about.metadata;
  const switched = labels[INJECTION_LABEL];
  const others = switched === undefined || switched === "enabled" ? [REVISION_LABEL, MODE_LABEL].filter((label) => labels[label] !== undefined) : [];
  const said = [...(switched === undefined ? [] : [INJECTION_LABEL]), ...others].map((label) => `${label}=${labels[label]}`);
  if (said.length < 2) return [];
  return [
    {
      code: "IST0123",
      about,
      message: `The namespace has more than one type of injection labels ${goList(said)}, which may lead to undefined behavior. Make sure only one injection label exists.`,
    },
  ];
}

function notInjected(about: KubeObject): Finding {
  const { name } = about.metadata;
  return {
    code: "IST0102",
    about,
    message: `The namespace is not enabled for Istio injection. Run 'kubectl label namespace ${name} istio-injection=enabled' to enable it, or 'kubectl label namespace ${name} istio-injection=disabled' to explicitly mark it as not needing injection.`,
    path: ".metadata.name",
  };
}

function byDefault(about: KubeObject): Finding {
  return { code: "IST0148", about, message: "is enabled for Istio injection, as Istio is installed with enableNamespacesByDefault as true." };
}

function configMapName(revision: string | undefined): string {
  return revision === undefined || revision === "" || revision === "default" ? CONFIG_MAP : `${CONFIG_MAP}-${revision}`;
}

function injectedByDefault(world: World, revision: string | undefined): boolean {
  const configMap = world.kind("ConfigMap").find(({ metadata }) => metadata.name === configMapName(revision));
  const { values } = object(configMap?.data);
  if (typeof values !== "string") return false;
  try {
    return object(object(JSON.parse(values)).sidecarInjectorWebhook).enableNamespacesByDefault === true;
  } catch {
    return false;
  }
}

function proxiesOf(pod: KubeObject): Json[] {
  return [...containersOf(spec(pod)), ...list(spec(pod).initContainers)].filter(({ name }) => name === PROXY);
}

export const proxyImages: Analyzer = {
  name: "injection.ImageAnalyzer",
  description: "Checks the image of auto-injection configured with the running proxies on pods",
  needs: ["Namespace", "Pod"],
  run(world) {
    const images = new Map(
      world
        .kind("ConfigMap")
        .filter(({ metadata }) => metadata.name.startsWith(CONFIG_MAP))
        .map((map) => [map.metadata.name, proxyImage(map)]),
    );
    if (images.size === 0) return [];
    return world.kind("Namespace").flatMap((about): Finding[] => {
      const { name, labels = {} } = about.metadata;
      const revision = labels[REVISION_LABEL] ?? (labels[INJECTION_LABEL] === "enabled" ? "default" : undefined);
      const image = revision === undefined ? undefined : images.get(configMapName(revision));
      if (image === undefined) return [];
      const stale = world
        .kind("Pod")
        .filter((pod) => namespaceOf(pod) === name && !pod.metadata.annotations?.["sidecar.istio.io/proxyImage"])
        .flatMap((pod) =>
          proxiesOf(pod)
            .filter((container) => container.image !== image && container.image !== `${image}-${imageType(world, pod)}`)
            .map(() => pod.metadata.name),
        );
      if (stale.length === 0) return [];
      return [
        {
          code: "IST0158",
          about,
          message: `The Istio proxy images of the pods running in the namespace do not match the image defined in the injection configuration (pod names: ${goList(stale.sort())}). This often happens after upgrading the Istio control-plane and can be fixed by redeploying the pods.`,
        },
      ];
    });
  },
};

/** The variant of the image that a pod is configured to have, from wide to narrow. */
function imageType(world: World, pod: KubeObject): string {
  const typeOf = (config: unknown): string => text(object(object(config).image).imageType);
  const configs = world.kind("ProxyConfig");
  const selected = (config: KubeObject): boolean => contains(pod.metadata.labels ?? {}, stringMap(object(spec(config).selector).matchLabels));
  const levels = [
    typeOf(world.mesh.defaultConfig),
    ...configs.filter((config) => namespaceOf(config) === world.mesh.rootNamespace).map((config) => typeOf(config.spec)),
    ...configs.filter((config) => namespaceOf(config) === namespaceOf(pod) && spec(config).selector === undefined).map((config) => typeOf(config.spec)),
    ...configs
      .filter((config) => namespaceOf(config) === namespaceOf(pod) && spec(config).selector !== undefined && selected(config))
      .map((config) => typeOf(config.spec)),
    annotatedType(pod),
  ];
  const type = levels.findLast((level) => level !== "") ?? "";
  return type === "default" ? "" : type;
}

function annotatedType(pod: KubeObject): string {
  try {
    return text(object(object(Bun.YAML.parse(pod.metadata.annotations?.["proxy.istio.io/config"] ?? "")).image).imageType);
  } catch {
    // Another analyzer tells of annotations that cannot be read.
    return "";
  }
}

export const autoImages: Analyzer = {
  name: "injection.ImageAutoAnalyzer",
  description: "Makes sure that Pods and Deployments with `image: auto` are going to be injected",
  needs: ["Namespace", "Pod"],
  run(world) {
    const isAuto = (pod: Json): boolean => containersOf(pod).some(({ name, image }) => name === PROXY && image === "auto");
    const hooks = world
      .kind("MutatingWebhookConfiguration")
      .flatMap(hooksOf)
      .filter(({ name }) => name.endsWith("istio.io"));
    const message = (kind: string, name: string): string =>
      `${kind} ${name} contains \`image: auto\` but does not match any Istio injection webhook selectors.`;
    const pods = world.kind("Pod").filter((pod) => isAuto(spec(pod)));
    const deployments = world.kind("Deployment").filter((deployment) => {
      const { spec: pod, labels } = templateOf(deployment);
      const namespace = world.namespaceLabels(namespaceOf(deployment) || "default") ?? {};
      return isAuto(pod) && !hooks.some(({ namespaceSelector, objectSelector }) => selects(namespaceSelector, namespace) && selects(objectSelector, labels));
    });
    return [
      ...pods.map((about): Finding => ({ code: "IST0147", about, message: message("Pod", about.metadata.name) })),
      ...deployments.map((about): Finding => ({ code: "IST0146", about, message: message("Deployment", about.metadata.name) })),
    ];
  },
};
