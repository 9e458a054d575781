import { Command } from "commander";
import { ChainmailError } from "../../../base/index.ts";
import { collect, globalsOf, withGlobals } from "../globals.ts";
import { withHelp } from "../line/index.ts";
import type { AnalyzeOptions } from "./run.ts";

/** `istioctl analyze`. */
export function analyzeCommand(): Command {
  const command = withGlobals(new Command("analyze"))
    .summary("Looks for mistakes in the configuration of a mesh")
    .description(
      "Looks for mistakes in the configuration of a cluster, of files, or of both together.\nWhat the codes mean: https://istio.io/v1.30/docs/reference/config/analysis",
    )
    .argument("[file...]", "files or folders; - is stdin")
    .option("-A, --all-namespaces", "all namespaces", false)
    .option("--analyzer <stringArray>", "only this analyzer; more than once for several", collect)
    .option("--color", "levels in color; on a terminal that is the default")
    .option("--no-color", "levels without color")
    .option("--failure-threshold <Level>", "findings of this level or worse give exit code 79: Info, Warning, Error", "Error")
    .option("--ignore-unknown", "files that cannot be read are no failure", false)
    .option("-L, --list-analyzers", "name the analyzers", false)
    .option("--meshConfigFile <string>", "the mesh's configuration from a file")
    .option("-o, --output <string>", "one of log, json, yaml", "log")
    .option("--output-threshold <Level>", "findings below are not shown: Info, Warning, Error", "Info")
    .option("--remote-contexts <stringArray>", "refused: there is one cluster", collect)
    .option("-R, --recursive", "gone: folders are always read with all below", false)
    .option("-r, --revision <string>", "revision of the control plane", "default")
    .option("-S, --suppress <stringArray>", 'code=object, with * in the object, as "IST0103=Pod testing/*"', collect)
    .option("--timeout <duration>", "accepted and ignored", "30s")
    .option("-k, --use-kube", "look at the cluster too", true)
    .option("--no-use-kube", "files only")
    .option("-v, --verbose", "say which analyzers ran", false);
  // Left alone, whether there is color is the terminal's to say.
  command.setOptionValue("color", undefined);
  command.action(async (files: string[], options: AnalyzeOptions) => {
    if (options.remoteContexts) throw new ChainmailError("NO_REMOTE_CLUSTERS", "a mesh of Chainmail's is in one cluster: there are no others to look at");
    process.exitCode = await (await import("./run.ts")).runAnalyze(files, options, globalsOf(command));
  });
  return withHelp(command, {
    use: "<file>...",
    hides: ["--istioNamespace"],
    example:
      '  istioctl analyze\n  istioctl analyze a.yaml my-app-config/\n  istioctl analyze --use-kube=false a.yaml\n  istioctl analyze -S "IST0103=Pod testing/*"',
  });
}
