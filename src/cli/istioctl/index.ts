import { Command, CommanderError } from "commander";
import { withGlobals } from "./globals.ts";

/** Exit code of Istio's for a line that cannot be read. */
const EXIT_USAGE = 64;

/** `istioctl`: its names, flags, tables and exit codes are Istio's. */
export async function istioctlProgram(): Promise<Command> {
  const root = withGlobals(new IstioctlCommand("istioctl").description("Istio configuration command line utility"));
  const [{ proxyConfigCommand }, { versionCommand }, { dashboardCommand }, { proxyStatusCommand }, { experimentalCommand }, { analyzeCommand }] = await Promise.all([
    import("./proxy-config/command.ts"),
    import("./version.ts"),
    import("./dashboard.ts"),
    import("./proxy-status.ts"),
    import("./experimental.ts"),
    import("./analyze/command.ts"),
  ]);
  root.addCommand(proxyConfigCommand());
  root.addCommand(versionCommand());
  root.addCommand(dashboardCommand());
  root.addCommand(proxyStatusCommand());
  root.addCommand(experimentalCommand());
  root.addCommand(analyzeCommand());
  for (const command of allCommands(root)) {
    command.exitOverride(exit);
    command.configureOutput({ outputError: () => {} });
    command.showSuggestionAfterError(false);
  }
  return root;
}

/** Reads Go's `--flag=false` for flags that take no value here. */
class IstioctlCommand extends Command {
  override parseAsync(argv: readonly string[] = process.argv.slice(2)): Promise<this> {
    // Short and long names of flags that take no value, with the long name that switches them off.
    const switches = new Map<string, { on: string; off: string }>();
    for (const { options } of allCommands(this)) {
      for (const { long, negate } of options) {
        if (!negate || !long) continue;
        const on = long.replace(/^--no-/, "--");
        const short = options.find((option) => option.long === on)?.short;
        for (const name of short ? [on, short] : [on]) switches.set(name, { on, off: long });
      }
    }
    const args = argv.map((argument) => {
      const equals = argument.indexOf("=");
      const found = equals < 0 ? undefined : switches.get(argument.slice(0, equals));
      const value = argument.slice(equals + 1);
      if (!found || (value !== "true" && value !== "false")) return argument;
      return value === "true" ? found.on : found.off;
    });
    return super.parseAsync(args, { from: "user" });
  }
}

function allCommands(root: Command): Command[] {
  return [root, ...root.commands.flatMap((command) => allCommands(command))];
}

/** Help ends well; what cannot be read ends with Istio's code and words. */
function exit(error: CommanderError): never {
  if (error.exitCode === 0) process.exit(0);
  const message = error.message.replace(/^error: /, "");
  const unknown = /^unknown command '(.*)'$/.exec(message);
  process.stderr.write(`Error: ${unknown ? `unknown command ${JSON.stringify(unknown[1])} for "istioctl"` : message}\nRun 'istioctl --help' for usage.\n`);
  process.exit(EXIT_USAGE);
}
