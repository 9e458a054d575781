import { chmodSync, lchownSync, linkSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, utimesSync, type Stats } from "node:fs";
import { join } from "node:path";
import { ChainmailError } from "../../../base/index.ts";
import { fileError, folderInRoot, isWithin } from "./in-root.ts";
import { removeTree } from "./remove-tree.ts";
import type { LayerNotes } from "./unpack-layer.ts";

export interface Layer {
  /** Its files. */
  folder: string;
  notes: LayerNotes;
}

/**
 * Puts layers, lowest first, together below `root`, an empty folder on their file system. Files are hard links, so a
 * layer that many images share lies on the disk once; nothing below a root may be written to.
 */
export function assembleRoot(layers: readonly Layer[], root: string, options: { owners: boolean }): void {
  try {
    for (const layer of layers) new Assembly(layer, root, options.owners).run();
  } catch (thrown) {
    throw fileError("its root", thrown);
  }
}

class Assembly {
  readonly #implied: Set<string>;
  #folders: { path: string; stat: Stats }[] = [];

  constructor(
    readonly layer: Layer,
    readonly root: string,
    readonly owners: boolean,
  ) {
    this.#implied = new Set(layer.notes.implied);
  }

  run(): void {
    const { folder, notes } = this.layer;
    for (const path of notes.opaque) this.#empty(path);
    for (const path of notes.whiteouts) this.#remove(path);
    // Their targets are the lower layers'; what the layer itself has at the same place comes after.
    for (const { path, target } of notes.links) this.#link(path, target);
    this.#folders.push({ path: this.root, stat: lstatSync(folder) });
    this.#merge(folder, this.root, "");
    // What was found last stands first: a folder that two layers' paths lead to gets what it had before.
    for (const { path, stat } of this.#folders.reverse()) {
      if (this.owners) lchownSync(path, stat.uid, stat.gid);
      chmodSync(path, stat.mode & 0o7777);
      utimesSync(path, stat.mtime, stat.mtime);
    }
  }

  #merge(from: string, to: string, name: string): void {
    for (const each of readdirSync(from)) {
      const source = join(from, each);
      const target = join(to, each);
      const path = name === "" ? each : `${name}/${each}`;
      const stat = lstatSync(source);
      const existing = lstatSync(target, { throwIfNoEntry: false });
      if (stat.isDirectory()) {
        const inner = this.#folder(target, path, stat, existing);
        this.#merge(source, inner, path);
        continue;
      }
      if (existing) this.#replace(target, existing);
      if (stat.isSymbolicLink()) {
        symlinkSync(readlinkSync(source), target);
        if (this.owners) lchownSync(target, stat.uid, stat.gid);
      } else linkSync(source, target);
    }
  }

  /** The folder that the layer's one becomes. */
  #folder(target: string, path: string, stat: Stats, existing: Stats | undefined): string {
    if (existing?.isSymbolicLink() && this.#implied.has(path)) {
      const real = folderInRoot(this.root, path.split("/"));
      if (real !== undefined) return this.#enter(real, lstatSync(real));
    }
    if (existing && !existing.isDirectory()) this.#replace(target, existing);
    if (!existing?.isDirectory()) mkdirSync(target, { mode: 0o700 });
    return this.#enter(target, existing?.isDirectory() && this.#implied.has(path) ? existing : stat);
  }

  /** Makes a folder writable until all is in it; `stat` is what it gets in the end. */
  #enter(path: string, stat: Stats): string {
    chmodSync(path, 0o700);
    this.#folders.push({ path, stat });
    return path;
  }

  /** Makes room; a link may come here, and what was below must not be looked for through it. */
  #replace(path: string, existing: Stats): void {
    removeTree(path);
    if (existing.isDirectory()) this.#folders = this.#folders.filter((folder) => !isWithin(folder.path, path));
  }

  #empty(path: string): void {
    const folder = folderInRoot(this.root, path.split("/"));
    if (folder === undefined) return;
    const { mode } = lstatSync(folder);
    chmodSync(folder, 0o700);
    for (const name of readdirSync(folder)) removeTree(join(folder, name));
    chmodSync(folder, mode & 0o7777);
  }

  #remove(path: string): void {
    const target = this.#within(path);
    if (target !== undefined) removeTree(target);
  }

  #link(path: string, target: string): void {
    const source = this.#within(target);
    const parts = path.split("/");
    const around = folderInRoot(this.root, parts.slice(0, -1), { onMissing: () => {} });
    const place = around === undefined ? undefined : join(around, parts.at(-1) ?? "");
    const stat = source === undefined ? undefined : lstatSync(source, { throwIfNoEntry: false });
    if (source === undefined || place === undefined || !stat || stat.isDirectory())
      throw new ChainmailError("ARCHIVE_DAMAGED", `the image archive is damaged: the hard link ${path} names ${target}, which is not there`);
    removeTree(place);
    linkSync(source, place);
  }

  #within(path: string): string | undefined {
    const parts = path.split("/");
    const folder = folderInRoot(this.root, parts.slice(0, -1));
    return folder === undefined ? undefined : join(folder, parts.at(-1) ?? "");
  }
}
