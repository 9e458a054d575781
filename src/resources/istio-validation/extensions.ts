/** EnvoyFilter, Telemetry, WasmPlugin, ProxyConfig. */
import type { EnvoyFilterSpec, TelemetrySpec, WasmPluginSpec, WorkloadSelector } from "../istio.ts";
import { Findings, sortedEntries } from "./findings.ts";
import { networkingSelector, workloadSelector } from "./names.ts";
import { re2Problem } from "./re2.ts";
import { attachment } from "./shared.ts";

type ConfigPatch = NonNullable<EnvoyFilterSpec["configPatches"]>[number];

const LISTENER_CLASS = ["LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER"];
const CONNECTION_MANAGERS = ["envoy.filters.network.http_connection_manager", "envoy.http_connection_manager"];
const ROUTE_CLASS = ["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"];

export function validateEnvoyFilter(spec: EnvoyFilterSpec): Findings {
  const findings = new Findings();
  const selector = networkingSelector(spec.workloadSelector);
  if (selector.errors.text !== undefined) return selector.errors;
  findings.warn("EnvoyFilter exposes internal implementation details that may change at any time. Prefer other APIs if possible, and exercise extreme caution, especially around upgrades.");
  if (selector.empty) findings.warn("Envoy filter: workload selector specified without labels, will be applied to all services in namespace");
  if (spec.workloadSelector && spec.targetRefs?.length) findings.error("only one of targetRefs or workloadSelector can be set");
  findings.add(attachment(spec.targetRefs ? { targetRefs: spec.targetRefs } : {}));
  for (const patch of spec.configPatches ?? []) {
    // Patches of waypoints are nobody's here.
    if (patch.match?.context === "WAYPOINT") continue;
    findings.error(configPatch(patch)).warn(...filterMatchWarnings(patch));
  }
  return findings;
}

function configPatch({ applyTo = "INVALID", match, patch }: ConfigPatch): string | undefined {
  if (applyTo === "INVALID") return "Envoy filter: missing applyTo";
  if (!patch) return "Envoy filter: missing patch";
  const { operation = "INVALID", value } = patch;
  if (operation === "INVALID") return "Envoy filter: missing patch operation";
  if (operation !== "REMOVE" && !value) return "Envoy filter: missing patch value for non-remove operation";
  const version = match?.proxy?.proxyVersion;
  const problem = version ? re2Problem(version) : undefined;
  if (problem) return `Envoy filter: invalid regex for proxy version, [${problem}]`;
  const objectMatch = match?.listener ?? match?.routeConfiguration ?? match?.cluster ?? match?.waypoint;
  if (!objectMatch || match?.waypoint) return undefined;
  if (LISTENER_CLASS.includes(applyTo)) {
    const listener = match?.listener as { filterChain?: { filter?: { name?: string; subFilter?: { name?: string } } } } | undefined;
    if (!listener) return "Envoy filter: applyTo for listener class objects cannot have non listener match";
    const filter = listener.filterChain?.filter;
    if (!filter) return undefined;
    if (!filter.name) return "Envoy filter: filter match has no name to match on";
    if (filter.subFilter && applyTo !== "HTTP_FILTER") return "Envoy filter: subfilter match can be used with applyTo HTTP_FILTER only";
    if (filter.subFilter && !CONNECTION_MANAGERS.includes(filter.name)) return `Envoy filter: subfilter match requires filter match with ${CONNECTION_MANAGERS[0]}`;
    return filter.subFilter && !filter.subFilter.name ? "Envoy filter: subfilter match has no name to match on" : undefined;
  }
  if (ROUTE_CLASS.includes(applyTo) && !match?.routeConfiguration) return "Envoy filter: applyTo for http route class objects cannot have non route configuration match";
  if (applyTo === "CLUSTER" && !match?.cluster) return "Envoy filter: applyTo for cluster class objects cannot have non cluster match";
  return undefined;
}

