import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { ChainmailError } from "../../../base/index.ts";

/** Path below the volume to its content and permission bits. */
export type VolumeFiles = ReadonlyMap<string, { content: Uint8Array; mode: number }>;

const GROUP_READS = 0o040;
const DATA = "..data";

/**
 * A volume's folder whose readers see either all of the old or all of the new files, in the layout that programs watch
 * on Kubernetes: `name -> ..data/name`, `..data -> ..<time>`, and the `..data` link swapped by rename.
 */
export class AtomicFolder {
  #fingerprint: string | undefined;
  #current: string | undefined;
  #writes = 0;

  constructor(readonly path: string) {}

  /** Replaces the content, readable for the group `gid` where one is given; answers whether anything changed. Throws BAD_VOLUME_PATH for a path that leaves the volume. */
  write(files: VolumeFiles, now: number, gid?: number): boolean {
    for (const path of files.keys()) checkPath(path);
    const fingerprint = fingerprintOf(files);
    if (this.#fingerprint === fingerprint) return false;

    mkdirSync(this.path, { recursive: true });
    chmodSync(this.path, 0o755);
    const fresh = `..${new Date(now).toISOString().replace(/[-:T]/g, "_").slice(0, 19)}.${++this.#writes}`;
    const target = join(this.path, fresh);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { mode: 0o755 });
    for (const [path, { content, mode }] of files) {
      const file = join(target, path);
      mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
      writeFileSync(file, content, { mode: 0o600 });
      chmodSync(file, (mode & 0o777) | (gid === undefined ? 0 : GROUP_READS));
      if (gid !== undefined) chownSync(file, 0, gid);
    }
    const link = join(this.path, "..data_tmp");
    rmSync(link, { force: true });
    symlinkSync(fresh, link);
    renameSync(link, join(this.path, DATA));
    this.#linkNames(files);
    if (this.#current !== undefined) rmSync(join(this.path, this.#current), { recursive: true, force: true });
    this.#current = fresh;
    this.#fingerprint = fingerprint;
    return true;
  }

  /** One link for each top-level name; links of names that are gone go too. What is no link of ours (a mount point) stays. */
  #linkNames(files: VolumeFiles): void {
    const wanted = new Set([...files.keys()].map((path) => path.split("/")[0] ?? path));
    for (const name of readdirSync(this.path)) {
      if (name.startsWith("..")) continue;
      const path = join(this.path, name);
      if (lstatSync(path).isSymbolicLink() && readlinkSync(path) === `${DATA}/${name}` && !wanted.has(name)) rmSync(path);
    }
    for (const name of wanted) {
      const path = join(this.path, name);
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) symlinkSync(`${DATA}/${name}`, path);
    }
  }
}

/** Paths come from the API (`items[].path`): none may leave the volume or shadow our own links. */
function checkPath(path: string): void {
  const parts = path.split("/");
  if (path === "" || path.startsWith("/") || path.includes("\0") || parts.includes("..") || posix.normalize(path) !== path || parts[0]?.startsWith("..")) {
    throw new ChainmailError("BAD_VOLUME_PATH", `invalid path ${JSON.stringify(path)}: must be relative and may not contain ".."`);
  }
}

function fingerprintOf(files: VolumeFiles): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const path of [...files.keys()].sort()) {
    const file = files.get(path);
    hash.update(`${path}\0${file?.mode}\0${file?.content.length}\0`);
    if (file) hash.update(file.content);
  }
  return hash.digest("hex");
}
