import { chmodSync, closeSync, existsSync, lstatSync, mkdirSync, openSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { cloneTree, mountFilesystem, MountFlag, moveTree } from "../../../linux/index.ts";
import { etcFiles, type SystemFiles } from "./system-files.ts";

export const SAFE = MountFlag.NO_SUID | MountFlag.NO_DEV;

/** As the kernel. */
const MAX_LINKS = 40;
/** A tmpfs counts as memory: enough for scratch files, too little to starve the machine. */
const ROOT_OPTIONS = "mode=755,size=256m";
const FOLDERS = [
  "/dev",
  "/etc",
  "/etc/ssl",
  "/opt",
  "/proc",
  "/root",
  "/run",
  "/srv",
  "/home",
  "/sys",
  "/tmp",
  "/var",
  "/var/lib",
  "/var/log",
  "/var/cache",
  "/var/tmp",
];

/** Mounts a root made of the machine's own programs and a curated /etc, for images that bring no files of their own. */
export function mountSystemRoot(root: string, system: SystemFiles, hiddenPaths: string[], identity: { uid: number; gid: number; hostname: string }): void {
  mountFilesystem("tmpfs", root, SAFE, ROOT_OPTIONS);
  for (const path of FOLDERS) mkdirSync(root + path);
  for (const path of ["/tmp", "/var/tmp"]) chmodSync(root + path, 0o1777);
  chmodSync(`${root}/root`, 0o700);
  symlinkSync("/run", `${root}/var/run`);
  bindSystem(root, system, hiddenPaths);
  for (const path of system.etc) bindFrom(path, root + path, MountFlag.READ_ONLY | SAFE);
  const { uid, gid, hostname } = identity;
  for (const [path, text] of Object.entries(etcFiles(uid, gid, hostname))) writeFileSync(root + path, text);
}

/** Binds the machine's programs and libraries below `root`, less what no container may see. */
export function bindSystem(root: string, system: SystemFiles, hiddenPaths: string[]): void {
  for (const link of system.links) symlinkSync(link.target, root + link.path);
  for (const path of system.folders) {
    mkdirSync(root + path);
    moveTree(cloneTree(path, MountFlag.READ_ONLY | SAFE), root + path);
  }
  for (const path of hiddenPaths) {
    const top = system.folders.some((folder) => path.startsWith(`${folder}/`));
    if (top && existsSync(root + path)) mountFilesystem("tmpfs", root + path, MountFlag.READ_ONLY | SAFE, "size=0");
  }
}

export function bindFrom(source: string, target: string, flags: number): void {
  makeTarget(target, statSync(source).isDirectory());
  moveTree(cloneTree(source, flags), target);
}

/** What a mount needs to stand on; links in `path` are followed as the thread's root resolves them. */
export function makeTarget(path: string, isFolder: boolean, links = 0): void {
  if (existsSync(path)) return;
  // Distributions' /etc/resolv.conf leads to a file that a service makes later.
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (link?.isSymbolicLink() && links < MAX_LINKS) return makeTarget(resolve(dirname(path), readlinkSync(path)), isFolder, links + 1);
  mkdirSync(isFolder ? path : dirname(path), { recursive: true });
  if (!isFolder) closeSync(openSync(path, "a", 0o644));
}
