import { Command } from "commander";
import { homedir } from "node:os";
import { join } from "node:path";

/** Flags that every command takes, wherever they stand on the line. */
export interface GlobalOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly as?: string;
  readonly namespace?: string;
  readonly istioNamespace: string;
}

export function withGlobals(command: Command): Command {
  return command
    .option("-c, --kubeconfig <file>", "Kubernetes configuration file")
    .option("--context <name>", "Kubernetes configuration context")
    .option("--as <user>", "user to impersonate")
    .option("-n, --namespace <ns>", "namespace to look in")
    .option("-i, --istioNamespace <ns>", 'namespace of the control plane (default "istio-system")')
    .option("--vklog <level>", "accepted and ignored");
}

/** The nearest command on the line that has a flag wins. */
export function globalsOf(command: Command): GlobalOptions {
  const merged: Record<string, string> = {};
  for (let current: Command | null = command; current; current = current.parent) {
    for (const [key, value] of Object.entries(current.opts())) if (typeof value === "string") merged[key] ??= value;
  }
  return {
    ...(merged.kubeconfig !== undefined && { kubeconfig: merged.kubeconfig }),
    ...(merged.context !== undefined && { context: merged.context }),
    ...(merged.as !== undefined && { as: merged.as }),
    ...(merged.namespace !== undefined && { namespace: merged.namespace }),
    istioNamespace: merged.istioNamespace ?? "istio-system",
  };
}

/** The file that kubectl would read: the flag, $KUBECONFIG's first, the home folder's. */
export function kubeconfigPath(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  return flag ?? env.KUBECONFIG?.split(":").find((path) => path !== "") ?? join(env.HOME ?? homedir(), ".kube", "config");
}
