import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What is bounded: the names that the kernel gives them. */
export type Controller = "memory" | "cpu" | "pids";
export const CONTROLLERS: readonly Controller[] = ["memory", "cpu", "pids"];

/** Where this process' own groups are; absolute folders. */
export interface Hierarchies {
  /** Version 2: the top of what this process sees, and its own group. */
  unified?: { top: string; own: string };
  /** Version 1: its own group in the hierarchy of each controller. */
  legacy: Partial<Record<Controller, string>>;
}

export function readHierarchies(): Hierarchies {
  return parseHierarchies(readFileSync("/proc/self/mountinfo", "utf8"), readFileSync("/proc/self/cgroup", "utf8"));
}

/** From /proc/self/mountinfo and /proc/self/cgroup (cgroups(7), proc(5)). */
export function parseHierarchies(mountinfo: string, self: string): Hierarchies {
  const own = new Map(
    self.split("\n").flatMap((line): [string, string][] => {
      const match = /^\d+:([^:]*):(.+)$/.exec(line);
      return match ? (match[1] ?? "").split(",").map((name) => [name, match[2] ?? "/"]) : [];
    }),
  );
  const found: Hierarchies = { legacy: {} };
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", mountPoint = ""] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    // A mount may show a part of the hierarchy: paths in /proc/self/cgroup start above it.
    const folderOf = (path: string): string => join(mountPoint, root !== "/" && path.startsWith(root) ? path.slice(root.length) : path).replace(/\/$/, "");
    if (type === "cgroup2") found.unified ??= { top: mountPoint, own: folderOf(own.get("") ?? "/") };
    if (type !== "cgroup") continue;
    for (const controller of CONTROLLERS) {
      const path = own.get(controller);
      if (path !== undefined && options.split(",").includes(controller)) found.legacy[controller] ??= folderOf(path);
    }
  }
  return found;
}
