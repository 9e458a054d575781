import { accessSync, constants, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readHierarchies } from "./hierarchies.ts";

/** The group that takes in who was in the delegated one: a group with controllers for others may hold no process itself. */
export const SUPERVISOR = "supervisor";

/**
 * Moves this process and its neighbours out of a group that was delegated to this user, into one below it, so that
 * containers can have groups beside. Before the cluster starts, and outside of its pid namespace: from inside, the others
 * have no number. Does nothing as root, who makes groups elsewhere, and where nothing is delegated.
 */
export function leaveDelegatedGroup(uid = process.getuid?.() ?? 0): void {
  const { unified } = readHierarchies();
  if (uid === 0 || !unified || basename(unified.own) === SUPERVISOR || !isOurs(unified.own, uid)) return;
  const below = join(unified.own, SUPERVISOR);
  mkdirSync(below, { recursive: true });
  for (const pid of readFileSync(join(unified.own, "cgroup.procs"), "utf8").split("\n")) {
    if (pid === "") continue;
    try {
      writeFileSync(join(below, "cgroup.procs"), pid);
    } catch {
      continue; // It has ended. One that may not be moved keeps the controllers off, and limits are told as not enforced.
    }
  }
}

/** systemd gives the folder and these files to the user it delegates to. */
function isOurs(group: string, uid: number): boolean {
  try {
    if (statSync(group).uid !== uid) return false;
    for (const file of ["cgroup.procs", "cgroup.subtree_control"]) accessSync(join(group, file), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
