import { Command, Option } from "commander";
import { collect, collectList, globalsOf, withGlobals } from "../globals.ts";
import { ExitError, group, withHelp } from "../line/index.ts";
import { translateCommand } from "../refused.ts";
import type { InstallFlags, ManifestFlags, UninstallFlags } from "./run.ts";

const SET_HELP = `a value of an IstioOperator: a profile (--set profile=demo), a component
(--set components.egressGateways[0].enabled=true), the mesh's configuration (--set meshConfig.accessLogFile=/dev/stdout)`;

/** An installation is of the whole cluster. */
const HIDDEN = ["--istioNamespace", "--namespace"];

/** `istioctl install`, also under `manifest`. */
export function installCommand(): Command {
  const command = installFlags(
    new Command("install")
      .alias("apply")
      .summary("Installs the mesh in a cluster, or changes it")
      .description("Makes a mesh of a cluster: definitions, istiod, gateways, console and metrics store."),
  );
  return withHelp(command, {
    hides: HIDDEN,
    own: ["--dry-run"],
    example: "  istioctl install\n  istioctl install --set profile=demo -y\n  istioctl install --set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY",
  });
}

/** `istioctl upgrade`: the same, from what is there. */
export function upgradeCommand(): Command {
  return withHelp(installFlags(new Command("upgrade").description("Upgrades the mesh in place: the same as install")), { hides: HIDDEN });
}

function installFlags(command: Command): Command {
  withGlobals(command)
    .option("-f, --filename <strings>", "files with an IstioOperator; later ones go over earlier ones", collectList)
    .option("-s, --set <stringArray>", SET_HELP, collect)
    .option("-r, --revision <string>", "revision of the control plane")
    .option("-y, --skip-confirmation", "do not ask", false)
    .option("--dry-run", "say what would be done, change nothing", false)
    .option("--force", "go on where settings have no place here", false)
    .option("--readiness-timeout <duration>", "how long each component may take to be ready", "5m0s")
    .option("--verify", "accepted: an installation is complete when everything is ready", false)
    .option("-d, --manifests <string>", "refused: the charts are made from what is installed")
    .addOption(new Option("--charts <string>", "refused: the charts are made from what is installed").hideHelp());
  return command.allowExcessArguments(false).action(async (options: InstallFlags) => (await import("./run.ts")).runInstall(options, globalsOf(command)));
}

/** `istioctl manifest generate|install`. */
export function manifestCommand(): Command {
  const generate = withGlobals(new Command("generate"))
    .summary("Prints what an installation is made of")
    .description("Prints the objects of an installation as YAML. Needs no cluster.")
    .option("-f, --filename <strings>", "files with an IstioOperator; later ones go over earlier ones", collectList)
    .option("-s, --set <stringArray>", SET_HELP, collect)
    .option("-r, --revision <string>", "revision of the control plane")
    .option("-o, --output <string>", "file to write instead of the standard output")
    .option("--force", "go on where settings have no place here", false)
    .option("--cluster-specific", "accepted: nothing depends on the cluster", false)
    .option("--dry-run", "accepted: nothing is changed anyway", false)
    .option("-d, --manifests <string>", "refused: the charts are made from what is installed")
    .addOption(new Option("--charts <string>", "refused: the charts are made from what is installed").hideHelp())
    .argument("[args...]");
  generate.action(async (args: string[], options: ManifestFlags) => {
    if (args.length > 0)
      throw new ExitError("USAGE", `generate accepts no positional arguments, got []string{${args.map((one) => JSON.stringify(one)).join(", ")}}`, 1);
    await (await import("./run.ts")).runGenerate(options);
  });
  withHelp(generate, { use: "", own: ["--dry-run"], example: "  istioctl manifest generate --set profile=demo\n  istioctl manifest generate -o istio.yaml" });
  const root = group(withGlobals(new Command("manifest")).summary("Commands related to manifests").description("What an installation is made of")).option(
    "--dry-run",
    "say what would be done, change nothing",
    false,
  );
  withHelp(root, { hides: HIDDEN });
  root.addCommand(generate);
  root.addCommand(installCommand());
  root.addCommand(translateCommand());
  return root;
}

/** `istioctl uninstall`. */
export function uninstallCommand(): Command {
  const command = withGlobals(new Command("uninstall"))
    .summary("Takes the mesh out of a cluster")
    .description("Removes a control plane of one revision, or with --purge everything, definitions and all policies included.")
    .option("-f, --filename <string>", "file with the IstioOperator of the installation")
    .option("-s, --set <stringArray>", "a value of an IstioOperator", collect)
    .option("-r, --revision <string>", "revision of the control plane")
    .option("--purge", "everything, of all revisions", false)
    .option("-y, --skip-confirmation", "do not ask", false)
    .option("--dry-run", "say what would be done, change nothing", false)
    .option("--force", "accepted and ignored", false)
    .option("-v, --verbose", "name what goes", false)
    .option("-d, --manifests <string>", "refused: the charts are made from what is installed")
    .argument("[args...]");
  command.action(async (args: string[], options: UninstallFlags) => {
    const chosen = options.revision !== undefined || options.set?.some((set) => set.startsWith("revision=")) || options.filename !== undefined || options.purge;
    if (!chosen) throw new ExitError("USAGE", "at least one of the --revision (or --set revision=<revision>), --filename or --purge flags must be set", 1);
    if (args.length > 0) throw new ExitError("USAGE", "istioctl uninstall does not take arguments", 1);
    await (await import("./run.ts")).runUninstall(options, globalsOf(command));
  });
  return withHelp(command, { example: "  istioctl uninstall --revision canary\n  istioctl uninstall -f iop.yaml\n  istioctl uninstall --purge", use: "" });
}
