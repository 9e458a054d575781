import { rmSync } from "node:fs";
import { Command } from "commander";
import { ChainmailError } from "../../base/index.ts";
import { openCgroups } from "../../cluster/cgroups/index.ts";
import { removeAsSubordinates, stopCluster } from "../../cluster/launch/index.ts";
import { clusterPaths } from "../home.ts";

/** Pods of a cluster with users of its own leave files of theirs, which only a namespace with the same users may delete. */
function deleteFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (cause) {
    const removed = removeAsSubordinates(folder);
    if (!removed.success)
      throw new ChainmailError("NOT_DELETED", `${folder} could not be deleted: ${removed.stderr.toString().trim()}`, { cause, hint: `sudo rm -r ${folder}` });
  }
}

export function downCommand(): Command {
  return new Command("down")
    .description("stop the cluster; its objects stay for the next `up`")
    .option("--name <cluster>", "which cluster", "default")
    .option("--delete", "also delete its objects, keys, logs and the lab's folder")
    .action(async (options: { name: string; delete?: boolean }) => {
      const paths = clusterPaths(options.name);
      const how = await stopCluster({ pidPath: paths.pid });
      // A killed cluster leaves its groups; they are empty now.
      if (how !== "not-running") openCgroups(paths.cgroup).close();
      if (options.delete) deleteFolder(paths.folder);
      process.stdout.write(`${how === "not-running" ? "was not running" : how}: cluster "${options.name}"${options.delete ? ", deleted" : ""}\n`);
    });
}
