import { loadAll } from "js-yaml";
import { ChainmailError, errorText } from "../../base/index.ts";
import type { ClientTlsSettings } from "../../resources/index.ts";

/** The fields of Istio's MeshConfig that anything here reads, defaults filled in; durations are protojson ("10s"). */
export interface MeshConfig {
  proxyListenPort: number;
  proxyInboundListenPort: number;
  connectTimeout: string;
  protocolDetectionTimeout: string;
  ingressClass: string;
  ingressService: string;
  ingressSelector: string;
  ingressControllerMode: string;
  enableTracing: boolean;
  accessLogFile: string;
  accessLogFormat: string;
  accessLogEncoding: "TEXT" | "JSON";
  enableEnvoyAccessLogService: boolean;
  disableEnvoyListenerLog: boolean;
  defaultConfig: ProxyConfigSpec;
  outboundTrafficPolicy: { mode: "ALLOW_ANY" | "REGISTRY_ONLY" | "ALLOW_ANY_DYNAMIC_DNS"; tls?: ClientTlsSettings };
  inboundTrafficPolicy: { mode?: "PASSTHROUGH" | "LOCALHOST" };
  enableAutoMtls: boolean;
  trustDomain: string;
  trustDomainAliases: string[];
  defaultServiceExportTo: string[];
  defaultVirtualServiceExportTo: string[];
  defaultDestinationRuleExportTo: string[];
  rootNamespace: string;
  localityLbSetting: Record<string, unknown> & { enabled?: boolean };
  dnsRefreshRate: string;
  enablePrometheusMerge: boolean;
  extensionProviders: ExtensionProvider[];
  defaultProviders: { tracing?: string[]; metrics?: string[]; accessLogging?: string[] };
  defaultHttpRetryPolicy?: Record<string, unknown>;
  pathNormalization: { normalization?: string };
  meshMTLS: { minProtocolVersion?: string; ecdhCurves?: string[]; cipherSuites?: string[] };
  tlsDefaults: { ecdhCurves?: string[]; minProtocolVersion?: string; cipherSuites?: string[] };
  h2UpgradePolicy: "DO_NOT_UPGRADE" | "UPGRADE";
  tcpKeepalive?: { probes?: number; time?: string; interval?: string };
  discoverySelectors: Record<string, unknown>[];
  serviceSettings: { settings?: { clusterLocal?: boolean }; hosts?: string[] }[];
  verifyCertificateAtClient: boolean;
  [field: string]: unknown;
}

/** One named backend: the key beside `name` says which kind it is. */
export type ExtensionProvider = { name: string } & Record<string, unknown>;

/** Istio's ProxyConfig message as far as generation reads it; the rest travels through unread. */
export interface ProxyConfigSpec {
  discoveryAddress?: string;
  concurrency?: number;
  drainDuration?: string;
  tracing?: Record<string, unknown>;
  proxyMetadata?: Record<string, string>;
  holdApplicationUntilProxyStarts?: boolean;
  proxyHeaders?: Record<string, unknown>;
  privateKeyProvider?: Record<string, unknown>;
  [field: string]: unknown;
}

const DEFAULT_PROXY_CONFIG: ProxyConfigSpec = {
  configPath: "./etc/istio/proxy",
  binaryPath: "/usr/local/bin/envoy",
  serviceCluster: "istio-proxy",
  drainDuration: "45s",
  discoveryAddress: "istiod.istio-system.svc:15012",
  proxyAdminPort: 15000,
  controlPlaneAuthPolicy: "MUTUAL_TLS",
  statNameLength: 189,
  statusPort: 15020,
  terminationDrainDuration: "5s",
};

const DEFAULT_EXTENSION_PROVIDERS: ExtensionProvider[] = [
  { name: "prometheus", prometheus: {} },
  { name: "stackdriver", stackdriver: {} },
  { name: "envoy", envoyFileAccessLog: { path: "/dev/stdout" } },
];

