import { Command } from "commander";
import { authzCommand } from "./authz-check.ts";
import { describeCommand } from "./describe/command.ts";
import { withGlobals } from "./globals.ts";

/** `istioctl experimental`, also `x` and `exp`. */
export function experimentalCommand(): Command {
  const root = withGlobals(new Command("experimental")).aliases(["x", "exp"]).description("commands that may change");
  for (const command of [authzCommand(), describeCommand()]) root.addCommand(command);
  return root;
}
