import { Command } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { adminPortOption, group, requirePort, usageText, withHelp } from "../line/index.ts";
import { openKube } from "../kube-access.ts";
import { parseTarget } from "../pods.ts";
import { describePod, describeService } from "./describe.ts";

interface Options {
  readonly ignoreUnmeshed: boolean;
  readonly proxyAdminPort: number;
}

const KINDS = [
  {
    name: "pod",
    alias: "po",
    use: "<pod-name>[.<namespace>]",
    describe: describePod,
    example: "  istioctl experimental describe pod web-api-689c7c576c-cvwwz\n  istioctl experimental describe pod web-api-689c7c576c-cvwwz -n istioinaction",
  },
  {
    name: "service",
    alias: "svc",
    use: "<svc-name>[.<namespace>]",
    describe: describeService,
    example: "  istioctl experimental describe service web-api\n  istioctl experimental describe service istio-ingressgateway.istio-system",
  },
] as const;

/** `x describe pod|service`. */
export function describeCommand(): Command {
  const root = group(
    withGlobals(new Command("describe")).aliases(["des"]).description("What the mesh does with a pod or a service"),
    (word) => `unknown resource type ${JSON.stringify(word)}`,
  );
  withHelp(root, { runnable: true });
  for (const { name, alias, use, describe, example } of KINDS) {
    const command = withGlobals(new Command(name))
      .alias(alias)
      .description(`What the mesh does with a ${name}`)
      .argument("[name...]")
      .option("--ignoreUnmeshed", "no warnings about pods outside the mesh", false);
    command.addOption(adminPortOption());
    command.action(async (names: string[], { ignoreUnmeshed, proxyAdminPort }: Options) => {
      requirePort(proxyAdminPort);
      const [argument] = names;
      if (argument === undefined || names.length > 1) {
        if (name === "service") process.stderr.write(`${usageText(command)}\n`);
        throw new ChainmailError("USAGE", `expecting ${name} name`);
      }
      const kube = await openKube(globalsOf(command));
      const target = parseTarget(argument, kube.namespace);
      if (target.type !== undefined)
        throw new ChainmailError("USAGE", `invalid resource name ${JSON.stringify(`${target.type}/${target.name}`)}: [may not contain '/']`);
      for await (const text of describe(kube, target.name, target.namespace, { ignoreUnmeshed, adminPort: proxyAdminPort })) process.stdout.write(text);
    });
    root.addCommand(withHelp(command, { use, example }));
  }
  return root;
}
