import { Command } from "commander";
import { ChainmailError } from "../../base/index.ts";
import { adminCommand } from "./admin-log.ts";
import { analyzeCommand } from "./analyze/command.ts";
import { authzCommand } from "./authz-check.ts";
import { bugReportCommand } from "./bug-report/command.ts";
import { checkInjectCommand } from "./injection/check-inject-command.ts";
import { configCommand } from "./config-list.ts";
import { completionCommand } from "./line/completion.ts";
import { dashboardCommand } from "./dashboard.ts";
import { describeCommand } from "./describe/command.ts";
import { statsCommand } from "./proxy-config/stats.ts";
import { withGlobals } from "./globals.ts";
import { injectorCommand } from "./injection/injector-list-command.ts";
import { kubeInjectCommand } from "./injection/kube-inject-command.ts";
import { installCommand, manifestCommand, uninstallCommand, upgradeCommand } from "./install/commands.ts";
import { internalDebugCommand } from "./internal-debug.ts";
import { group, LineProgram, withHelp } from "./line/index.ts";
import { precheckCommand } from "./precheck/command.ts";
import { proxyConfigCommand } from "./proxy-config/command.ts";
import { proxyStatusCommand } from "./proxy-status.ts";
import { createRemoteSecretCommand, waypointCommand, workloadCommand, ztunnelConfigCommand } from "./refused.ts";
import { remoteClustersCommand } from "./remote-clusters.ts";
import { tagCommand } from "./revisions/command.ts";
import { validateCommand } from "./validate/command.ts";
import { versionCommand } from "./version.ts";
import { metricsCommand } from "./workload-metrics.ts";

/** `istioctl`: its names, flags, tables and exit codes are Istio's. */
export function istioctlProgram(): Command {
  const root = withGlobals(new LineProgram("istioctl").description("Looks into a mesh with Istio's API, checks its configuration, installs and removes it."));
  for (const command of [
    adminCommand(),
    analyzeCommand(),
    seeExperimental("authz"),
    bugReportCommand(),
    completionCommand(),
    createRemoteSecretCommand(),
    dashboardCommand(),
    experimentalCommand(),
    helpCommand(root),
    installCommand(),
    kubeInjectCommand(),
    manifestCommand(),
    optionsCommand(),
    proxyConfigCommand(),
    proxyStatusCommand(),
    remoteClustersCommand(),
    tagCommand(),
    uninstallCommand(),
    upgradeCommand(),
    validateCommand(),
    versionCommand(),
    waypointCommand(),
    ztunnelConfigCommand(),
  ]) {
    root.addCommand(command);
  }
  return root.settle();
}

/** `istioctl experimental`, also `x` and `exp`. */
function experimentalCommand(): Command {
  const root = group(withGlobals(new Command("experimental")).aliases(["x", "exp"]).description("Commands whose form may change"));
  for (const command of [
    authzCommand(),
    checkInjectCommand(),
    configCommand(),
    describeCommand(),
    statsCommand(),
    injectorCommand(),
    internalDebugCommand(),
    metricsCommand(),
    precheckCommand(),
    proxyStatusCommand(),
    versionCommand(),
    workloadCommand(),
  ]) {
    root.addCommand(command);
  }
  return root;
}

/** A name that people try, and where it really is. */
function seeExperimental(name: string): Command {
  const text = `(${name} is experimental. Use \`istioctl experimental ${name}\`)`;
  const command = withGlobals(new Command(name))
    .description(text)
    .argument("[args...]")
    .action(() => {
      throw new ChainmailError("SEE_EXPERIMENTAL", text);
    });
  return withHelp(command, { use: "" });
}

function helpCommand(root: Command): Command {
  return withGlobals(new Command("help"))
    .description("Help about any command")
    .argument("[command...]")
    .action((words: string[]) => {
      let command: Command = root;
      for (const word of words) {
        const next = command.commands.find((candidate) => candidate.name() === word || candidate.aliases().includes(word));
        if (!next) {
          process.stderr.write(`Unknown help topic ${words.map((one) => `\`${one}\``).join(" ")}\n`);
          break;
        }
        command = next;
      }
      command.outputHelp();
    });
}

/** Flags of Istio's logger: taken from every line, so that scripts go on working. */
function optionsCommand(): Command {
  const command = withGlobals(new Command("options")).summary("Displays istioctl global options").description("Flags that every command takes");
  command.action(() => {
    const rows = command.options
      .filter(({ hidden, long }) => hidden && long?.startsWith("--log_"))
      .map(({ long }) => `      ${long}: accepted, and without effect: this program keeps no log\n`);
    process.stdout.write(`The following options can be passed to any command:\n${rows.join("")}`);
  });
  return withHelp(command, { topic: true });
}
