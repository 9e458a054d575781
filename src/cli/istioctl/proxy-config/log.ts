import { Command } from "commander";
import { ChainmailError, errorText } from "../../../base/index.ts";
import { PODS } from "../../../kube/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { openKube, type KubeAccess, type PodRef } from "../kube-access.ts";
import { adminPortOption, usageText, withHelp } from "../line/index.ts";
import { resolvePod } from "../pods.ts";

interface LogOptions {
  readonly level?: string;
  readonly reset: boolean;
  readonly selector?: string;
  readonly output: string;
  readonly proxyAdminPort: number;
}

const LEVELS = new Set(["none", "off", "critical", "error", "warning", "info", "debug", "trace"]);
/** What `--reset` sets: the level that injection starts a proxy with. */
const DEFAULT_LEVEL = "warning";
/** The name that stands for all loggers. */
const ALL = "level";

/** `proxy-config log`: shows the proxy's loggers, or sets their levels. */
export function logCommand(): Command {
  const command = withGlobals(new Command("log"))
    .aliases(["o"])
    .description("Log levels of the proxy in a pod")
    .argument("[pod...]", "[<type>/]<name>[.<namespace>]")
    .option("--level <string>", "level of all loggers, or logger:level pairs after commas; levels are trace, debug, info, warning, error, critical and off")
    .option("-r, --reset", "levels as they were at start", false)
    .option("-l, --selector <string>", "pods by labels")
    .option("-o, --output <string>", "not for this command: levels come as the proxy prints them", "short")
    .addOption(adminPortOption());
  command.action(async ([argument]: string[], options: LogOptions) => {
    if (argument === undefined && options.selector === undefined) throw misused(command, "log requires pod name or --selector");
    if (options.reset && options.level !== undefined) throw misused(command, "--level cannot be combined with --reset");
    if (options.output !== "short") throw new ChainmailError("USAGE", "--output is not applicable for this command");
    const kube = await openKube(globalsOf(command));
    const pods = options.selector === undefined ? [await resolvePod(kube, argument ?? "")] : await podsBy(kube, options.selector);
    const before = await Promise.all(pods.map((pod) => logging(kube, pod, options.proxyAdminPort, "")));
    const queries = loggingQueries(options, before.at(-1) ?? "");
    const failures: string[] = [];
    for (const pod of pods) {
      const name = `${pod.name}.${pod.namespace}`;
      try {
        process.stdout.write(`${name}:\n${await setLevels(kube, pod, options.proxyAdminPort, queries)}`);
      } catch (error) {
        failures.push(`error configuring log level for ${name}: ${errorText(error)}`);
      }
    }
    if (failures.length > 0) throw new ChainmailError("LEVELS_NOT_SET", failures.join("\n"));
  });
  return withHelp(command, {
    use: "[<type>/]<name>[.<namespace>]",
    example: "  istioctl proxy-config log deploy/web-api --level rbac:debug,http:info\n  istioctl proxy-config log deploy/web-api -r",
  });
}

function misused(command: Command, text: string): ChainmailError {
  process.stderr.write(`${usageText(command)}\n`);
  return new ChainmailError("USAGE", text);
}

async function podsBy(kube: KubeAccess, labelSelector: string): Promise<PodRef[]> {
  const { items } = await kube.client.list(PODS, { namespace: kube.namespace, labelSelector });
  if (items.length === 0) throw new ChainmailError("NO_PODS", "no pods found");
  return items.map(({ metadata }) => ({ name: metadata.name, namespace: metadata.namespace ?? kube.namespace }));
}

async function setLevels(kube: KubeAccess, pod: PodRef, port: number, queries: readonly string[]): Promise<string> {
  let body = "";
  for (const query of queries) body = await logging(kube, pod, port, query);
  return body;
}

async function logging(kube: KubeAccess, pod: PodRef, port: number, query: string): Promise<string> {
  return (await kube.request(pod, port, "POST", `logging${query}`)).body;
}

/**
 * The requests that `--level` or `--reset` becomes, the one for all loggers first; `loggers` is what the proxy has.
 * Throws on a name that is not among them and on words that are no levels.
 */
export function loggingQueries(options: Pick<LogOptions, "level" | "reset">, loggers: string): string[] {
  if (options.reset) return [`?${ALL}=${DEFAULT_LEVEL}`];
  if (options.level === undefined || options.level === "") return [""];
  const wanted = new Map<string, string>();
  for (const part of options.level.split(",")) {
    // Istio's loggers may stand with the namespace that they are of: envoy::http:debug.
    const [, name, level = ""] = /^(?:.*::)?([^:=]*)[:=](.*)$/.exec(part) ?? [undefined, undefined, part];
    if (name !== undefined && name !== ALL && !loggers.includes(name)) throw new ChainmailError("USAGE", `unrecognized logger name: ${name}`);
    if (!LEVELS.has(level)) throw new ChainmailError("USAGE", `unrecognized logging level: ${level}`);
    // A level for all takes back what was said of single ones before.
    if (name === undefined) wanted.clear();
    wanted.set(name ?? ALL, level === "none" ? "off" : level);
  }
  const ordered = [...wanted].sort(([a], [b]) => Number(b === ALL) - Number(a === ALL));
  return ordered.map(([name, level]) => `?${encodeURIComponent(name)}=${level}`);
}
