import { lstatSync, mkdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { ChainmailError } from "../../../base/index.ts";

/** As the kernel: more links on one path are a loop. */
const MAX_LINKS = 40;

export interface Resolution {
  /** Makes folders that are missing on the way, and tells of each. */
  onMissing?: (path: string) => void;
}

/** The parts of an archive's path. Throws UNSAFE_PATH for one that climbs out. An absolute path counts from the root. */
export function partsOf(name: string): string[] {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || name.includes("\0")) throw unsafe(`the path ${JSON.stringify(name)} leads out of the image`);
  return parts;
}

/**
 * The host's path of a folder inside `root`, links on the way followed as a process in there would see them: none leads
 * out. Undefined when it is not there, or is no folder. With `onMissing`, folders that are missing are made.
 */
export function folderInRoot(root: string, parts: readonly string[], resolution: Resolution = {}): string | undefined {
  const pending = [...parts];
  const done: string[] = [];
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    const path = join(root, ...done, part);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) {
      if (++links > MAX_LINKS) throw unsafe(`too many links on the way to ${parts.join("/")}`);
      const target = readlinkSync(path);
      if (target.startsWith("/")) done.length = 0;
      pending.unshift(...target.split("/"));
      continue;
    }
    if (!stat) {
      if (!resolution.onMissing) return undefined;
      mkdirSync(path, { mode: 0o755 });
      resolution.onMissing([...done, part].join("/"));
    } else if (!stat.isDirectory()) return undefined;
    done.push(part);
  }
  return join(root, ...done);
}

/** The host's path of a file inside `root`, its last link followed too; undefined when it is no file. */
export function fileInRoot(root: string, parts: readonly string[]): string | undefined {
  let current = [...parts];
  for (let links = 0; links <= MAX_LINKS; links++) {
    const name = current.at(-1);
    const folder = folderInRoot(root, current.slice(0, -1));
    if (name === undefined || folder === undefined) return undefined;
    const path = join(folder, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat?.isSymbolicLink()) return stat?.isFile() ? path : undefined;
    const target = readlinkSync(path);
    const inside = folder === root ? [] : folder.slice(root.length + 1).split("/");
    current = normalize(target.startsWith("/") ? target.split("/") : [...inside, ...target.split("/")]);
  }
  return undefined;
}

/**
 * Whether a link's target climbs above the root from where the link stands. Absolute targets count from the root, so
 * they cannot.
 */
export function climbsOut(parts: readonly string[], target: string): boolean {
  if (target.startsWith("/")) return false;
  let depth = parts.length - 1;
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    depth += part === ".." ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}

function normalize(parts: string[]): string[] {
  const result: string[] = [];
  for (const part of parts) {
    if (part === "" || part === ".") continue;
    if (part === "..") result.pop();
    else result.push(part);
  }
  return result;
}

/** Whether a path is `folder` or one below it, as they are spelled. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** What a file system says to names that no sound image has; a full disk is the machine's own trouble. */
export function fileError(name: string, thrown: unknown): unknown {
  if (thrown instanceof ChainmailError || !(thrown instanceof Error) || !("code" in thrown)) return thrown;
  if (thrown.code === "ENOSPC" || thrown.code === "EDQUOT")
    return new ChainmailError("DISK_FULL", `the disk is full: ${thrown.message}`, { cause: thrown, hint: "chainmail image prune" });
  return new ChainmailError("UNSAFE_PATH", `the image is refused: ${name} cannot be written: ${thrown.message}`, { cause: thrown });
}

export function unsafe(what: string): ChainmailError {
  return new ChainmailError("UNSAFE_PATH", `the image is refused: ${what}`);
}
