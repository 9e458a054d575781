import { readFileSync } from "node:fs";
import { ChainmailError } from "../base/index.ts";
import { httpsTransport, type HttpsTransportOptions } from "./https-transport.ts";
import type { Transport } from "./types.ts";

/** Where every pod finds its service account's token, CA and namespace. */
export const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What a program in a pod needs to reach its API server, and the pod's namespace. */
export function inClusterOptions(
  env: Record<string, string | undefined> = process.env,
  dir = SERVICE_ACCOUNT_DIR,
): HttpsTransportOptions & { namespace: string } {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"];
  if (!host || !port) {
    throw new ChainmailError("NOT_IN_CLUSTER", "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this does not run in a pod", {
      hint: "outside a pod, name a kubeconfig with --kubeconfig or KUBECONFIG",
    });
  }
  const read = (name: string) => {
    try {
      return readFileSync(`${dir}/${name}`, "utf8");
    } catch (cause) {
      throw new ChainmailError("NO_SERVICE_ACCOUNT", `the pod has no ${dir}/${name}: is automountServiceAccountToken off?`, { cause });
    }
  };
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: read("ca.crt"),
    tokenFile: `${dir}/token`,
    namespace: read("namespace").trim(),
  };
}

/** The transport of a program in a pod. */
export function inClusterTransport(env: Record<string, string | undefined> = process.env, dir = SERVICE_ACCOUNT_DIR): Transport {
  return httpsTransport(inClusterOptions(env, dir));
}
