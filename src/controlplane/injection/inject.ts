import type { Container, Pod, PodSpec } from "../../resources/index.ts";
import { annotation, validateAnnotations } from "./annotations.ts";
import { injectByTemplates, usesCustomTemplates } from "./by-templates.ts";
import { NO_TEMPLATES, selectedTemplates } from "./custom-templates.ts";
import { InjectionError } from "./errors.ts";
import { initContainer } from "./init-container.ts";
import { overlayContainer } from "./overlay.ts";
import { OVERRIDES, overridesText, userOverrides } from "./overrides.ts";
import { rewriteProbes } from "./probes.ts";
import { mergeMetrics } from "./prometheus.ts";
import { proxyContainer } from "./proxy-container.ts";
import { INIT_CONTAINER, PROXY_CONTAINER, settingsFor, type InjectionContext, type SidecarSettings, type Template } from "./settings.ts";
import { sidecarVolumes } from "./volumes.ts";
import { canonicalName, canonicalRevision } from "./workload.ts";

/** The pod with its sidecar. The argument is not changed. Throws InjectionError when the pod asks for what cannot be. */
export function injectSidecar(pod: Pod, namespace: string, context: InjectionContext): Pod {
  if (!pod.spec) throw new InjectionError("the pod has no spec");
  validateAnnotations(pod.metadata.annotations ?? {});
  const custom = context.templates ?? NO_TEMPLATES;
  const names = selectedTemplates(pod.metadata.annotations?.["inject.istio.io/templates"], custom);
  if (usesCustomTemplates(names, custom))
    return injectByTemplates(
      pod,
      namespace,
      context,
      names,
      (merged, template) => injectBuiltIn(merged, namespace, context, template),
      (merged, settings) => probeByAgent(scrapeByAgent(merged, settings), settings),
    );
  return injectBuiltIn(pod, namespace, context, names[0] === "gateway" ? "gateway" : "sidecar");
}

function injectBuiltIn(pod: Pod, namespace: string, context: InjectionContext, template: Template): Pod {
  if (!pod.spec) throw new InjectionError("the pod has no spec");
  const settings = settingsFor(pod, namespace, context, template);
  const volumes = sidecarVolumes(settings);
  const own = new Set(volumes.map(({ name }) => name));
  const { initContainers, containers } = withProxy(pod, settings);
  const pullSecrets = context.values.global.imagePullSecrets.map((name) => ({ name }));
  const injected: Pod = {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: labelsFor(pod, settings),
      annotations: annotationsFor(
        pod,
        settings,
        volumes.map(({ name }) => name),
      ),
    },
    spec: {
      ...pod.spec,
      ...(settings.template === "gateway" ? { securityContext: { ...GATEWAY_POD, ...pod.spec.securityContext } } : {}),
      ...(initContainers.length > 0 ? { initContainers } : {}),
      containers,
      volumes: [...volumes, ...(pod.spec.volumes ?? []).filter(({ name }) => !own.has(name))],
      ...(pullSecrets.length > 0 ? { imagePullSecrets: [...(pod.spec.imagePullSecrets ?? []), ...pullSecrets] } : {}),
    },
  };
  return probeByAgent(scrapeByAgent(injected, settings), settings);
}

/** Where the agent listens when nobody says another port. */
const AGENT_PORT = 15_020;
/** The containers that injection makes. */
const INJECTED = [PROXY_CONTAINER, INIT_CONTAINER];

/** A gateway listens on 80 and 443 without capabilities. */
const GATEWAY_POD: PodSpec["securityContext"] = { sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] };

/**
 * Native sidecars come first of all init containers, behind the one that captures, so that init containers are in the
 * mesh; without them capture comes last, or init containers would be captured with nobody to carry their traffic.
 */
function withProxy(pod: Pod, settings: SidecarSettings): { initContainers: Container[]; containers: Container[] } {
  const inits = pod.spec?.initContainers ?? [];
  const apps = pod.spec?.containers ?? [];
  const own = userOverrides(pod, INJECTED);
  const users = (name: string): Container | undefined => [...own.initContainers, ...own.containers].find((container) => container.name === name);
  const without = (list: readonly Container[]): Container[] => list.filter(({ name }) => name !== PROXY_CONTAINER && name !== INIT_CONTAINER);
  const init = !captures(settings) ? [] : [overlayContainer(initContainer(settings), users(INIT_CONTAINER))];
  const proxy = overlayContainer(proxyContainer(settings), users(PROXY_CONTAINER));
  if (settings.native) return { initContainers: [...init, proxy, ...without(inits)], containers: without(apps) };
  const containers = settings.hold ? [proxy, ...without(apps)] : [...without(apps), proxy];
  return { initContainers: [...without(inits), ...init], containers };
}

