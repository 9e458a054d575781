import { closeSync, mkdirSync, openSync, statSync, symlinkSync, writeFileSync, chmodSync, existsSync } from "node:fs";
import { dirname } from "node:path";
import { ChainmailError, errorText } from "../../../base/index.ts";
import { bindMount, cloneTree, closeFd, makeReadOnly, mountFilesystem, MountFlag, moveTree, pivotRoot } from "../../../linux/index.ts";
import type { Mount } from "../types.ts";
import { deviceNodes, etcFiles, type SystemFiles } from "./system-files.ts";

export interface RootSpec {
  mountPoint: string;
  system: SystemFiles;
  hiddenPaths: string[];
  mounts: Mount[];
  workingDir: string;
  readOnlyRoot: boolean;
  uid: number;
  gid: number;
  hostname: string;
}

const SAFE = MountFlag.NO_SUID | MountFlag.NO_DEV;
/** A tmpfs counts as memory: enough for scratch files, too little to starve the machine. */
const ROOT_OPTIONS = "mode=755,size=256m";
const SHM_OPTIONS = "mode=1777,size=64m";

/** Paths of /proc that reach beyond the container, as runc hides them: unreadable, and readable but not writable. */
const MASKED = ["acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi"];
const READ_ONLY = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/**
 * In a mount namespace of the thread's own: builds a container's root and makes it the thread's root. Volumes are taken
 * hold of before and attached after the pivot, so that a link inside a volume or the root leads nowhere outside.
 */
export function enterContainerRoot(spec: RootSpec): void {
  const held: { fd: number; mount: Mount; isFolder: boolean }[] = [];
  try {
    for (const mount of spec.mounts) held.push(hold(mount));
    buildSystem(spec);
    pivotRoot(spec.mountPoint);
    // Parents before children: /data before /data/certs, whatever the pod's order.
    held.sort((a, b) => a.mount.containerPath.split("/").length - b.mount.containerPath.split("/").length);
    for (let next = held.shift(); next; next = held.shift()) attach(next);
  } finally {
    for (const { fd } of held) closeFd(fd);
  }
  mkdirSync(spec.workingDir, { recursive: true });
  if (spec.readOnlyRoot) makeReadOnly("/");
}

/** In the container's own mount namespace, over its fresh /proc. */
export function maskProc(): void {
  for (const name of READ_ONLY) {
    const path = `/proc/${name}`;
    if (existsSync(path)) moveTree(cloneTree(path, MountFlag.READ_ONLY | MountFlag.NO_EXEC | SAFE), path);
  }
  for (const name of MASKED) {
    const path = `/proc/${name}`;
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) mountFilesystem("tmpfs", path, MountFlag.READ_ONLY | SAFE, "size=0");
    else if (stat) bindMount("/dev/null", path);
  }
}

function buildSystem(spec: RootSpec): void {
  const root = spec.mountPoint;
  mountFilesystem("tmpfs", root, SAFE, ROOT_OPTIONS);
  for (const path of ["/dev", "/etc", "/etc/ssl", "/opt", "/proc", "/root", "/run", "/srv", "/home", "/sys", "/tmp", "/var", "/var/lib", "/var/log", "/var/cache", "/var/tmp"]) {
    mkdirSync(root + path);
  }
  for (const path of ["/tmp", "/var/tmp"]) chmodSync(root + path, 0o1777);
  chmodSync(`${root}/root`, 0o700);
  symlinkSync("/run", `${root}/var/run`);
  for (const link of spec.system.links) symlinkSync(link.target, root + link.path);
  for (const path of spec.system.folders) {
    mkdirSync(root + path);
    moveTree(cloneTree(path, MountFlag.READ_ONLY | SAFE), root + path);
  }
  for (const path of spec.system.etc) bindFrom(path, root + path, MountFlag.READ_ONLY | SAFE);
  for (const [path, text] of Object.entries(etcFiles(spec.uid, spec.gid, spec.hostname))) writeFileSync(root + path, text);
  buildDev(`${root}/dev`);
  // The old /proc, under the new one that `unshare --mount-proc` lays over it: a user namespace may mount proc only
  // where a whole one is in sight.
  moveTree(cloneTree("/proc"), `${root}/proc`);
  for (const path of spec.hiddenPaths) {
    if (existsSync(root + path)) mountFilesystem("tmpfs", root + path, MountFlag.READ_ONLY | SAFE, "size=0");
  }
}

function buildDev(dev: string): void {
  mountFilesystem("tmpfs", dev, MountFlag.NO_SUID | MountFlag.NO_EXEC, "mode=755,size=64k");
  // Nodes cannot be made in a user namespace, but those of the machine can be bound.
  for (const name of deviceNodes()) bindFrom(`/dev/${name}`, `${dev}/${name}`, MountFlag.NO_SUID | MountFlag.NO_EXEC);
  for (const name of ["pts", "shm"]) mkdirSync(`${dev}/${name}`);
  mountFilesystem("devpts", `${dev}/pts`, MountFlag.NO_SUID | MountFlag.NO_EXEC, "newinstance,ptmxmode=0666,mode=620");
  mountFilesystem("tmpfs", `${dev}/shm`, SAFE | MountFlag.NO_EXEC, SHM_OPTIONS);
  for (const [name, target] of [
    ["ptmx", "pts/ptmx"],
    ["fd", "/proc/self/fd"],
    ["stdin", "/proc/self/fd/0"],
    ["stdout", "/proc/self/fd/1"],
    ["stderr", "/proc/self/fd/2"],
  ] as const) {
    symlinkSync(target, `${dev}/${name}`);
  }
}

function bindFrom(source: string, target: string, flags: number): void {
  makeTarget(target, statSync(source).isDirectory());
  moveTree(cloneTree(source, flags), target);
}

function hold(mount: Mount): { fd: number; mount: Mount; isFolder: boolean } {
  const stat = statSync(mount.hostPath, { throwIfNoEntry: false });
  if (!stat) throw new ChainmailError("MOUNT_SOURCE_MISSING", `cannot mount ${mount.containerPath}: ${mount.hostPath} does not exist`);
  return { fd: cloneTree(mount.hostPath, SAFE | (mount.readOnly ? MountFlag.READ_ONLY : 0)), mount, isFolder: stat.isDirectory() };
}

function attach({ fd, mount, isFolder }: { fd: number; mount: Mount; isFolder: boolean }): void {
  try {
    makeTarget(mount.containerPath, isFolder);
  } catch (cause) {
    closeFd(fd);
    throw new ChainmailError("MOUNT_TARGET_UNUSABLE", `cannot mount on ${mount.containerPath}: ${errorText(cause)}`, { cause });
  }
  moveTree(fd, mount.containerPath);
}

function makeTarget(path: string, isFolder: boolean): void {
  if (existsSync(path)) return;
  mkdirSync(isFolder ? path : dirname(path), { recursive: true });
  if (!isFolder) closeSync(openSync(path, "a", 0o644));
}
