/** Istio's kinds that change what proxies run: EnvoyFilter, WasmPlugin, TrafficExtension. Field names as in Istio's API. */
import type { IstioStatus, PolicyTargetReference, WorkloadSelector } from "./istio.ts";
import type { KubeObject } from "./types.ts";

export interface EnvoyFilterSpec {
  workloadSelector?: { labels?: Record<string, string> };
  targetRefs?: PolicyTargetReference[];
  configPatches?: {
    applyTo?: string;
    match?: {
      context?: string;
      proxy?: { proxyVersion?: string; metadata?: Record<string, string> };
      listener?: Record<string, unknown>;
      routeConfiguration?: Record<string, unknown>;
      cluster?: Record<string, unknown>;
      waypoint?: Record<string, unknown>;
    };
    patch?: { operation?: string; value?: Record<string, unknown>; filterClass?: string };
  }[];
  priority?: number;
}
export type EnvoyFilter = KubeObject<EnvoyFilterSpec, IstioStatus>;

/** A Wasm module and what it is given. */
export interface WasmConfig {
  url: string;
  sha256?: string;
  imagePullPolicy?: "UNSPECIFIED_POLICY" | "IfNotPresent" | "Always";
  imagePullSecret?: string;
  verificationKey?: string;
  pluginConfig?: Record<string, unknown>;
  pluginName?: string;
  failStrategy?: "FAIL_CLOSE" | "FAIL_OPEN" | "FAIL_RELOAD";
  vmConfig?: { env?: { name: string; valueFrom?: "INLINE" | "HOST"; value?: string }[] };
  type?: "UNSPECIFIED_PLUGIN_TYPE" | "HTTP" | "NETWORK";
}

/** What of the traffic an extension sees. */
export type ExtensionMatch = { mode?: string; ports?: { number: number }[] };

export interface WasmPluginSpec extends WasmConfig {
  selector?: WorkloadSelector;
  targetRef?: PolicyTargetReference;
  targetRefs?: PolicyTargetReference[];
  phase?: "UNSPECIFIED_PHASE" | "AUTHN" | "AUTHZ" | "STATS";
  priority?: number | null;
  match?: ExtensionMatch[];
}

export interface TrafficExtensionSpec {
  selector?: WorkloadSelector;
  targetRefs?: PolicyTargetReference[];
  phase?: "UNSPECIFIED" | "AUTHN" | "AUTHZ" | "STATS";
  priority?: number | null;
  match?: ExtensionMatch[];
  wasm?: WasmConfig;
  lua?: { inlineCode: string };
}
export type TrafficExtension = KubeObject<TrafficExtensionSpec, IstioStatus>;
export type WasmPlugin = KubeObject<WasmPluginSpec, IstioStatus>;
