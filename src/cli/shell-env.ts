import { existsSync } from "node:fs";
import { join } from "node:path";
import type { KubeClient } from "../kube/index.ts";
import { gatewayAddress } from "./cluster-api.ts";
import type { ClusterPaths } from "./home.ts";
import { PROJECT_ROOT } from "./programs.ts";

/** The variables that the workshop's text uses and that make kubectl and istioctl find the cluster. */
export async function shellEnvironment(paths: ClusterPaths, client: KubeClient, path = process.env.PATH ?? ""): Promise<Record<string, string>> {
  const gateway = await gatewayAddress(client);
  const tools = join(PROJECT_ROOT, "node_modules/.chainmail-tools");
  const folders = [join(PROJECT_ROOT, "bin"), ...(existsSync(tools) ? [tools] : [])].filter((folder) => !path.split(":").includes(folder));
  return {
    PATH: [...folders, path].join(":"),
    KUBECONFIG: paths.kubeconfig,
    CHAINMAIL_LAB_DIR: paths.lab,
    ...(gateway && { GATEWAY_IP: gateway.ip, INGRESS_PORT: String(gateway.http), SECURE_INGRESS_PORT: String(gateway.https) }),
  };
}

/** Lines for `eval`, each value quoted for a POSIX shell. */
export function exportLines(env: Record<string, string>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join("");
}
