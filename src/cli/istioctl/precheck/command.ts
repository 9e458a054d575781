import { Command } from "commander";
import { globalsOf, withGlobals } from "../globals.ts";
import { withHelp } from "../line/index.ts";
import type { PrecheckOptions } from "./run.ts";

/** `x precheck`: whether a cluster can take the mesh, or a newer one. */
export function precheckCommand(): Command {
  const command = withGlobals(new Command("precheck"))
    .summary("Whether the mesh can be installed or upgraded")
    .description("Looks whether a cluster can take the mesh: its version, what the user may create, definitions of other APIs, annotations that may change.")
    .option("-f, --from-version <string>", "what changed since this version of Istio")
    .option("-o, --output <string>", "one of log, json, yaml", "log")
    .option("--output-threshold <Level>", "findings below are not shown: Info, Warning, Error", "Warning")
    .option("-r, --revision <string>", "revision of the control plane")
    .option("--skip-controlplane", "leave out the cluster itself", false)
    .argument("[args...]");
  command.action(async (_: string[], options: PrecheckOptions) => {
    process.exitCode = await (await import("./run.ts")).runPrecheck(options, globalsOf(command));
  });
  return withHelp(command, { use: "", example: "  istioctl x precheck\n  istioctl x precheck --namespace default" });
}
