import { fstatSync, mkdirSync, statSync } from "node:fs";
import { ChainmailError, errorText } from "../../../base/index.ts";
import {
  bindMount,
  cloneTree,
  cloneTreeOf,
  closeFd,
  makeReadOnly,
  mountFilesystem,
  MountFlag,
  moveTree,
  openBeneath,
  openFolder,
  pivotRoot,
} from "../../../linux/index.ts";
import type { ImageRoot, Mount, RootMode } from "../types.ts";
import { buildDevices, holdDevices, letGo } from "./devices.ts";
import { mountImageRoot } from "./image-root.ts";
import { makeTarget, mountSystemRoot, SAFE } from "./system-root.ts";
import type { SystemFiles } from "./system-files.ts";

export interface RootSpec {
  mountPoint: string;
  system: SystemFiles;
  hiddenPaths: string[];
  mounts: Mount[];
  root: ImageRoot | undefined;
  rootMode: RootMode;
  workingDir: string;
  readOnlyRoot: boolean;
  uid: number;
  gid: number;
  hostname: string;
}

interface HeldMount {
  fd: number;
  mount: Mount;
  isFolder: boolean;
}

/** Paths of /proc that reach beyond the container, as runc hides them: unreadable, and readable but not writable. */
const MASKED = ["acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi"];
const READ_ONLY = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/**
 * In a mount namespace of the thread's own: builds a container's root and makes it the thread's root. Volumes and devices
 * are taken hold of before and attached after the pivot, so that a link inside a volume or the root leads nowhere outside.
 */
export function enterContainerRoot(spec: RootSpec): void {
  const held: HeldMount[] = [];
  let devices = new Map<string, number>();
  try {
    for (const mount of spec.mounts) held.push(hold(mount));
    devices = holdDevices();
    if (spec.root) mountImageRoot(spec.mountPoint, spec.root, spec.rootMode);
    else mountSystemRoot(spec.mountPoint, spec.system, spec.hiddenPaths, spec);
    pivotRoot(spec.mountPoint);
    buildDevices(devices);
    // Parents before children: /data before /data/certs, whatever the pod's order.
    held.sort((a, b) => a.mount.containerPath.split("/").length - b.mount.containerPath.split("/").length);
    for (let next = held.shift(); next; next = held.shift()) attach(next);
  } finally {
    for (const { fd } of held) closeFd(fd);
    letGo(devices);
  }
  mkdirSync(spec.workingDir, { recursive: true });
  if (spec.readOnlyRoot) makeReadOnly("/");
}

/** In the container's own mount namespace and root, over its fresh /proc. */
export function maskProc(): void {
  for (const name of READ_ONLY) {
    const path = `/proc/${name}`;
    if (statSync(path, { throwIfNoEntry: false })) moveTree(cloneTree(path, MountFlag.READ_ONLY | MountFlag.NO_EXEC | SAFE), path);
  }
  for (const name of MASKED) {
    const path = `/proc/${name}`;
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) mountFilesystem("tmpfs", path, MountFlag.READ_ONLY | SAFE, "size=0");
    else if (stat) bindMount("/dev/null", path);
  }
}

function hold(mount: Mount): HeldMount {
  const flags = SAFE | (mount.readOnly ? MountFlag.READ_ONLY : 0);
  if (mount.subPath !== undefined) return holdBeneath(mount, mount.subPath, flags);
  const stat = statSync(mount.hostPath, { throwIfNoEntry: false });
  if (!stat) throw new ChainmailError("MOUNT_SOURCE_MISSING", `cannot mount ${mount.containerPath}: ${mount.hostPath} does not exist`);
  return { fd: cloneTree(mount.hostPath, flags), mount, isFolder: stat.isDirectory() };
}

/** Opened first and cloned by its descriptor: between a look at a path and its use, a container can put a link there. */
function holdBeneath(mount: Mount, subPath: string, flags: number): HeldMount {
  const root = openFolder(mount.hostPath);
  try {
    const fd = openBeneath(root, subPath);
    try {
      return { fd: cloneTreeOf(fd, flags, subPath), mount, isFolder: fstatSync(fd).isDirectory() };
    } finally {
      closeFd(fd);
    }
  } catch (cause) {
    throw new ChainmailError("MOUNT_SOURCE_MISSING", `cannot mount ${mount.containerPath}: subPath ${subPath}: ${errorText(cause)}`, { cause });
  } finally {
    closeFd(root);
  }
}

function attach({ fd, mount, isFolder }: HeldMount): void {
  try {
    makeTarget(mount.containerPath, isFolder);
  } catch (cause) {
    closeFd(fd);
    throw new ChainmailError("MOUNT_TARGET_UNUSABLE", `cannot mount on ${mount.containerPath}: ${errorText(cause)}`, { cause });
  }
  moveTree(fd, mount.containerPath);
}
