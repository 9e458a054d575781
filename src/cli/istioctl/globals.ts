import { Option, type Command } from "commander";
import { homedir } from "node:os";
import { join } from "node:path";

/** Flags that every command takes, wherever they stand on the line. */
export interface GlobalOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly as?: string;
  readonly asGroup: readonly string[];
  readonly asUid?: string;
  readonly namespace?: string;
  readonly istioNamespace: string;
}

/** Of Istio's logger; there is no such log here, but scripts name them. */
const LOG_FLAGS = ["--log_as_json", "--log_caller <scopes>", "--log_output_level <levels>", "--log_stacktrace_level <levels>", "--log_target <paths>"];

export function withGlobals<C extends Command>(command: C): C {
  command
    .option("-c, --kubeconfig <string>", "Kubernetes configuration file")
    .option("--context <string>", "Kubernetes configuration context")
    .option("--as <string>", "user to act as")
    .option("--as-group <stringArray>", "group to act as; more than once for several", collect)
    .option("--as-uid <string>", "UID to act as")
    .option("--kubeclient-timeout <string>", 'accepted and ignored (default "15s")')
    .option("-n, --namespace <string>", "namespace to look in")
    .option("-i, --istioNamespace <string>", 'namespace of the control plane (default "istio-system")')
    .option("--vklog <Level>", "accepted and ignored");
  for (const flags of LOG_FLAGS) command.addOption(new Option(flags).hideHelp());
  return command;
}

/** For options that may be given more than once. */
export function collect(value: string, all: readonly string[] = []): string[] {
  return [...all, value];
}

/** For options that may be given more than once, with commas inside as well. */
export function collectList(value: string, all: readonly string[] = []): string[] {
  return [...all, ...value.split(",").filter((part) => part !== "")];
}

/** The nearest command on the line that has a flag wins. */
export function globalsOf(command: Command): GlobalOptions {
  const merged: Record<string, unknown> = {};
  for (let current: Command | null = command; current; current = current.parent) {
    for (const [key, value] of Object.entries(current.opts())) merged[key] ??= value;
  }
  const text = (key: string): string | undefined => (typeof merged[key] === "string" ? merged[key] : undefined);
  const given = <K extends string>(key: K): Partial<Record<K, string>> => (text(key) === undefined ? {} : ({ [key]: text(key) } as Record<K, string>));
  return {
    ...given("kubeconfig"),
    ...given("context"),
    ...given("as"),
    ...given("asUid"),
    ...given("namespace"),
    asGroup: Array.isArray(merged.asGroup) ? merged.asGroup.map(String) : [],
    istioNamespace: text("istioNamespace") ?? "istio-system",
  };
}

/** The file that kubectl would read: the flag, $KUBECONFIG's first, the home folder's. */
export function kubeconfigPath(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  return flag ?? env.KUBECONFIG?.split(":").find((path) => path !== "") ?? join(env.HOME ?? homedir(), ".kube", "config");
}
