import { mkdirSync, symlinkSync } from "node:fs";
import { cloneTree, closeFd, makeReadOnly, mountFilesystem, MountFlag, moveTree, pivotRoot, pivotRootKeeping } from "../../../linux/index.ts";
import { bindFrom, bindSystem, makeTarget } from "./system-root.ts";
import type { SystemFiles } from "./system-files.ts";

/**
 * The tools' root: the machine's own programs and nothing else, and an empty /container. Whatever still has privileges
 * runs here and sees no file of a container, since a loader, a shell or a look-up of users obeys files that it finds
 * (/etc/ld.so.preload, nsswitch.conf, a volume over /usr/bin). Only when no privilege is left is the process moved into
 * the container's root, by pivot_root of its mount namespace from outside.
 */
export interface ToolsRoot {
  /** Where it is mounted in the tree's own mount namespace; each use takes a copy. */
  path: string;
}

const CONTAINER = "/container";
const PROC = "/proc";
/** A pid namespace to enter, as a file. */
const PID_NAMESPACE = "/pid-namespace";
/** A folder that every container's root has. */
const STEP = "/proc";

/** Builds it once, at an empty folder. */
export function buildToolsRoot(path: string, system: SystemFiles, hiddenPaths: string[]): ToolsRoot {
  mountFilesystem("tmpfs", path, MountFlag.NO_SUID | MountFlag.NO_DEV, "mode=755,size=64k");
  for (const folder of [CONTAINER, PROC, "/etc", "/dev", "/dev/pts"]) mkdirSync(path + folder);
  bindSystem(path, system, hiddenPaths);
  for (const file of system.etc.filter((each) => each.startsWith("/etc/ld.so."))) bindFrom(file, path + file, MountFlag.READ_ONLY);
  bindFrom("/dev/null", `${path}/dev/null`, 0);
  symlinkSync("pts/ptmx", `${path}/dev/ptmx`);
  makeTarget(path + PID_NAMESPACE, false);
  makeReadOnly(path);
  return { path };
}

/** Detached copies that stepOut attaches: to be taken before the thread leaves the tree's own mounts, and to be dropped. */
export interface Step {
  tools: number | undefined;
  /** Read-only: a user namespace may mount a new proc only where a whole one is in sight. */
  proc?: number | undefined;
  pidNamespace?: number | undefined;
}

/** For the first process of a new pid namespace: nobody else is in it who could look at what that sees. */
export function stepToNewPids({ path }: ToolsRoot): Step {
  return { tools: cloneTree(path), proc: cloneTree("/proc", MountFlag.READ_ONLY) };
}

/**
 * For a process that joins the pid namespace of `pid`. Others in there may have its uid, and can then look at its root
 * until it is the container's: so this one shows no processes of the machine.
 */
export function stepToPidsOf({ path }: ToolsRoot, pid: number): Step {
  return { tools: cloneTree(path), pidNamespace: cloneTree(`/proc/${pid}/ns/pid`) };
}

/** Closes what was not attached. */
export function dropStep(step: Step): void {
  for (const part of ["tools", "proc", "pidNamespace"] as const) {
    const fd = take(step, part);
    if (fd !== undefined) closeFd(fd);
  }
}

/** Words before a command that starts in the namespace of stepToPidsOf; the process itself stays outside and waits. */
export function joinPids(nsenter: string): string[] {
  return [nsenter, `--pid=${PID_NAMESPACE}`, "--"];
}

/** Words before a command that is the first in a new pid namespace, whose /proc the container's root shows. */
export function mountNewProc(unshare: string): string[] {
  return [unshare, `--mount-proc=${CONTAINER}${PROC}`, "--"];
}

/**
 * The thread's root is a container's, in a mount namespace of the thread's own: makes the copy the root, and the
 * container's root /container in it. With `terminal`, terminals that are opened now belong to the container.
 */
export function stepOut(step: Step, terminal: boolean): void {
  attach(step, "tools", STEP);
  pivotRootKeeping(STEP, STEP + CONTAINER);
  attach(step, "proc", PROC);
  attach(step, "pidNamespace", PID_NAMESPACE);
  if (terminal) moveTree(cloneTree(`${CONTAINER}/dev/pts`), "/dev/pts");
}

/** Undoes stepOut for the thread and for every process of its mount namespace, for good. */
export function stepIn(): void {
  pivotRoot(CONTAINER);
}

function attach(step: Step, part: keyof Step, target: string): void {
  const fd = take(step, part);
  if (fd !== undefined) moveTree(fd, target);
}

function take(step: Step, part: keyof Step): number | undefined {
  const fd = step[part];
  step[part] = undefined;
  return fd;
}