/** A chain or listener as a whole is not found by a filter of it. */
function filterMatchWarnings({ applyTo, match }: ConfigPatch): string[] {
  const listener = match?.listener as { filterChain?: { filter?: object } } | undefined;
  return (applyTo === "LISTENER" || applyTo === "FILTER_CHAIN") && listener?.filterChain?.filter ? [`Envoy filter: filter match has no effect when used with ${applyTo}`] : [];
}

export function validateTelemetry(spec: TelemetrySpec): Findings {
  const findings = attachment(spec);
  const providers = (list: { name: string }[] | undefined) => (list?.some((provider) => !provider.name) ? "providers.name may not be empty" : undefined);
  for (const metric of spec.metrics ?? []) {
    findings.error(providers(metric.providers));
    for (const { match, tagOverrides } of metric.overrides ?? []) {
      for (const [name, { operation = "UPSERT", value }] of sortedEntries(tagOverrides)) {
        if (name === "") findings.warn("tagOverrides.name may not be empty");
        if (operation === "UPSERT" && !value) findings.error("tagOverrides.value must be set when operation is UPSERT");
        if (operation === "REMOVE" && value) findings.error("tagOverrides.value may only be set when operation is UPSERT");
      }
      if (match?.customMetric === "") findings.error("customMetric may not be empty");
    }
  }
  if ((spec.tracing?.length ?? 0) > 1) findings.warn("multiple tracing is not currently supported");
  for (const tracing of spec.tracing ?? []) {
    if ((tracing.providers?.length ?? 0) > 1) findings.warn("multiple providers is not currently supported");
    findings.error(providers(tracing.providers));
    const percentage = tracing.randomSamplingPercentage ?? 0;
    if (percentage < 0 || percentage > 100) findings.error("randomSamplingPercentage must be in range [0.0, 100.0]");
    for (const [name, tag] of sortedEntries(tracing.customTags)) {
      if (name === "") findings.error("tag name may not be empty");
      if (tag.literal && !tag.literal.value) findings.error("literal tag value may not be empty");
      if (tag.header && !tag.header.name) findings.error("header tag name may not be empty");
      if (tag.environment && !tag.environment.name) findings.error("environment tag name may not be empty");
    }
  }
  for (const logging of spec.accessLogging ?? []) findings.error(providers(logging.providers));
  return findings;
}

const PLUGIN_SCHEMES = ["file", "http", "https", "oci"];

export function validateWasmPlugin(spec: WasmPluginSpec): Findings {
  const findings = attachment(spec);
  const { url = "", sha256 = "" } = spec;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1];
  if (url === "") findings.error("url field needs to be set");
  else if (scheme && !PLUGIN_SCHEMES.includes(scheme.toLowerCase())) findings.error(`url contains unsupported scheme: ${scheme}`);
  if (sha256 !== "" && sha256.length !== 64) findings.error("sha256 field must be 64 characters long");
  else if (sha256 !== "" && !/^[a-f0-9]+$/.test(sha256)) findings.error("sha256 field must match [a-f0-9]{64} pattern");
  if ((spec.imagePullSecret?.length ?? 0) > 253) findings.error("imagePullSecret field must be less than 253 characters long");
  if ((spec.pluginName?.length ?? 0) > 256) findings.error("pluginName field must be less than 255 characters long");
  const names = new Set<string>();
  for (const { name, value, valueFrom } of spec.vmConfig?.env ?? []) {
    if (!name) findings.error("spec.vmConfig.env invalid");
    else if (names.has(name)) findings.error(`duplicate env`);
    names.add(name);
    if (valueFrom === "HOST" && value) findings.error("value for env.valueFrom HOST must be empty");
  }
  for (const { ports } of spec.match ?? []) for (const { number } of ports ?? []) if (!(number >= 1 && number <= 65535)) findings.error(`port number ${number} must be in the range 1..65535`);
  return findings;
}

export function validateProxyConfig(spec: { selector?: WorkloadSelector; concurrency?: number | null }): Findings {
  const findings = workloadSelector(spec.selector);
  return (spec.concurrency ?? 0) < 0 ? findings.error("concurrency must be greater than or equal to 0") : findings;
}
