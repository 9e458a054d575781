import { Command } from "commander";
import { adminClient } from "../cluster-api.ts";
import { clusterPaths } from "../home.ts";
import { exportLines, shellEnvironment } from "../shell-env.ts";

export function envCommand(): Command {
  return new Command("env")
    .description('print the environment for a shell: eval "$(chainmail env)"')
    .option("--name <cluster>", "which cluster", "default")
    .action(async (options: { name: string }) => {
      const paths = clusterPaths(options.name);
      process.stdout.write(exportLines(await shellEnvironment(paths, await adminClient(paths))));
    });
}
