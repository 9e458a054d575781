import { Command } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { globalsOf, withGlobals } from "../globals.ts";
import { group, withHelp } from "../line/index.ts";
import type { SetTagOptions } from "./run.ts";

/** `istioctl tag`: names for revisions, which namespaces can keep while the revision behind them changes. */
export function tagCommand(): Command {
  const root = group(
    withGlobals(new Command("tag"))
      .summary("Names for control plane revisions")
      .description("Names for control plane revisions: a namespace labelled istio.io/rev=prod is injected by whatever revision the tag prod leads to."),
    (word) => `unknown subcommand ${JSON.stringify(word)}`,
  );
  withHelp(root, { runnable: true });
  for (const command of [setCommand("set"), setCommand("generate"), listCommand(), removeCommand()]) root.addCommand(command);
  return root;
}

function setCommand(name: "set" | "generate"): Command {
  const command = withGlobals(new Command(name))
    .description(name === "set" ? "Creates a tag, or leads it to another revision" : "Prints what makes a tag")
    .argument("[tag...]")
    .option("-r, --revision <string>", "revision that the tag leads to")
    .option("--overwrite", "a tag of this name may be there already", false)
    .option("-y, --skip-confirmation", "go on where webhooks would inject twice", false)
    .option("--webhook-name <string>", "name of the webhook configuration")
    .option("--auto-inject-namespaces", "inject where no label says anything", false)
    .option("-d, --manifests <string>", "refused: there are no charts");
  command.action(async (tags: string[], options: Omit<SetTagOptions, "revision"> & { revision?: string; manifests?: string }) => {
    const { revision, manifests } = options;
    const tag = only(tags, "must provide a tag for modification", "must provide a single tag for creation");
    if (revision === undefined) throw new ChainmailError("USAGE", 'required flag(s) "revision" not set');
    if (manifests !== undefined) throw new ChainmailError("NO_CHARTS", "Chainmail makes tags without charts: --manifests has nothing to name");
    await (await import("./run.ts")).runSetTag(tag, { ...options, revision }, name === "generate", globalsOf(command));
  });
  return withHelp(command, { use: "<revision-tag>", example: `  istioctl tag ${name} prod --revision canary` });
}

function listCommand(): Command {
  const command = withGlobals(new Command("list"))
    .alias("show")
    .description("Lists tags and who uses them")
    .argument("[args...]")
    .option("-o, --output <string>", "one of table, json, yaml", "table");
  command.action(async (args: string[], { output }: { output: string }) => {
    if (args.length > 0) throw new ChainmailError("USAGE", "tag list command does not accept arguments");
    await (await import("./run.ts")).runListTags(output, globalsOf(command));
  });
  return withHelp(command, { use: "", example: "  istioctl tag list" });
}

function removeCommand(): Command {
  const command = withGlobals(new Command("remove"))
    .alias("delete")
    .description("Removes a tag")
    .argument("[tag...]")
    .option("-y, --skip-confirmation", "do not ask", false);
  command.action(async (tags: string[], { skipConfirmation }: { skipConfirmation: boolean }) => {
    const tag = only(tags, "must provide a tag for removal", "must provide a single tag for removal");
    await (await import("./run.ts")).runRemoveTag(tag, skipConfirmation, globalsOf(command));
  });
  return withHelp(command, { use: "<revision-tag>", example: "  istioctl tag remove prod" });
}

function only(tags: readonly string[], none: string, several: string): string {
  const [tag] = tags;
  if (tag === undefined || tags.length > 1) throw new ChainmailError("USAGE", tag === undefined ? none : several);
  return tag;
}
