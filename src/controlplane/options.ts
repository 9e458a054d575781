import { ChainmailError, type LogLevel } from "../base/index.ts";
import { parseOidcRule, type OidcRule } from "./ca/index.ts";

/** What pilot-discovery takes from its command line and environment, with Istio's names. */
export interface DiscoveryOptions {
  namespace: string;
  podName: string;
  revision: string;
  clusterId: string;
  domain: string;
  /** Reaches the API server from outside a cluster; undefined for a pod's own means. */
  kubeconfig: string | undefined;
  logLevel: LogLevel;
  /** JWT_RULE: a further issuer of workloads' tokens. */
  oidc: OidcRule | undefined;
  /** ROOT_CERT_SPREAD: how long a new root is made known before it signs; undefined for the default. */
  rootSpreadMs: number | undefined;
  monitoringPort: number;
  httpPort: number;
  grpcPort: number;
  secureGrpcPort: number;
  httpsPort: number;
}

const LEVELS: readonly string[] = ["debug", "info", "warn", "error", "none"];
/** Flags of Istio's that change nothing here; manifests written for Istio pass them. */
const IGNORED = new Set([
  "keepaliveMaxServerConnectionAge",
  "keepaliveInterval",
  "keepaliveTimeout",
  "log_as_json",
  "caCertFile",
  "tlsCertFile",
  "tlsKeyFile",
  "registries",
  "profile",
  "networksConfig",
  "meshConfig",
]);

/** Reads `discovery [flags]`. Throws USAGE for an unknown command, flag or value. */
export function parseOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): DiscoveryOptions {
  const [command, ...rest] = argv;
  if (command !== "discovery") throw usage(`unknown command ${JSON.stringify(command ?? "")} for "pilot-discovery"`);
  const flags = new Map<string, string>();
  for (let i = 0; i < rest.length; i++) {
    const match = /^--([A-Za-z_-]+)(?:=(.*))?$/.exec(rest[i] ?? "");
    if (!match?.[1]) throw usage(`unexpected argument ${JSON.stringify(rest[i])}`);
    const next = rest[i + 1];
    const value = match[2] ?? (next !== undefined && !next.startsWith("--") ? rest[++i] : "true");
    flags.set(match[1], value ?? "");
  }
  const port = (flag: string, fallback: number): number => {
    const address = flags.get(flag);
    flags.delete(flag);
    if (address === undefined) return fallback;
    const number = Number(/^[^:]*:(\d{1,5})$/.exec(address)?.[1] ?? NaN);
    if (!(number <= 65_535)) throw usage(`--${flag} wants an address such as :15014, not ${JSON.stringify(address)}`);
    return number;
  };
  const text = (flag: string, fallback: string): string => {
    const value = flags.get(flag) ?? fallback;
    flags.delete(flag);
    return value;
  };
  const level = /(?:^|,)(?:default:|all:)?([a-z]+)/.exec(text("log_output_level", "default:info"))?.[1] ?? "info";
  const options: DiscoveryOptions = {
    namespace: text("namespace", env["POD_NAMESPACE"] || "istio-system"),
    podName: env["POD_NAME"] || "istiod",
    revision: env["REVISION"] || "default",
    clusterId: text("clusterID", env["CLUSTER_ID"] || "Kubernetes"),
    domain: text("domain", "cluster.local"),
    kubeconfig: text("kubeconfig", "") || undefined,
    logLevel: (LEVELS.includes(level) ? level : "info") as LogLevel,
    oidc: parseOidcRule(env["JWT_RULE"]),
    rootSpreadMs: spreadOf(env["ROOT_CERT_SPREAD"]),
    monitoringPort: port("monitoringAddr", 15014),
    httpPort: port("httpAddr", 8080),
    grpcPort: port("grpcAddr", 15010),
    secureGrpcPort: port("secureGRPCAddr", 15012),
    httpsPort: port("httpsAddr", 15017),
  };
  const unknown = [...flags.keys()].find((flag) => !IGNORED.has(flag));
  if (unknown) throw usage(`unknown flag: --${unknown}`);
  return options;
}

/** Such as `90s` or `2m`. */
function spreadOf(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const match = /^(\d+)(s|m)$/.exec(text);
  if (!match) throw usage(`ROOT_CERT_SPREAD wants a duration such as 90s, not ${JSON.stringify(text)}`);
  return Number(match[1]) * (match[2] === "m" ? 60_000 : 1_000);
}

function usage(message: string): ChainmailError {
  return new ChainmailError("USAGE", message, {
    hint: "pilot-discovery discovery [--monitoringAddr :15014] [--domain cluster.local] [--log_output_level default:info]",
  });
}
