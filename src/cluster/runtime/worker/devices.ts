import { lstatSync, mkdirSync, symlinkSync } from "node:fs";
import { ChainmailError } from "../../../base/index.ts";
import { cloneTree, closeFd, mountFilesystem, MountFlag, moveTree } from "../../../linux/index.ts";
import { deviceNodes } from "./system-files.ts";
import { makeTarget, SAFE } from "./system-root.ts";

const DEV = MountFlag.NO_SUID | MountFlag.NO_EXEC;
/** What containerd gives. */
const SHM_OPTIONS = "mode=1777,size=64m";

const LINKS = [
  ["ptmx", "pts/ptmx"],
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
] as const;

/** Device nodes, taken hold of while the machine's /dev is in sight: a user namespace cannot make them, but can bind them. */
export function holdDevices(): Map<string, number> {
  return new Map(deviceNodes().map((name) => [name, cloneTree(`/dev/${name}`, DEV)]));
}

/** Builds /dev and the mount points /proc and /sys in the thread's root, and takes over the devices held. */
export function buildDevices(devices: Map<string, number>): void {
  for (const path of ["/proc", "/sys", "/dev"]) requireFolder(path);
  // A mount, for older versions of unshare mount a proc only over another mount.
  mountFilesystem("tmpfs", "/proc", SAFE | MountFlag.READ_ONLY, "size=0");
  mountFilesystem("tmpfs", "/dev", DEV, "mode=755,size=64k");
  for (const [name, fd] of devices) {
    makeTarget(`/dev/${name}`, false);
    devices.delete(name);
    moveTree(fd, `/dev/${name}`);
  }
  for (const name of ["pts", "shm"]) mkdirSync(`/dev/${name}`);
  mountFilesystem("devpts", "/dev/pts", DEV, "newinstance,ptmxmode=0666,mode=620");
  mountFilesystem("tmpfs", "/dev/shm", DEV | SAFE, SHM_OPTIONS);
  for (const [name, target] of LINKS) symlinkSync(target, `/dev/${name}`);
}

export function letGo(devices: Map<string, number>): void {
  for (const fd of devices.values()) closeFd(fd);
}

/** An image whose /proc is a link would have its mounts land elsewhere in its root, where nothing masks them. */
function requireFolder(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) mkdirSync(path);
  else if (!stat.isDirectory()) throw new ChainmailError("CONTAINER_ROOT_UNUSABLE", `the image's ${path} is no folder`);
}
