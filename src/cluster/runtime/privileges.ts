import { readFileSync } from "node:fs";

/** Which uids and gids exist in the cluster's user namespace: all of them as root, one in a rootless namespace. */
export interface IdMaps {
  uids: IdRange[];
  gids: IdRange[];
  /** Whether supplementary groups may be dropped: not where the gid map was written without privilege. */
  setgroups: boolean;
}

interface IdRange {
  first: number;
  count: number;
}

/**
 * setpriv's arguments for a container's or an exec's process: its uid where that is mapped, no capability (or NET_ADMIN
 * alone, ambient, which counts only in namespaces of the user namespace that owns the pod's network), and no way to gain
 * any by exec.
 */
export function privilegeArguments(spec: { uid: number; gid: number; groups?: number[]; capabilities: "none" | "NET_ADMIN" }, maps: IdMaps): string[] {
  // A group that does not exist here could not own anything either.
  const groups = (spec.groups ?? []).filter((gid) => isMapped(gid, maps.gids));
  const sets = spec.capabilities === "NET_ADMIN" ? "-all,+net_admin" : "-all";
  const identity = canBecome(spec, maps)
    ? [`--reuid=${spec.uid}`, `--regid=${spec.gid}`, groups.length > 0 ? `--groups=${groups.join(",")}` : "--clear-groups"]
    : [];
  return [...identity, `--bounding-set=${sets}`, `--inh-caps=${sets}`, `--ambient-caps=${sets}`, "--no-new-privs"];
}

/** Whether the machine can give a process this identity. */
export function canBecome({ uid, gid }: { uid: number; gid: number }, maps: IdMaps): boolean {
  return isMapped(uid, maps.uids) && isMapped(gid, maps.gids) && maps.setgroups;
}

/** Reads this process's maps. */
export function readIdMaps(): IdMaps {
  return {
    uids: parseIdMap(readFileSync("/proc/self/uid_map", "utf8")),
    gids: parseIdMap(readFileSync("/proc/self/gid_map", "utf8")),
    setgroups: readFileSync("/proc/self/setgroups", "utf8").trim() === "allow",
  };
}

/** Lines of `<first inside> <first outside> <count>`. */
export function parseIdMap(text: string): IdRange[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([first, , count]) => (first !== undefined && count !== undefined ? [{ first, count }] : []));
}

function isMapped(id: number, ranges: IdRange[]): boolean {
  return ranges.some(({ first, count }) => id >= first && id < first + count);
}
