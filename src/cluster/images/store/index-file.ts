import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChainmailError } from "../../../base/index.ts";
import { tryLock } from "../../../linux/index.ts";
import type { ImageConfig } from "../archive/image-config.ts";

/** A host file or folder that the image's containers see. */
export interface ImageMount {
  hostPath: string;
  containerPath: string;
  writable: boolean;
}

/** An image of the user's own. */
export interface StoredImage {
  /** In its long form, with a tag: `docker.io/library/app:latest`. */
  name: string;
  /** `sha256:…` of the manifest or configuration; of its definition where there is no archive. */
  digest: string;
  /** Of its files, links counted once; 0 where they are the machine's own. */
  sizeBytes: number;
  /** RFC 3339. */
  loadedAt: string;
  config: ImageConfig;
  files:
    | { kind: "archive"; diffIds: string[]; root: string }
    /** A folder of the user's as the root, as it is at each start. */
    | { kind: "folder"; folder: string }
    /** The machine's own programs, as the images that Chainmail brings. */
    | { kind: "host" };
  mounts: ImageMount[];
}

const VERSION = 1;
/** Loading an image holds the lock for a moment only; one who holds it longer is stuck. */
const LOCK_TIMEOUT_MS = 30_000;
const LOCK_RETRY_MS = 25;

/** The list of the user's images: a JSON file that is replaced as a whole. */
export class ImageIndex {
  readonly path: string;
  #cached: { stamp: string; images: StoredImage[] } = { stamp: "", images: [] };

  constructor(readonly folder: string) {
    this.path = join(folder, "index.json");
  }

  /** The images as they are now; looked up again only when the file has changed. Throws IMAGE_INDEX_DAMAGED. */
  read(): StoredImage[] {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    if (!stat) return [];
    const stamp = `${stat.ino}.${stat.mtimeMs}.${stat.size}`;
    if (stamp !== this.#cached.stamp) this.#cached = { stamp, images: parseIndex(readFileSync(this.path, "utf8"), this.path) };
    return this.#cached.images;
  }

  /** Replaces the list by what `change` makes of it, while no other process does. Throws IMAGE_STORE_LOCKED. */
  async update<T>(change: (images: StoredImage[]) => { images: StoredImage[]; result: T }): Promise<T> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const lock = await takeLock(join(this.folder, "lock"));
    try {
      const { images, result } = change([...this.read()]);
      const sorted = images.sort((a, b) => (a.name < b.name ? -1 : 1));
      writeFileSync(`${this.path}.new`, `${JSON.stringify({ version: VERSION, images: sorted }, null, 1)}\n`, { mode: 0o600 });
      renameSync(`${this.path}.new`, this.path);
      return result;
    } finally {
      closeSync(lock);
    }
  }
}

async function takeLock(path: string): Promise<number> {
  const fd = openSync(path, "a", 0o600);
  for (const deadline = Date.now() + LOCK_TIMEOUT_MS; Date.now() < deadline; await Bun.sleep(LOCK_RETRY_MS)) if (tryLock(fd)) return fd;
  closeSync(fd);
  throw new ChainmailError("IMAGE_STORE_LOCKED", "another command holds the image store", { hint: `fuser ${path}   shows which` });
}

/** We alone write this file: its shape is checked as far as to tell ours from what is not. */
function parseIndex(text: string, path: string): StoredImage[] {
  const damaged = (cause?: unknown) =>
    new ChainmailError("IMAGE_INDEX_DAMAGED", `${path} is not what this version writes`, { cause, hint: `rm ${path}, then load the images again` });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(cause);
  }
  if (typeof value !== "object" || value === null || !("version" in value) || value.version !== VERSION || !("images" in value) || !Array.isArray(value.images))
    throw damaged();
  for (const image of value.images as unknown[]) {
    if (typeof image !== "object" || image === null || !("name" in image) || !("config" in image) || !("files" in image) || !("mounts" in image))
      throw damaged();
  }
  return value.images as StoredImage[];
}