function captures({ interception, template }: SidecarSettings): boolean {
  return template === "sidecar" && interception !== "NONE";
}

function labelsFor(pod: Pod, settings: SidecarSettings): Record<string, string> {
  const labels = pod.metadata.labels ?? {};
  return {
    ...labels,
    // A gateway takes what it is sent; nobody calls it by mutual TLS of the mesh.
    ...(settings.template === "sidecar" ? { "security.istio.io/tlsMode": labels["security.istio.io/tlsMode"] || "istio" } : {}),
    "service.istio.io/canonical-name": canonicalName(pod, settings.workload),
    "service.istio.io/canonical-revision": canonicalRevision(pod),
    ...(settings.network ? { "topology.istio.io/network": settings.network } : {}),
  };
}

function annotationsFor(pod: Pod, settings: SidecarSettings, volumes: string[]): Record<string, string> {
  const { native, values, appContainers } = settings;
  const first = appContainers[0];
  const overrides = overridesText(userOverrides(pod, INJECTED));
  const init = captures(settings) ? [INIT_CONTAINER] : [];
  const secrets = values.global.imagePullSecrets;
  const revision = values.revision || "default";
  const shown: Record<string, string> =
    first === undefined ? {} : { "kubectl.kubernetes.io/default-container": first, "kubectl.kubernetes.io/default-logs-container": first };
  return {
    "istio.io/rev": revision,
    ...shown,
    ...pod.metadata.annotations,
    ...(overrides !== undefined && { [OVERRIDES]: overrides }),
    "sidecar.istio.io/status": JSON.stringify({
      initContainers: native ? [...init, PROXY_CONTAINER] : init.length > 0 ? init : null,
      containers: native ? null : [PROXY_CONTAINER],
      volumes,
      imagePullSecrets: secrets.length > 0 ? secrets : null,
      revision,
    }),
  };
}

function probeByAgent(pod: Pod, { values, statusPort }: SidecarSettings): Pod {
  const wanted = annotation(pod, "sidecar.istio.io/rewriteAppHTTPProbers", String(values.sidecarInjectorWebhook.rewriteAppHTTPProbe)).toLowerCase() === "true";
  if (!wanted || statusPort === 0 || !pod.spec) return pod;
  const inits = pod.spec.initContainers ?? [];
  if (![...inits, ...pod.spec.containers].some(({ name }) => name === PROXY_CONTAINER)) return pod;
  // Init containers that end have no probes; sidecars among them may.
  const first = rewriteProbes(inits, statusPort);
  const second = rewriteProbes(pod.spec.containers, statusPort);
  const probers = { ...first.probers, ...second.probers };
  if (Object.keys(probers).length === 0) return pod;
  const spec = { ...pod.spec, containers: second.containers, ...(inits.length > 0 ? { initContainers: first.containers } : {}) };
  const inOrder = Object.fromEntries(Object.entries(probers).sort(([a], [b]) => (a < b ? -1 : 1)));
  return withProxyEnv({ ...pod, spec }, "ISTIO_KUBE_APP_PROBERS", JSON.stringify(inOrder));
}

function scrapeByAgent(pod: Pod, { mesh, config }: SidecarSettings): Pod {
  // The agent's own port, which the annotation of a pod's status port does not move.
  const merged = mergeMetrics(pod.metadata.annotations ?? {}, mesh.enablePrometheusMerge, Number(config["statusPort"] ?? AGENT_PORT));
  if (!merged) return pod;
  const scraped = { ...pod, metadata: { ...pod.metadata, annotations: merged.annotations } };
  return merged.app === undefined ? scraped : withProxyEnv(scraped, "ISTIO_PROMETHEUS_ANNOTATIONS", merged.app);
}

function withProxyEnv(pod: Pod, name: string, value: string): Pod {
  const add = (container: Container): Container =>
    container.name === PROXY_CONTAINER
      ? { ...container, env: [...(container.env ?? []).filter((variable) => variable.name !== name), { name, value }] }
      : container;
  if (!pod.spec) return pod;
  const { initContainers, containers } = pod.spec;
  return { ...pod, spec: { ...pod.spec, containers: containers.map(add), ...(initContainers ? { initContainers: initContainers.map(add) } : {}) } };
}
