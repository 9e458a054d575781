import { Command } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { usageText, withHelp } from "../line/index.ts";

/** `x check-inject`: whether a pod is or would be injected, and why. */
export function checkInjectCommand(): Command {
  const command = withGlobals(new Command("check-inject"))
    .summary("Whether a pod is or would be injected, and why")
    .description("Weighs the labels of a pod and its namespace against every injection webhook of the cluster.")
    .argument("[pod]", "[<type>/]<name>[.<namespace>]")
    .option("-l, --labels <string>", "labels of a pod that is not there yet, k=v with commas between");
  command.action(async (argument: string | undefined, { labels }: { labels?: string }) => {
    if (argument === undefined && labels === undefined) {
      process.stderr.write(`${usageText(command)}\n`);
      throw new ChainmailError("USAGE", "check-inject requires only [<resource-type>/]<resource-name>[.<namespace>], or specify labels flag");
    }
    const [{ openKube }, { resolvePod }, { MUTATING_WEBHOOK_CONFIGURATIONS, NAMESPACES, PODS }, { injectionVerdicts, verdictTable }] = await Promise.all([
      import("../kube-access.ts"),
      import("../pods.ts"),
      import("../../../kube/index.ts"),
      import("./check-inject.ts"),
    ]);
    const kube = await openKube(globalsOf(command));
    const pod = argument === undefined ? undefined : await resolvePod(kube, argument);
    const podLabels = pod ? ((await kube.client.get(PODS, pod.name, pod.namespace)).metadata.labels ?? {}) : parseLabels(labels ?? "");
    const namespace = await kube.client.get(NAMESPACES, pod?.namespace ?? kube.namespace);
    const { items } = await kube.client.list(MUTATING_WEBHOOK_CONFIGURATIONS);
    process.stdout.write(verdictTable(injectionVerdicts(items, podLabels, namespace.metadata.labels ?? {})));
  });
  return withHelp(command, {
    use: "[<type>/]<name>[.<namespace>]",
    example: "  istioctl x check-inject deployment/web-api\n  istioctl x check-inject -n test -l app=web,version=v1",
  });
}

function parseLabels(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((pair) => {
      const [key = "", value, ...rest] = pair.split("=").map((part) => part.trim());
      if (key === "" || value === undefined || rest.length > 0)
        throw new ChainmailError("USAGE", `couldn't parse the selector string ${JSON.stringify(text)}: labels are k=v with commas between`);
      return [key, value];
    }),
  );
}
