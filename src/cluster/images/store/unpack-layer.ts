import {
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ChainmailError } from "../../../base/index.ts";
import type { TarEntry } from "../archive/tar-reader.ts";
import { climbsOut, fileError, folderInRoot, isWithin, partsOf, unsafe } from "./in-root.ts";

/** What a layer does beside adding its files, which lie in a folder. All paths are relative to its root. */
export interface LayerNotes {
  /** Removed from the layers below. */
  whiteouts: string[];
  /** Folders that hide all that the layers below have in them. */
  opaque: string[];
  /** Folders that no entry names: where the layers below have a link to a folder, what is in them goes there. */
  implied: string[];
  /** Hard links to files of the layers below. */
  links: { path: string; target: string }[];
}

export interface Unpacked extends LayerNotes {
  /** Devices and named pipes, which pods' roots do not have, and names that are no UTF-8. */
  skipped: number;
  bytes: number;
}

export interface UnpackLimits {
  entries: number;
  bytes: number;
}

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** Other names of aufs' own. */
const AUFS = ".wh..wh.";
const REPLACEMENT = "\uFFFD";

/**
 * Writes a layer's entries below `folder`, an empty one. With `owners`, files get their uid and gid; an ordinary user's
 * files are all the user's, whom pods see as root. Throws UNSAFE_PATH for what leads out of the image.
 */
export async function unpackLayer(entries: AsyncIterable<TarEntry>, folder: string, options: { owners: boolean; limits: UnpackLimits }): Promise<Unpacked> {
  const layer = new LayerWriter(folder, options.owners);
  let count = 0;
  for await (const entry of entries) {
    count += 1;
    if (count > options.limits.entries) throw new ChainmailError("IMAGE_TOO_LARGE", `a layer has more than ${options.limits.entries} files`);
    if (layer.result.bytes + entry.size > options.limits.bytes)
      throw new ChainmailError("IMAGE_TOO_LARGE", `a layer has more than ${Math.round(options.limits.bytes / 2 ** 20)} MiB`);
    try {
      await layer.add(entry);
    } catch (thrown) {
      throw fileError(entry.name, thrown);
    }
  }
  layer.finish();
  return layer.result;
}

class LayerWriter {
  readonly result: Unpacked = { whiteouts: [], opaque: [], implied: [], links: [], skipped: 0, bytes: 0 };
  readonly #implied = new Set<string>();
  /** Modes and times of folders are set last: a folder that nobody may write to still gets its files. */
  readonly #folders = new Map<string, TarEntry>();
  #lastParent: { name: string; path: string } | undefined;

  constructor(
    readonly root: string,
    readonly owners: boolean,
  ) {}

  async add(entry: TarEntry): Promise<void> {
    const parts = partsOf(entry.name);
    const name = parts.at(-1);
    if (name === undefined) {
      if (entry.type === "folder") this.#folders.set(this.root, entry);
      return;
    }
    if (entry.name.includes(REPLACEMENT) || entry.linkName.includes(REPLACEMENT) || entry.type === "device" || entry.type === "fifo") {
      this.result.skipped += 1;
      return;
    }
    const parent = parts.slice(0, -1);
    if (name === OPAQUE) this.result.opaque.push(parent.join("/"));
    else if (name.startsWith(AUFS)) return;
    else if (name.startsWith(WHITEOUT)) this.#whiteout(parent, name.slice(WHITEOUT.length));
    else await this.#write(entry, parts, join(this.#parent(parent), name));
  }

  finish(): void {
    this.result.implied = [...this.#implied];
    // Children before parents, which they may be unreachable in afterwards.
    for (const [path, entry] of [...this.#folders].sort(([a], [b]) => b.length - a.length)) {
      if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) continue; // Replaced by a later entry.
      if (this.owners) lchownSync(path, entry.uid, entry.gid);
      // We and the pods' root must be able to look into it.
      chmodSync(path, entry.mode | 0o500);
      utimesSync(path, entry.mtime, entry.mtime);
    }
  }

  #whiteout(parent: string[], name: string): void {
    if (name === "" || name === "." || name === "..") throw unsafe(`a whiteout names ${JSON.stringify(name)}`);
    this.result.whiteouts.push([...parent, name].join("/"));
  }

  async #write(entry: TarEntry, parts: string[], path: string): Promise<void> {
    const existing = lstatSync(path, { throwIfNoEntry: false });
    if (existing && !(existing.isDirectory() && entry.type === "folder")) this.#remove(path, existing.isDirectory());
    if (entry.type === "folder") {
      if (!existing?.isDirectory()) mkdirSync(path, { mode: 0o700 });
      this.#folders.delete(path);
      this.#folders.set(path, entry);
      this.#implied.delete(parts.join("/"));
    } else if (entry.type === "symlink") {
      if (entry.linkName === "") throw unsafe(`the link ${entry.name} leads nowhere`);
      if (climbsOut(parts, entry.linkName)) throw unsafe(`the link ${entry.name} leads to ${entry.linkName}, outside of the image`);
      symlinkSync(entry.linkName, path);
      if (this.owners) lchownSync(path, entry.uid, entry.gid);
      this.#lastParent = undefined;
    } else if (entry.type === "link") this.#link(entry, parts, path);
    else await this.#file(entry, path);
  }

  #link(entry: TarEntry, parts: string[], path: string): void {
    const target = partsOf(entry.linkName);
    const name = target.at(-1);
    const folder = folderInRoot(this.root, target.slice(0, -1));
    const source = folder !== undefined && name !== undefined ? join(folder, name) : undefined;
    const stat = source === undefined ? undefined : lstatSync(source, { throwIfNoEntry: false });
    if (source === undefined || !stat) this.result.links.push({ path: parts.join("/"), target: target.join("/") });
    else if (stat.isDirectory()) throw unsafe(`the hard link ${entry.name} names a folder`);
    else linkSync(source, path);
  }

  async #file(entry: TarEntry, path: string): Promise<void> {
    // Exclusive: never through a link, never into a file that is there.
    const fd = openSync(path, "wx", 0o600);
    try {
      for await (const piece of entry.content()) {
        for (let written = 0; written < piece.length;) written += writeSync(fd, piece, written);
      }
      if (this.owners) fchownSync(fd, entry.uid, entry.gid);
      // Programs in pods gain nothing by exec; on this machine the bits would only be dangerous.
      fchmodSync(fd, entry.mode & 0o1777);
      futimesSync(fd, entry.mtime, entry.mtime);
    } finally {
      closeSync(fd);
    }
    this.result.bytes += entry.size;
  }

  #parent(parts: string[]): string {
    const name = parts.join("/");
    if (this.#lastParent?.name === name) return this.#lastParent.path;
    const path = folderInRoot(this.root, parts, { onMissing: (made) => this.#implied.add(made) });
    if (path === undefined) throw unsafe(`${name} is no folder, and something is to be written into it`);
    this.#lastParent = { name, path };
    return path;
  }

  #remove(path: string, isFolder: boolean): void {
    rmSync(path, { recursive: true, force: true });
    this.#lastParent = undefined;
    // A link may take the place: what was below must not be looked for through it.
    if (isFolder) for (const known of this.#folders.keys()) if (isWithin(known, path)) this.#folders.delete(known);
  }
}
