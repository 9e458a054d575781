import { Command } from "commander";
import { probeMachine } from "../../cluster/launch/index.ts";

export function probeCommand(): Command {
  return new Command("probe").description("try whether this machine can host a cluster; exits 1 when it cannot").action(async () => {
    const report = await probeMachine({ rootless: process.getuid?.() !== 0 });
    for (const check of report.checks) {
      process.stdout.write(`${check.ok ? "ok    " : "FAILED"} ${check.name}${check.detail ? `: ${check.detail}` : ""}\n`);
      if (!check.ok && check.hint) process.stdout.write(`       try: ${check.hint}\n`);
    }
    process.exitCode = report.ok ? 0 : 1;
  });
}
