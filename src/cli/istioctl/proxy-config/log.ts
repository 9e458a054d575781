import { Command } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { openKube, type KubeAccess, type PodRef } from "../kube-access.ts";
import { PODS } from "../../../kube/index.ts";
import { resolvePod } from "../pods.ts";

interface LogOptions {
  readonly level?: string;
  readonly reset: boolean;
  readonly selector?: string;
  readonly output: string;
  readonly proxyAdminPort: string;
}

const LEVELS = new Set(["none", "off", "critical", "error", "warning", "info", "debug", "trace"]);
/** What `--reset` sets: the level that injection starts a proxy with. */
const DEFAULT_LEVEL = "warning";

/** `proxy-config log`: shows the proxy's loggers, or sets their levels. */
export function logCommand(): Command {
  const command = withGlobals(new Command("log"))
    .aliases(["o"])
    .description("log levels of the proxy in a pod")
    .argument("[pod]", "[<type>/]<name>[.<namespace>]")
    .option("--level <levels>", "level of all loggers, or logger:level pairs after commas")
    .option("-r, --reset", "levels as they were at start", false)
    .option("-l, --selector <labels>", "pods by labels")
    .option("-o, --output <format>", "not for this command: levels come as the proxy prints them", "short")
    .option("--proxy-admin-port <port>", "the proxy's admin port", "15000");
  return command.action(async (argument: string | undefined, options: LogOptions) => {
    if ((argument === undefined) === (options.selector === undefined)) throw new ChainmailError("USAGE", "either pod name or --selector is required");
    if (options.output !== "short") throw new ChainmailError("USAGE", "--output is not applicable for this command");
    const queries = loggingQueries(options);
    const kube = await openKube(globalsOf(command));
    const port = Number(options.proxyAdminPort);
    const pods: PodRef[] = argument === undefined ? (await kube.client.list(PODS, { namespace: kube.namespace, labelSelector: options.selector ?? "" })).items.map(({ metadata }) => ({ name: metadata.name, namespace: metadata.namespace ?? kube.namespace })) : [await resolvePod(kube, argument)];
    if (pods.length === 0) throw new ChainmailError("NO_PODS", `no pods found for selector ${options.selector ?? ""}`);
    for (const pod of pods) process.stdout.write(await logLevels(kube, pod, port, queries));
  });
}

async function logLevels(kube: KubeAccess, pod: PodRef, port: number, queries: readonly string[]): Promise<string> {
  let body = "";
  for (const query of queries) body = (await kube.request(pod, port, "POST", `logging${query}`)).body;
  return `${pod.name}.${pod.namespace}:\n${body}`;
}

/** The requests that a `--level` or `--reset` becomes; the last one's answer is what counts. */
export function loggingQueries(options: Pick<LogOptions, "level" | "reset">): string[] {
  if (options.reset) return [`?level=${DEFAULT_LEVEL}`];
  if (options.level === undefined) return [""];
  return options.level.split(",").map((part) => {
    const [logger, level] = part.includes(":") ? [part.slice(0, part.lastIndexOf(":")), part.slice(part.lastIndexOf(":") + 1)] : ["level", part];
    if (!LEVELS.has(level)) throw new ChainmailError("USAGE", `unrecognized logging level: ${level}`);
    return `?${encodeURIComponent(logger)}=${level === "none" ? "off" : level}`;
  });
}
