import { Command } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { PODS } from "../../../kube/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { openKube, type KubeAccess, type PodRef } from "../kube-access.ts";
import { adminPortOption, usageText, withHelp } from "../line/index.ts";
import { resolvePod } from "../pods.ts";

interface StatsOptions {
  readonly output: string;
  readonly type: string;
  readonly selector?: string;
  readonly proxyAdminPort: number;
}

/** `x envoy-stats`: a proxy's counters. */
export function statsCommand(): Command {
  const command = withGlobals(new Command("envoy-stats"))
    .aliases(["es"])
    .description("A proxy's statistics")
    .argument("[pod]", "[<type>/]<name>[.<namespace>]")
    .option("-o, --output <string>", "one of json, yaml, short, prom, prom-merged", "short")
    .option("-t, --type <string>", "one of server, clusters", "server")
    .option("-l, --selector <string>", "pods by labels")
    .addOption(adminPortOption());
  command.action(async (argument: string | undefined, options: StatsOptions) => {
    if (argument === undefined && options.selector === undefined) {
      process.stderr.write(`${usageText(command)}\n`);
      throw new ChainmailError("USAGE", "stats requires pod name or label selector");
    }
    if (argument !== undefined && options.selector !== undefined)
      throw new ChainmailError("USAGE", "name cannot be provided when the label selector is specified");
    const kube = await openKube(globalsOf(command));
    const pods =
      argument === undefined
        ? (await kube.client.list(PODS, { namespace: kube.namespace, labelSelector: options.selector ?? "" })).items.map(({ metadata }): PodRef => ({
            name: metadata.name,
            namespace: metadata.namespace ?? kube.namespace,
          }))
        : [await resolvePod(kube, argument)];
    if (pods.length === 0) throw new ChainmailError("NO_PODS", "no pods found");
    for (const pod of pods) process.stdout.write(`\nThe result of pod ${pod.name}:\n\n${await stats(kube, pod, options)}`);
  });
  return withHelp(command, { use: "[<type>/]<name>[.<namespace>]", example: "  istioctl experimental envoy-stats deploy/web-api --output prom" });
}

async function stats(kube: KubeAccess, pod: PodRef, { output, type, proxyAdminPort }: StatsOptions): Promise<string> {
  const base = type === "server" || type === "" ? "stats" : type === "cluster" || type === "clusters" ? "clusters" : undefined;
  if (base === undefined) throw new ChainmailError("USAGE", `unknown stats type ${type}`);
  const get = async (path: string, at = proxyAdminPort): Promise<string> => (await kube.request(pod, at, "GET", path)).body;
  switch (output) {
    case "short":
      return get(base);
    case "json":
    case "yaml": {
      const { printValue } = await import("./messages.ts");
      return printValue(JSON.parse(await get(`${base}?format=json`)), output);
    }
    case "prom":
      if (base === "stats") return get("stats/prometheus");
      break;
    case "prom-merged":
      // The agent adds the application's own metrics where the pod says it has any.
      if (base === "stats") {
        const { annotations = {} } = (await kube.client.get(PODS, pod.name, pod.namespace)).metadata;
        return get(annotations["prometheus.io/path"] ?? "/metrics", Number(annotations["prometheus.io/port"] ?? "80"));
      }
  }
  const allowed = base === "stats" ? "json,yaml,short,prom,prom-merged" : "json,yaml,short";
  throw new ChainmailError("USAGE", `unable to match a printer suitable for the output format ${output}, allowed formats are: ${allowed}`);
}
