import { load } from "js-yaml";
import { errorText } from "../../base/index.ts";
import type { Pod } from "../../resources/index.ts";
import { defaultMeshConfig, type MeshConfig, type ProxyConfigSpec } from "../registry/mesh-config.ts";
import type { ConfigIndex } from "../registry/config-index.ts";
import { InjectionError } from "./errors.ts";

/** A pod's own proxy settings: mesh defaults, ProxyConfig resources from wide to narrow, then the pod's annotation. */
export function effectiveProxyConfig(
  pod: Pod,
  namespace: string,
  mesh: MeshConfig,
  resources: ConfigIndex["ProxyConfig"],
): ProxyConfigSpec & { imageType?: string } {
  let config: ProxyConfigSpec & { imageType?: string } = { ...mesh.defaultConfig };
  const labels = pod.metadata.labels ?? {};
  const selected = (match: Record<string, string> | undefined): boolean => Object.entries(match ?? {}).every(([key, value]) => labels[key] === value);
  const inScope = resources.filter(({ metadata }) => metadata.namespace === mesh.rootNamespace || metadata.namespace === namespace);
  const rank = (resource: (typeof inScope)[number]): number =>
    resource.spec?.selector?.matchLabels ? 2 : resource.metadata.namespace === namespace && namespace !== mesh.rootNamespace ? 1 : 0;
  for (const level of [0, 1, 2]) {
    // The oldest of a level wins, so it is laid over the others.
    for (const resource of inScope.filter((r) => rank(r) === level).reverse()) {
      const { spec } = resource;
      if (!spec || !selected(spec.selector?.matchLabels) || (level === 2 && resource.metadata.namespace !== namespace)) continue;
      if (typeof spec.concurrency === "number") config = { ...config, concurrency: spec.concurrency };
      if (spec.environmentVariables) config = { ...config, proxyMetadata: { ...config.proxyMetadata, ...spec.environmentVariables } };
      if (spec.image?.imageType) config = { ...config, imageType: spec.image.imageType };
    }
  }
  const own = pod.metadata.annotations?.["proxy.istio.io/config"];
  if (!own) return config;
  let parsed: unknown;
  try {
    parsed = load(own);
  } catch (cause) {
    throw new InjectionError(`annotation proxy.istio.io/config is not YAML: ${errorText(cause)}`, { cause });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new InjectionError("annotation proxy.istio.io/config is not a mapping");
  const { proxyMetadata, ...rest } = parsed as ProxyConfigSpec;
  return { ...config, ...rest, ...(proxyMetadata ? { proxyMetadata: { ...config.proxyMetadata, ...proxyMetadata } } : {}) };
}

/** The order of the message's fields, in which Istio prints them. */
const FIELD_ORDER = [
  "configPath",
  "binaryPath",
  "serviceCluster",
  "drainDuration",
  "discoveryAddress",
  "statsdUdpAddress",
  "proxyAdminPort",
  "controlPlaneAuthPolicy",
  "customConfigFile",
  "statNameLength",
  "concurrency",
  "proxyBootstrapTemplatePath",
  "interceptionMode",
  "tracing",
  "envoyAccessLogService",
  "envoyMetricsService",
  "proxyMetadata",
  "statusPort",
  "extraStatTags",
  "gatewayTopology",
  "terminationDrainDuration",
  "meshId",
  "readinessProbe",
  "proxyStatsMatcher",
  "holdApplicationUntilProxyStarts",
  "tracingServiceName",
  "caCertificatesPem",
  "image",
  "privateKeyProvider",
  "proxyHeaders",
];

/** The settings that differ from Istio's defaults, as the environment variable PROXY_CONFIG carries them. */
export function proxyConfigJson(config: ProxyConfigSpec & { imageType?: string }): string {
  const defaults = defaultMeshConfig().defaultConfig;
  const { imageType, ...spec } = config;
  const rank = (field: string): number => (FIELD_ORDER.includes(field) ? FIELD_ORDER.indexOf(field) : FIELD_ORDER.length);
  const own = Object.entries(imageType ? { ...spec, image: { imageType } } : spec).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(defaults[field]),
  );
  return JSON.stringify(Object.fromEntries(own.sort(([a], [b]) => rank(a) - rank(b))));
}
