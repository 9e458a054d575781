import { create } from "@bufbuild/protobuf";
import { AnySchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { packAny, type Init } from "../../../proto/index.ts";
import { TypedExtensionConfigSchema } from "../../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { RBAC_Action, type RBACSchema } from "../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts";
import { LuaSchema } from "../../../proto/gen/envoy/extensions/filters/http/lua/v3/lua_pb.ts";
import { RBACSchema as HttpRbacSchema } from "../../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts";
import { RBACSchema as NetworkRbacSchema } from "../../../proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts";
import { WasmSchema } from "../../../proto/gen/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts";
import { WasmSchema as NetworkWasmSchema } from "../../../proto/gen/envoy/extensions/filters/network/wasm/v3/wasm_pb.ts";
import { FailurePolicy, type PluginConfigSchema } from "../../../proto/gen/envoy/extensions/wasm/v3/wasm_pb.ts";
import type { WasmConfig } from "../../../resources/index.ts";
import type { FilterConfig } from "../../policy/index.ts";
import { encodeResource } from "../encode.ts";
import type { XdsResource } from "../types.ts";
import { isNetworkExtension, type Extension } from "./extensions.ts";

const TYPE = "type.googleapis.com/envoy.extensions.filters";
/** Until a module is there, or cannot be had, an agent puts an RBAC filter in its place: both types must be allowed. */
const HTTP_TYPES = [`${TYPE}.http.wasm.v3.Wasm`, `${TYPE}.http.rbac.v3.RBAC`];
const NETWORK_TYPES = [`${TYPE}.network.wasm.v3.Wasm`, `${TYPE}.network.rbac.v3.RBAC`];
/** Only what a rule allows passes, and there is none. */
const DENY_ALL: Init<typeof RBACSchema> = { action: RBAC_Action.ALLOW };
const REFUSED = "extension_refused.";
const RUNTIME = "envoy.wasm.runtime.v8";
/** Istio's agent fetches modules itself and strips its variables; it knows them by these names. */
const PULL_POLICY = "ISTIO_META_WASM_IMAGE_PULL_POLICY";
const PULL_SECRET = "ISTIO_META_WASM_IMAGE_PULL_SECRET";
const RESOURCE_VERSION = "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION";
/** For whoever fetches: the agent has limits of its own. */
const FETCH_TIMEOUT = { seconds: 30n };

/** The filter of an extension: Lua and refusals stand in the listener, what a module is configured with comes apart from it. */
export function extensionFilter(extension: Extension): FilterConfig {
  const { code, resourceName } = extension;
  if ("lua" in code)
    return { name: resourceName, typedConfig: packAny(LuaSchema, { defaultSourceCode: { specifier: { case: "inlineString", value: code.lua } } }) };
  if ("refusal" in code)
    return {
      name: resourceName,
      typedConfig:
        code.refusal === "network" ? packAny(NetworkRbacSchema, { rules: DENY_ALL, statPrefix: REFUSED }) : packAny(HttpRbacSchema, { rules: DENY_ALL }),
    };
  return { name: resourceName, typedConfig: create(AnySchema), discovered: isNetworkExtension(extension) ? NETWORK_TYPES : HTTP_TYPES };
}

/** The configuration of an extension's filter as ECDS sends it; undefined for one that stands in its listeners. */
export function extensionConfig(extension: Extension): XdsResource | undefined {
  const { code, resourceName } = extension;
  if (!("wasm" in code)) return undefined;
  const config = pluginConfig(extension, code.wasm);
  const typedConfig = isNetworkExtension(extension) ? packAny(NetworkWasmSchema, { config }) : packAny(WasmSchema, { config });
  return encodeResource(TypedExtensionConfigSchema, resourceName, create(TypedExtensionConfigSchema, { name: resourceName, typedConfig }));
}

function pluginConfig({ namespace, name, resourceVersion }: Extension, wasm: WasmConfig): Init<typeof PluginConfigSchema> {
  const env = wasm.vmConfig?.env ?? [];
  const keyValues: Record<string, string> = {
    // Secrets are no part of what a proxy is told: an image that needs one is not pulled.
    ...(wasm.imagePullSecret && { [PULL_SECRET]: "" }),
    ...(wasm.imagePullPolicy && wasm.imagePullPolicy !== "UNSPECIFIED_POLICY" && { [PULL_POLICY]: wasm.imagePullPolicy }),
    [RESOURCE_VERSION]: resourceVersion,
    ...Object.fromEntries(env.filter(({ valueFrom }) => (valueFrom ?? "INLINE") === "INLINE").map((variable) => [variable.name, variable.value ?? ""])),
  };
  const hostEnvKeys = env.filter(({ valueFrom }) => valueFrom === "HOST").map((variable) => variable.name);
  return {
    name: `${namespace}.${name}`,
    rootId: wasm.pluginName ?? "",
    configuration:
      Object.keys(wasm.pluginConfig ?? {}).length > 0 ? packAny(StringValueSchema, { value: JSON.stringify(wasm.pluginConfig) }) : create(AnySchema),
    failurePolicy:
      wasm.failStrategy === "FAIL_OPEN" ? FailurePolicy.FAIL_OPEN : wasm.failStrategy === "FAIL_RELOAD" ? FailurePolicy.FAIL_RELOAD : FailurePolicy.FAIL_CLOSED,
    vm: { case: "vmConfig", value: { runtime: RUNTIME, code: codeSource(wasm), environmentVariables: { hostEnvKeys, keyValues } } },
  };
}

function codeSource({ url, sha256 = "" }: WasmConfig) {
  if (url.startsWith("file://"))
    return { specifier: { case: "local" as const, value: { specifier: { case: "filename" as const, value: url.slice("file://".length) } } } };
  const uri = url.includes("://") ? url : `oci://${url}`;
  return {
    specifier: {
      case: "remote" as const,
      value: { httpUri: { uri, timeout: FETCH_TIMEOUT, httpUpstreamType: { case: "cluster" as const, value: "_" } }, sha256 },
    },
  };
}
