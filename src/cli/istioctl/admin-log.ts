import { Command } from "commander";
import { ChainmailError, errorText } from "../../base/index.ts";
import { tabwriter } from "./format/tabwriter.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { httpOver } from "./http-over.ts";
import { openKube, type KubeAccess, type PodRef } from "./kube-access.ts";
import { group, withHelp } from "./line/index.ts";

interface LogOptions {
  readonly level?: string;
  readonly stackTraceLevel?: string;
  readonly reset: boolean;
  readonly logReset: boolean;
  readonly stackTraceReset: boolean;
  readonly revision?: string;
  readonly selector: string;
  readonly output: string;
  readonly ctrlz_port: string;
}

/** A logger of istiod, as its ControlZ page tells it. */
interface Scope {
  readonly name: string;
  readonly description?: string;
  readonly output_level?: string;
  readonly stack_trace_level?: string;
}

/** `istioctl admin log`: loggers of an istiod that has Istio's ControlZ page. */
export function adminCommand(): Command {
  const log = withGlobals(new Command("log"))
    .alias("l")
    .summary("Log levels of istiod")
    .description("Shows or sets the log levels of a control plane that has Istio's ControlZ page.")
    .argument("[pod]")
    .option("--level <string>", "scope:level pairs with commas between")
    .option("--stack-trace-level <string>", "scope:level pairs with commas between")
    .option("--reset", "all levels as they were", false)
    .option("--log-reset", "levels as they were", false)
    .option("--stack-trace-reset", "no stack traces", false)
    .option("-r, --revision <string>", "revision of the control plane")
    .option("-l, --selector <string>", "label selector", "app=istiod")
    .option("-o, --output <string>", "one of json, yaml, short", "short")
    .option("--ctrlz_port <int>", "ControlZ's port", "9876");
  log.action(async (name: string | undefined, options: LogOptions) => {
    if (name !== undefined && options.revision !== undefined) throw new ChainmailError("USAGE", "only one of pod name or --revision can be given");
    const kube = await openKube(globalsOf(log));
    const pods = name === undefined ? await istiodsOf(kube, options) : [{ name, namespace: kube.istioNamespace }];
    for (const pod of pods) process.stdout.write(await adminLog(kube, pod, options));
  });
  const root = group(
    withGlobals(new Command("admin")).aliases(["istiod"]).summary("Settings of a running istiod").description("Settings of a running istiod"),
  ).option("-l, --selector <string>", "label selector", "app=istiod");
  withHelp(root, { runnable: true, example: "  istioctl admin log --revision default\n  istioctl admin log -l app=istiod" });
  root.addCommand(
    withHelp(log, {
      use: "[<pod-name>]|[-r|--revision] [--level <scope>:<level>][--stack-trace-level <scope>:<level>]|[--reset|--log-reset|--stack-trace-reset]|[--output|-o short|json|yaml]",
      example: "  istioctl admin log\n  istioctl admin log --level ads:debug,authorization:debug",
    }),
  );
  return root;
}

async function istiodsOf(kube: KubeAccess, { selector, revision }: LogOptions): Promise<PodRef[]> {
  const { PODS } = await import("../../kube/index.ts");
  const labelSelector = revision === undefined ? selector : `${selector},istio.io/rev=${revision}`;
  const { items } = await kube.client.list(PODS, { namespace: kube.istioNamespace, labelSelector });
  if (items.length === 0) throw new ChainmailError("ISTIOD_MISSING", `no pods found with selector ${labelSelector}`);
  return items.map(({ metadata }) => ({ name: metadata.name, namespace: metadata.namespace ?? kube.istioNamespace }));
}

async function adminLog(kube: KubeAccess, pod: PodRef, options: LogOptions): Promise<string> {
  const port = Number(options.ctrlz_port);
  const send = async (method: string, path: string, body?: string): Promise<string> => {
    try {
      const answer = await httpOver(await kube.connect(pod, port), { method, path, host: `localhost:${port}`, ...(body !== undefined && { body }) });
      if (answer.status >= 400) throw new Error(`request not successful ${answer.status}`);
      return answer.body;
    } catch (cause) {
      throw new ChainmailError(
        "CONTROLZ_MISSING",
        `could not get scopes information: ${pod.name} does not answer on ControlZ's port ${port}: ${errorText(cause)}`,
        { cause, hint: "Chainmail's istiod has no ControlZ; its log level is its flag --log_output_level" },
      );
    }
  };
  const scopes = async (): Promise<Scope[]> => JSON.parse(await send("GET", "/scopej")) as Scope[];
  const changes = changesOf(options, options.reset || options.logReset || options.stackTraceReset ? await scopes() : []);
  for (const { name, ...change } of changes) await send("PUT", `/scopej/${encodeURIComponent(name)}`, JSON.stringify({ name, ...change }));
  if (changes.length > 0) return "";
  return scopeText(await scopes(), options.output);
}

/** The scopes to set, from the flags. */
export function changesOf(options: Pick<LogOptions, "level" | "stackTraceLevel" | "reset" | "logReset" | "stackTraceReset">, all: readonly Scope[]): Scope[] {
  const [logs, traces] = [options.reset || options.logReset, options.reset || options.stackTraceReset];
  if (logs || traces) return all.map(({ name }) => ({ name, ...(logs && { output_level: "info" }), ...(traces && { stack_trace_level: "none" }) }));
  return [
    ...pairs(options.level).map(([name, level]) => ({ name, output_level: level })),
    ...pairs(options.stackTraceLevel).map(([name, level]) => ({ name, stack_trace_level: level })),
  ];
}

function pairs(text: string | undefined): [name: string, level: string][] {
  return (text ?? "")
    .split(",")
    .filter((part) => part !== "")
    .map((part) => {
      const [, name, level] = /^(\w[\w-]*):(debug|info|warn|error|none)$/.exec(part) ?? [];
      if (name === undefined || level === undefined)
        throw new ChainmailError("USAGE", `${JSON.stringify(part)} is no scope and level: scope:debug, info, warn, error or none`);
      return [name, level];
    });
}

async function scopeText(scopes: readonly Scope[], output: string): Promise<string> {
  const sorted = [...scopes].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (output === "short")
    return tabwriter(
      [
        ["ACTIVE SCOPE", "DESCRIPTION", "LOG LEVEL", "STACK TRACE LEVEL"],
        ...sorted.map((scope) => [scope.name, scope.description ?? "", scope.output_level ?? "", scope.stack_trace_level ?? ""]),
      ],
      3,
    );
  if (output !== "json" && output !== "yaml") throw new ChainmailError("USAGE", `output format ${JSON.stringify(output)} not supported`);
  const { printValue } = await import("./proxy-config/messages.ts");
  return printValue(
    sorted.map((scope) => ({
      scope_name: scope.name,
      log_level: scope.output_level ?? "",
      stack_trace_level: scope.stack_trace_level ?? "",
      description: scope.description ?? "",
    })),
    output,
    "  ",
  );
}
