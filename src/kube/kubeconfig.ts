import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ChainmailError } from "../base/index.ts";
import { httpsTransport, type HttpsTransportOptions } from "./https-transport.ts";
import type { Transport } from "./types.ts";

export interface KubeconfigTarget {
  context: string;
  cluster: string;
  /** The context's namespace, "default" where it has none. */
  namespace: string;
  /** For transports, port-forward and messages. */
  connection: HttpsTransportOptions;
}

type Fields = Record<string, unknown>;

/** Reads the chosen (else the current) context of a kubeconfig file. Relative paths in it are relative to the file. */
export async function loadKubeconfig(path: string, context?: string): Promise<KubeconfigTarget> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ChainmailError("KUBECONFIG_UNREADABLE", `cannot read the kubeconfig ${path}`, {
      cause,
      hint: "set KUBECONFIG, or start a cluster with: chainmail up",
    });
  }
  const { load } = await import("js-yaml");
  let parsed: unknown;
  try {
    parsed = load(text);
  } catch (cause) {
    throw invalid(path, "it is not YAML", cause);
  }
  const config = fields(parsed);
  const name = context ?? stringOf(config["current-context"]);
  if (!name) throw invalid(path, "it has no current-context");
  const chosen = named(path, config, "contexts", "context", name);
  const clusterName = stringOf(chosen["cluster"]) ?? "";
  const cluster = named(path, config, "clusters", "cluster", clusterName);
  const userName = stringOf(chosen["user"]);
  const user = userName ? named(path, config, "users", "user", userName) : {};
  const server = stringOf(cluster["server"]);
  if (!server) throw invalid(path, `the cluster "${clusterName}" has no server`);
  if (user["exec"] || user["auth-provider"]) throw invalid(path, `the user "${userName}" uses a credential plugin, which is not supported`);

  const material = (from: Fields, field: string): string | undefined => {
    const data = stringOf(from[`${field}-data`]);
    if (data) return Buffer.from(data, "base64").toString("utf8");
    const file = stringOf(from[field]);
    if (!file) return undefined;
    try {
      return readFileSync(resolve(dirname(path), file), "utf8");
    } catch (cause) {
      throw invalid(path, `${field} names ${file}, which cannot be read`, cause);
    }
  };
  const tokenFile = stringOf(user["tokenFile"]);
  const connection: HttpsTransportOptions = { server };
  const put = <K extends keyof HttpsTransportOptions>(key: K, value: HttpsTransportOptions[K]) => {
    if (value !== undefined) connection[key] = value;
  };
  put("ca", material(cluster, "certificate-authority"));
  put("serverName", stringOf(cluster["tls-server-name"]));
  if (cluster["insecure-skip-tls-verify"] === true) connection.insecureSkipTlsVerify = true;
  put("clientCert", material(user, "client-certificate"));
  put("clientKey", material(user, "client-key"));
  put("token", stringOf(user["token"]));
  put("tokenFile", tokenFile && resolve(dirname(path), tokenFile));
  return { context: name, cluster: clusterName, namespace: stringOf(chosen["namespace"]) || "default", connection };
}

/** The transport of a CLI. */
export async function transportFromKubeconfig(path: string, context?: string): Promise<Transport> {
  return httpsTransport((await loadKubeconfig(path, context)).connection);
}

function named(path: string, config: Fields, list: string, field: string, name: string): Fields {
  const entries = Array.isArray(config[list]) ? config[list].map(fields) : [];
  const entry = entries.find((candidate) => candidate["name"] === name);
  if (!entry) {
    const known = entries.map((candidate) => `"${String(candidate["name"])}"`).join(", ");
    throw invalid(path, `it has no ${field} "${name}"${known ? ` (it has ${known})` : ""}`);
  }
  return fields(entry[field]);
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function invalid(path: string, why: string, cause?: unknown): ChainmailError {
  return new ChainmailError("KUBECONFIG_INVALID", `the kubeconfig ${path} cannot be used: ${why}`, { cause });
}
