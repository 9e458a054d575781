import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { ChainmailError } from "../base/index.ts";
import { flag, parseFlags, type FlagSpec } from "./flags.ts";

export type ProxyType = "sidecar" | "router";
export type ProxyKind = "chainmail" | "envoy";

/** The parts of Istio's ProxyConfig that an agent acts on, and all of it as it goes into the node's metadata. */
export interface ProxyConfig {
  readonly discoveryAddress: string;
  readonly proxyAdminPort: number;
  readonly statusPort: number;
  /** Milliseconds. */
  readonly drainDurationMs: number;
  readonly terminationDrainDurationMs: number;
  readonly concurrency: number;
  /** Processes of the data plane: more than one only where somebody asks for it, since each costs memory. */
  readonly workers: number;
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Everything that flags, environment and files say about this pod's proxy, read once. */
export interface AgentOptions {
  readonly type: ProxyType;
  readonly podName: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly instanceIp: string;
  readonly trustDomain: string;
  readonly clusterId: string;
  /** DNS suffix of the node's id. */
  readonly domain: string;
  /** host:port of the CA. */
  readonly caAddress: string;
  readonly proxyConfig: ProxyConfig;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Values of ISTIO_META_*, by name without the prefix. */
  readonly meta: Readonly<Record<string, string>>;
  /** Values of ISTIO_METAJSON_*, decoded. */
  readonly metaJson: Readonly<Record<string, unknown>>;
  readonly appProbers: string | undefined;
  readonly appMetrics: string | undefined;
  readonly certificateTtlSeconds: number;
  readonly keyAlgorithm: "P-256" | "P-384" | "RSA-2048";
  readonly logLevel: string;
  readonly proxyLogLevel: string;
  /** Envoy's own syntax, `misc:error`; our proxy has no components. */
  readonly proxyComponentLogLevel: string;
  /** Whose data plane runs in this pod. */
  readonly proxy: ProxyKind;
  readonly paths: AgentPaths;
}

/** Where injection mounts things; tests put them elsewhere. */
export interface AgentPaths {
  readonly token: string;
  readonly rootCert: string;
  /** Revocation lists; the file need not be there. */
  readonly revocations: string;
  readonly workloadSocket: string;
  readonly podInfo: string;
  /** Where Envoy's bootstrap and the socket of its configuration are. */
  readonly configFolder: string;
}

export const POD_PATHS: AgentPaths = {
  token: "/var/run/secrets/tokens/istio-token",
  rootCert: "/var/run/secrets/istio/root-cert.pem",
  revocations: "/var/run/secrets/istio/crl/ca-crl.pem",
  workloadSocket: "/var/run/secrets/workload-spiffe-uds/socket",
  podInfo: "/etc/istio/pod",
  configFolder: "/etc/istio/proxy",
};

/** Flags of `pilot-agent proxy`; those of Envoy that have no meaning here are taken and ignored, as injection writes them. */
const FLAGS: FlagSpec[] = [
  { name: "domain", default: "" },
  { name: "concurrency", default: "0" },
  { name: "meshConfig", default: "./etc/istio/config/mesh" },
  { name: "outlierLogPath", default: "" },
  { name: "proxyLogLevel", default: "warning" },
  { name: "proxyComponentLogLevel", default: "" },
  { name: "log_output_level", default: "default:info" },
  { name: "log_as_json", boolean: true, default: "false" },
  { name: "log_target", default: "" },
  { name: "log_caller", default: "" },
  { name: "log_stacktrace_level", default: "" },
  { name: "stsPort", default: "0" },
  { name: "tokenManagerPlugin", default: "" },
  { name: "serviceCluster", default: "" },
  { name: "trust-domain", default: "" },
  { name: "templateFile", default: "" },
];

export function agentOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>>, paths: AgentPaths = POD_PATHS): AgentOptions {
  const flags = parseFlags(FLAGS, argv);
  const [type = "sidecar", ...more] = flags.positional;
  if ((type !== "sidecar" && type !== "router") || more.length > 0)
    throw new ChainmailError("PROXY_TYPE_INVALID", `proxy type "${flags.positional.join(" ")}" is neither sidecar nor router`);
  const namespace = required(env, "POD_NAMESPACE");
  const proxyConfig = readProxyConfig(env.PROXY_CONFIG, env.ISTIO_CPU_LIMIT, Number(flag(flags, "concurrency")));
  const curve = env.ECC_CURVE || "P256";
  return {
    type,
    podName: required(env, "POD_NAME"),
    namespace,
    serviceAccount: env.SERVICE_ACCOUNT || "default",
    instanceIp: required(env, "INSTANCE_IP"),
    trustDomain: env.TRUST_DOMAIN || flag(flags, "trust-domain") || "cluster.local",
    clusterId: env.ISTIO_META_CLUSTER_ID || "Kubernetes",
    domain: flag(flags, "domain") || `${namespace}.svc.cluster.local`,
    caAddress: env.CA_ADDR || proxyConfig.discoveryAddress,
    proxyConfig,
    labels: readDownwardMap(`${paths.podInfo}/labels`),
    annotations: readDownwardMap(`${paths.podInfo}/annotations`),
    meta: prefixed(env, "ISTIO_META_"),
    metaJson: Object.fromEntries(Object.entries(prefixed(env, "ISTIO_METAJSON_")).map(([key, value]) => [key, parseJson(value, `ISTIO_METAJSON_${key}`)])),
    appProbers: env.ISTIO_KUBE_APP_PROBERS || undefined,
    appMetrics: env.ISTIO_PROMETHEUS_ANNOTATIONS || undefined,
    certificateTtlSeconds: parseDuration(env.SECRET_TTL || "24h") / 1000,
    // P-256 unless RSA is asked for by name: Istio's default is RSA, whose keys cost a pod 100 ms at start.
    keyAlgorithm: env.ECC_SIGNATURE_ALGORITHM === "RSA" ? "RSA-2048" : curve === "P384" ? "P-384" : "P-256",
    logLevel: flag(flags, "log_output_level"),
    proxyLogLevel: flag(flags, "proxyLogLevel"),
    proxyComponentLogLevel: flag(flags, "proxyComponentLogLevel"),
    proxy: readProxyKind(env.CHAINMAIL_PROXY),
    paths,
  };
}

