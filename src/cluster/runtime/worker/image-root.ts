import { chmodSync, mkdirSync, rmdirSync, statSync } from "node:fs";
import { cloneTree, mountFilesystem, moveTree } from "../../../linux/index.ts";
import type { ImageRoot, RootMode } from "../types.ts";
import type { Namespaces } from "./namespaces.ts";
import { SAFE } from "./system-root.ts";

/** What a container may write to its root where that has to lie in memory. */
const MEMORY_OPTIONS = "mode=700,size=1g";

/** Mounts a root of the image's own files, which stay as they are: what the container changes lies in `writable`. */
export function mountImageRoot(mountPoint: string, image: ImageRoot, mode: RootMode): void {
  if (mode === "copy") return moveTree(cloneTree(`${image.writable}/copy`, SAFE), mountPoint);
  if (mode === "memory") mountFilesystem("tmpfs", image.writable, SAFE, MEMORY_OPTIONS);
  const upper = `${image.writable}/upper`;
  const work = `${image.writable}/work`;
  for (const path of [upper, work]) mkdirSync(path, { recursive: true });
  // The merged root folder is the upper one.
  chmodSync(upper, statSync(image.folder).mode & 0o7777);
  // userxattr: what an ordinary user may set, and root as well.
  const options = [`lowerdir=${escape(image.folder, true)}`, `upperdir=${escape(upper)}`, `workdir=${escape(work)}`, "userxattr"];
  mountFilesystem("overlay", mountPoint, SAFE, options.join(","));
}

/**
 * How roots of images can be had here: changes on the disk, else in memory, else in a copy of all files. Tried, for it
 * depends on the kernel, on the file system below `folder`, and on what this namespace may do.
 */
export function probeRootMode(namespaces: Namespaces, folder: string, mountPoint: string): RootMode {
  const lower = `${folder}/lower`;
  mkdirSync(`${lower}/inner`, { recursive: true });
  for (const mode of ["disk", "memory"] as const) {
    try {
      namespaces.inOwnMounts(() => {
        mkdirSync(`${folder}/${mode}`, { recursive: true });
        mountImageRoot(mountPoint, { folder: lower, writable: `${folder}/${mode}` }, mode);
        // A folder that hides the one below it needs an attribute, which not every file system has.
        rmdirSync(`${mountPoint}/inner`);
        mkdirSync(`${mountPoint}/inner`);
      });
      return mode;
    } catch {
      continue; // The next one, and at last the one that always works.
    }
  }
  return "copy";
}

/** Colons part lower folders, commas part options. */
function escape(path: string, isLower = false): string {
  return path.replace(isLower ? /[\\:,]/g : /[\\,]/g, "\\$&");
}
