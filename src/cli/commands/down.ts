import { rmSync } from "node:fs";
import { Command } from "commander";
import { stopCluster } from "../../cluster/launch/index.ts";
import { clusterPaths } from "../home.ts";

export function downCommand(): Command {
  return new Command("down")
    .description("stop the cluster; its objects stay for the next `up`")
    .option("--name <cluster>", "which cluster", "default")
    .option("--delete", "also delete its objects, keys, logs and the lab's folder")
    .action(async (options: { name: string; delete?: boolean }) => {
      const paths = clusterPaths(options.name);
      const how = await stopCluster({ pidPath: paths.pid });
      if (options.delete) rmSync(paths.folder, { recursive: true, force: true });
      process.stdout.write(`${how === "not-running" ? "was not running" : how}: cluster "${options.name}"${options.delete ? ", deleted" : ""}\n`);
    });
}