/** Istio's defaults under what injection's PROXY_CONFIG says (YAML, or JSON, which is YAML). */
function readProxyConfig(text: string | undefined, cpuLimit: string | undefined, concurrencyFlag: number): ProxyConfig {
  const given: unknown = text?.trim() ? Bun.YAML.parse(text) : {};
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw new ChainmailError("PROXY_CONFIG_INVALID", "PROXY_CONFIG is not a map");
  // As in Istio: two workers, or as many as the container's CPU limit.
  const concurrency = concurrencyFlag || Number(cpuLimit) || 2;
  const raw: Record<string, unknown> = {
    binaryPath: "/usr/local/bin/envoy",
    concurrency,
    configPath: "./etc/istio/proxy",
    controlPlaneAuthPolicy: "MUTUAL_TLS",
    discoveryAddress: "istiod.istio-system.svc:15012",
    drainDuration: "45s",
    proxyAdminPort: 15000,
    serviceCluster: "istio-proxy",
    statNameLength: 189,
    statusPort: 15020,
    terminationDrainDuration: "5s",
    ...given,
  };
  return {
    discoveryAddress: String(raw.discoveryAddress),
    proxyAdminPort: Number(raw.proxyAdminPort),
    statusPort: Number(raw.statusPort),
    drainDurationMs: parseDuration(String(raw.drainDuration)),
    terminationDrainDurationMs: parseDuration(String(raw.terminationDrainDuration)),
    concurrency: Number(raw.concurrency),
    workers: workerCount(concurrencyFlag || (given as { concurrency?: unknown }).concurrency),
    raw,
  };
}

/** As Istio's concurrency: 0 is one for each core. */
function workerCount(asked: unknown): number {
  if (asked === undefined || asked === null) return 1;
  const count = Number(asked);
  if (!Number.isInteger(count) || count < 0)
    throw new ChainmailError("PROXY_CONFIG_INVALID", `concurrency ${JSON.stringify(asked)} is not a number of workers`);
  return count || availableParallelism();
}

function readProxyKind(text: string | undefined): ProxyKind {
  if (text !== undefined && text !== "" && text !== "chainmail" && text !== "envoy")
    throw new ChainmailError("PROXY_KIND_INVALID", `CHAINMAIL_PROXY is "${text}": it is either chainmail or envoy`);
  return text === "envoy" ? "envoy" : "chainmail";
}

/** The downward API's `key="value"` lines, values as Go's strconv quotes them. A file that is not there is an empty map. */
export function readDownwardMap(path: string): Record<string, string> {
  const map: Record<string, string> = {};
  if (!existsSync(path)) return map;
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const equals = line.indexOf("=");
    if (equals <= 0) continue;
    const value = parseJson(line.slice(equals + 1), path);
    if (typeof value === "string") map[line.slice(0, equals)] = value;
  }
  return map;
}

/** Milliseconds of a Go duration such as `1h30m`, `5s` or `250ms`. */
export function parseDuration(text: string): number {
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  let total = 0;
  let rest = text;
  while (rest !== "") {
    const match = /^(\d+(?:\.\d+)?)(ms|h|m|s)/.exec(rest);
    if (!match?.[1] || !match[2]) throw new ChainmailError("DURATION_INVALID", `"${text}" is not a duration such as 5s or 1h30m`);
    total += Number(match[1]) * (units[match[2]] ?? 0);
    rest = rest.slice(match[0].length);
  }
  return total;
}

function prefixed(env: Readonly<Record<string, string | undefined>>, prefix: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) if (key.startsWith(prefix) && value !== undefined) out[key.slice(prefix.length)] = value;
  return out;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ChainmailError("AGENT_INPUT_INVALID", `${what} holds a value that cannot be read`, { cause });
  }
}

function required(env: Readonly<Record<string, string | undefined>>, name: string): string {
  const value = env[name];
  if (!value) throw new ChainmailError("AGENT_ENV_MISSING", `the environment variable ${name} is not set: was this pod injected?`);
  return value;
}
