import { Command } from "commander";
import { globalsOf, withGlobals } from "../globals.ts";
import { group } from "../line/index.ts";
import { openKube } from "../kube-access.ts";
import { parseTarget } from "../pods.ts";
import { describePod, describeService } from "./describe.ts";

/** `x describe pod|service`. */
export function describeCommand(): Command {
  const root = group(withGlobals(new Command("describe")).aliases(["des"]).description("what the mesh does with a pod or a service"), (word) => `unknown resource type ${JSON.stringify(word)}`);
  for (const [name, aliases, describe] of [
    ["pod", ["po"], describePod],
    ["service", ["svc"], describeService],
  ] as const) {
    const command = withGlobals(new Command(name)).aliases([...aliases]).description(`what the mesh does with a ${name}`).argument("<name>", "<name>[.<namespace>]");
    command.action(async (argument: string) => {
      const kube = await openKube(globalsOf(command));
      const target = parseTarget(argument, kube.namespace);
      process.stdout.write(await describe(kube, target.name, target.namespace));
    });
    root.addCommand(command);
  }
  return root;
}
