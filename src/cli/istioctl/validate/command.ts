import { Command, Option } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { collectList, globalsOf, withGlobals } from "../globals.ts";
import { CommandParseError, withHelp } from "../line/index.ts";

/** `istioctl validate`: files by themselves, without a cluster. */
export function validateCommand(): Command {
  const command = withGlobals(new Command("validate"))
    .alias("v")
    .summary("Checks files with Istio's resources")
    .description("Checks each resource in files as istiod's webhook would, and the names and labels of Services and Deployments. Needs no cluster.")
    .option("-f, --filename <strings>", "files or folders; - is stdin", collectList)
    .addOption(new Option("-x, --referential", "accepted and ignored").default(true).hideHelp())
    .argument("[args...]");
  command.action(async (args: string[], { filename = [] }: { filename?: string[] }) => {
    if (args.length > 0) throw new CommandParseError(`unknown command ${JSON.stringify(args[0])} for "istioctl validate"`);
    if (filename.length === 0)
      throw new ChainmailError(
        "USAGE",
        "error: you must specify resources by --filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'",
      );
    const { namespace = "default", istioNamespace } = globalsOf(command);
    process.exitCode = (await import("./validate.ts")).validateFiles(filename, { namespace, istioNamespace }, (text) => void process.stderr.write(text));
  });
  return withHelp(command, {
    use: "-f FILENAME [options]",
    hides: ["--kubeconfig"],
    example: "  istioctl validate -f gateway.yaml\n  kubectl get services -o yaml | istioctl validate -f -",
  });
}