/** Istio's defaults; each call makes fresh objects. */
export function defaultMeshConfig(): MeshConfig {
  return {
    proxyListenPort: 15001,
    proxyInboundListenPort: 15006,
    connectTimeout: "10s",
    protocolDetectionTimeout: "0s",
    ingressClass: "istio",
    ingressService: "istio-ingressgateway",
    ingressSelector: "",
    ingressControllerMode: "STRICT",
    enableTracing: true,
    accessLogFile: "",
    accessLogFormat: "",
    accessLogEncoding: "TEXT",
    enableEnvoyAccessLogService: false,
    disableEnvoyListenerLog: false,
    defaultConfig: { ...DEFAULT_PROXY_CONFIG },
    outboundTrafficPolicy: { mode: "ALLOW_ANY" },
    inboundTrafficPolicy: {},
    enableAutoMtls: true,
    trustDomain: "cluster.local",
    trustDomainAliases: [],
    defaultServiceExportTo: ["*"],
    defaultVirtualServiceExportTo: ["*"],
    defaultDestinationRuleExportTo: ["*"],
    rootNamespace: "istio-system",
    localityLbSetting: { enabled: true },
    dnsRefreshRate: "60s",
    enablePrometheusMerge: true,
    extensionProviders: [...DEFAULT_EXTENSION_PROVIDERS],
    defaultProviders: {},
    pathNormalization: {},
    meshMTLS: {},
    tlsDefaults: {},
    h2UpgradePolicy: "DO_NOT_UPGRADE",
    discoverySelectors: [],
    serviceSettings: [],
    verifyCertificateAtClient: true,
  };
}

/**
 * Reads the `mesh` key of the `istio` ConfigMap over Istio's defaults. The default config merges field by field,
 * providers by name, everything else is replaced. Throws `MESH_CONFIG_INVALID` when it is not YAML of that shape.
 */
export function parseMeshConfig(yaml: string): MeshConfig {
  let parsed: unknown;
  try {
    // None at all, or only comments, is the default configuration.
    [parsed] = loadAll(yaml);
  } catch (thrown) {
    throw invalid(errorText(thrown), thrown);
  }
  const mesh = defaultMeshConfig();
  if (parsed === undefined || parsed === null) return mesh;
  if (!isRecord(parsed)) throw invalid("the top level is not a mapping");
  for (const [field, value] of Object.entries(parsed)) {
    if (value === null || value === undefined) continue;
    const fallback = mesh[field];
    if (fallback !== undefined && kindOf(fallback) !== kindOf(value)) throw invalid(`${field}: expected ${kindOf(fallback)}, found ${kindOf(value)}`);
    if (field === "defaultConfig") mesh.defaultConfig = { ...mesh.defaultConfig, ...(value as ProxyConfigSpec) };
    else if (field === "extensionProviders") mesh.extensionProviders = mergeProviders(mesh.extensionProviders, value as unknown[]);
    else mesh[field] = value;
  }
  return mesh;
}

/** A provider with a default's name replaces it; others follow in their order. */
function mergeProviders(defaults: ExtensionProvider[], given: unknown[]): ExtensionProvider[] {
  const providers = given.map((provider) => {
    if (!isRecord(provider) || typeof provider["name"] !== "string") throw invalid("extensionProviders: each needs a name");
    return provider as ExtensionProvider;
  });
  const names = new Set(providers.map(({ name }) => name));
  return [...defaults.filter(({ name }) => !names.has(name)), ...providers];
}

function invalid(reason: string, cause?: unknown): ChainmailError {
  return new ChainmailError("MESH_CONFIG_INVALID", `The mesh config in ConfigMap istio is not usable: ${reason}`, {
    cause,
    hint: "kubectl -n istio-system edit configmap istio",
  });
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "a list" : value === null ? "null" : typeof value === "object" ? "a mapping" : `a ${typeof value}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
