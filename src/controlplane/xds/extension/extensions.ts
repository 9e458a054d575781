import type { TrafficExtension, TrafficExtensionSpec, WasmConfig, WasmPlugin } from "../../../resources/index.ts";
import { applicable, type Workload } from "../../policy/index.ts";
import { compareAge, type ConfigIndex } from "../../registry/index.ts";
import { isOwnProxy } from "../node.ts";
import type { ProxyNode } from "../types.ts";
import type { TrafficClass } from "../telemetry/index.ts";

export type Phase = NonNullable<TrafficExtensionSpec["phase"]>;

/** An extension of a proxy, from a TrafficExtension or a WasmPlugin. */
export interface Extension {
  readonly namespace: string;
  readonly name: string;
  /** What its filter is called, and by which name a proxy asks for its configuration. */
  readonly resourceName: string;
  readonly resourceVersion: string;
  readonly phase: Phase;
  readonly priority: number;
  readonly match: NonNullable<TrafficExtensionSpec["match"]>;
  readonly code: { readonly lua: string } | { readonly wasm: WasmConfig } | { readonly refusal: "http" | "network" };
}

const PREFIX = "extensions.istio.io/trafficextension/";
/** Istio's mark on what a WasmPlugin became; no object can have such a name. */
const FROM_PLUGIN = "~istio-translated-wasmplugin";
/** As much as Istio takes: code that is longer belongs into an image. */
const MAX_LUA_LENGTH = 65_536;
/** Extensions without a priority come after all others. */
const LOWEST = -Infinity;

/**
 * Those that hold for a workload, in the order of their filters within a phase; those that cannot be used are left out.
 * Chainmail's own proxy runs no foreign code: a module that must not be left out (failStrategy is FAIL_CLOSE, which it is
 * by default, or FAIL_RELOAD) closes what it stands before, as in Istio's proxies where a module cannot be had.
 */
export function extensionsFor(configs: Pick<ConfigIndex, "TrafficExtension" | "WasmPlugin">, node: ProxyNode, rootNamespace: string): Extension[] {
  if (configs.TrafficExtension.length === 0 && configs.WasmPlugin.length === 0) return [];
  const own = isOwnProxy(node);
  const objects = [...configs.TrafficExtension, ...configs.WasmPlugin.map(translated)].sort(compareAge);
  const workload: Workload = { namespace: node.namespace, labels: node.labels };
  return applicable(objects, workload, rootNamespace)
    .flatMap((object) => read(object) ?? [])
    .flatMap((extension) => (own ? (withoutForeignCode(extension) ?? []) : [extension]))
    .filter(({ code }) => !("wasm" in code) || node.dialect === "istio")
    .sort((a, b) => b.priority - a.priority || 0);
}

/** Whether the filter of an extension belongs into a chain. `port` 0 is that of no service. */
export function matches({ match }: Extension, trafficClass: TrafficClass, port: number): boolean {
  const side = trafficClass === "inbound" ? "SERVER" : "CLIENT";
  return (
    match.length === 0 ||
    match.some(
      ({ mode, ports }) =>
        (!mode || mode === "UNDEFINED" || mode === "CLIENT_AND_SERVER" || mode === side) &&
        (!ports?.length || ports.some(({ number }) => number !== 0 && number === port)),
    )
  );
}

/** Whether it works on the bytes of connections; everything else works on HTTP. */
export function isNetworkExtension({ code }: Extension): boolean {
  return "refusal" in code ? code.refusal === "network" : "wasm" in code && code.wasm.type === "NETWORK";
}

/** Lua has no fail strategy: a script that fails lets traffic pass, so one that cannot run does too. */
function withoutForeignCode(extension: Extension): Extension | undefined {
  const { code } = extension;
  if (!("wasm" in code) || code.wasm.failStrategy === "FAIL_OPEN") return undefined;
  return { ...extension, code: { refusal: code.wasm.type === "NETWORK" ? "network" : "http" } };
}

function translated({ apiVersion, metadata, spec }: WasmPlugin): TrafficExtension {
  const { selector, targetRef, targetRefs, phase, priority, match, ...wasm } = spec ?? { url: "" };
  const targets = targetRefs ?? (targetRef ? [targetRef] : undefined);
  return {
    apiVersion,
    kind: "TrafficExtension",
    metadata: { ...metadata, name: metadata.name + FROM_PLUGIN },
    spec: {
      ...(selector && { selector }),
      ...(targets && { targetRefs: targets }),
      ...(priority !== undefined && { priority }),
      phase: phase === "UNSPECIFIED_PHASE" ? "UNSPECIFIED" : (phase ?? "UNSPECIFIED"),
      ...(match && { match }),
      wasm,
    },
  };
}

function read({ metadata, spec }: TrafficExtension): Extension | undefined {
  const namespace = metadata.namespace ?? "";
  const lua = spec?.lua?.inlineCode;
  const code = spec?.wasm ? (isUrl(spec.wasm.url) ? { wasm: spec.wasm } : undefined) : lua && lua.length <= MAX_LUA_LENGTH ? { lua } : undefined;
  if (!spec || !code) return undefined;
  return {
    namespace,
    name: metadata.name,
    resourceName: `${PREFIX}${namespace}.${metadata.name}`,
    resourceVersion: metadata.resourceVersion ?? "",
    phase: spec.phase ?? "UNSPECIFIED",
    priority: spec.priority ?? LOWEST,
    match: spec.match ?? [],
    code,
  };
}

function isUrl(url: string | undefined): boolean {
  return Boolean(url) && URL.canParse(url?.includes("://") ? url : `oci://${url}`);
}
