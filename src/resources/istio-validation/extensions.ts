/** Telemetry, WasmPlugin, TrafficExtension, ProxyConfig. */
import type { TelemetrySpec, WorkloadSelector } from "../istio.ts";
import type { TrafficExtensionSpec, WasmPluginSpec } from "../istio-extensions.ts";
import { celProblem } from "./cel.ts";
import { Findings, sortedEntries } from "./findings.ts";
import { workloadSelector } from "./names.ts";
import { attachment } from "./shared.ts";
import { requestUrl } from "./urls.ts";

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
  for (const { providers: named, filter } of spec.accessLogging ?? []) {
    const problem = filter && celProblem(filter.expression ?? "");
    findings.error(problem && `must be a valid CEL expression, ${problem}`, providers(named));
  }
  return findings;
}

const PLUGIN_SCHEMES = ["", "file", "http", "https", "oci"];

type Vm = NonNullable<WasmPluginSpec["vmConfig"]>;
type TrafficMatch = NonNullable<WasmPluginSpec["match"]>;

export function validateWasmPlugin(spec: WasmPluginSpec): Findings {
  const pluginName = (spec.pluginName?.length ?? 0) > 256 ? "pluginName field must be less than 255 characters long" : undefined;
  return attachment(spec).error(
    pluginUrl(spec.url),
    digest(spec.sha256),
    pullSecret(spec.imagePullSecret),
    pluginName,
    environment(spec.vmConfig),
    trafficMatch(spec.match),
  );
}

/** Istio's limit of the code in one resource. */
const MAX_LUA_BYTES = 65536;

/** A filter in Wasm or Lua, whichever is given. */
export function validateTrafficExtension({ selector, targetRefs, wasm, lua, match }: TrafficExtensionSpec): Findings {
  const findings = new Findings();
  if ((wasm === undefined) === (lua === undefined)) findings.error("exactly one of wasm or lua must be set");
  findings.add(attachment({ ...(selector && { selector }), ...(targetRefs && { targetRefs }) }));
  if (lua) {
    const length = Buffer.byteLength(lua.inlineCode ?? "");
    if (length === 0) findings.error("lua.inlineCode cannot be empty");
    else if (length > MAX_LUA_BYTES) findings.error("lua.inlineCode exceeds maximum size of 64KB");
  }
  if (wasm) {
    const pluginName = (wasm.pluginName?.length ?? 0) > 256 ? "pluginName field must be less than 256 characters long" : undefined;
    findings.error(pluginUrl(wasm.url), digest(wasm.sha256), pullSecret(wasm.imagePullSecret), pluginName, environment(wasm.vmConfig));
  }
  return findings.error(trafficMatch(match));
}

function pluginUrl(url = ""): string | undefined {
  if (url === "") return "url field needs to be set";
  const parsed = requestUrl(url);
  if (parsed.problem === undefined) return PLUGIN_SCHEMES.includes(parsed.scheme) ? undefined : `url contains unsupported scheme: ${parsed.scheme}`;
  // Without a scheme it is the name of an image.
  return requestUrl(`http://${url}`).problem === undefined ? undefined : `failed to parse url: ${parsed.problem}`;
}

function digest(sha256 = ""): string | undefined {
  if (sha256 === "") return undefined;
  if (sha256.length !== 64) return "sha256 field must be 64 characters long";
  return /^[a-f0-9]+$/.test(sha256) ? undefined : "sha256 field must match [a-f0-9]{64} pattern";
}

function pullSecret(name = ""): string | undefined {
  return name.length > 253 ? "imagePullSecret field must be less than 253 characters long" : undefined;
}

function environment(vm: Vm | undefined): string | undefined {
  const names = new Set<string>();
  for (const { name, value, valueFrom = "INLINE" } of vm?.env ?? []) {
    if (!name) return "spec.vmConfig.env invalid";
    if (name.length > 256) return "env.name field must be less than 255 characters long";
    if (names.has(name)) return "duplicate env";
    names.add(name);
    if (valueFrom !== "INLINE" && value) return "value may only be set when valueFrom is INLINE";
  }
  return undefined;
}

function trafficMatch(match: TrafficMatch = []): string | undefined {
  for (const [index, { ports }] of match.entries()) {
    for (const [place, { number = 0 }] of (ports ?? []).entries())
      if (!(number > 0 && number <= 65535)) return `spec.Match[${index}].Ports[${place}] is out of range: ${number}`;
  }
  return undefined;
}

export function validateProxyConfig(spec: { selector?: WorkloadSelector; concurrency?: number | null }): Findings {
  const findings = workloadSelector(spec.selector);
  return (spec.concurrency ?? 0) < 0 ? findings.error("concurrency must be greater than or equal to 0") : findings;
}
