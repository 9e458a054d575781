import { closeSync, createReadStream, fstatSync, openSync, readFileSync, readSync, realpathSync, statSync } from "node:fs";
import { join, posix, sep } from "node:path";
import { Readable } from "node:stream";
import { ChainmailError } from "../../../base/index.ts";
import { FileSource } from "./byte-source.ts";
import { readTar } from "./tar-reader.ts";

/** The files of an image archive or an unpacked OCI layout, by their names in it. */
export interface ImageSource {
  has(name: string): boolean;
  /** A small file whole. Throws ARCHIVE_FILE_MISSING, or ARCHIVE_DAMAGED beyond the limit for manifests. */
  read(name: string): Uint8Array;
  stream(name: string): Readable;
  /** The first bytes, to tell how it is compressed. */
  start(name: string): Uint8Array;
  close(): void;
}

/** Registries refuse larger manifests (4 MiB); configurations stay below too. */
const MAX_JSON = 8 << 20;
/** A docker-save archive has a handful of files a layer, of at most 127 layers. */
const MAX_FILES = 20_000;
const START = 16;

/** An uncompressed tar file: its table of contents is read once, its parts where they lie. */
export async function openArchive(path: string): Promise<ImageSource> {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const files = new Map<string, { offset: number; size: number } | { link: string }>();
    for await (const entry of readTar(new FileSource(fd, size))) {
      const name = posix.normalize(`/${entry.name}`).slice(1);
      // Old docker-save archives name a layer that is there already by a link.
      if (entry.type === "symlink") files.set(name, { link: posix.normalize(posix.join("/", posix.dirname(name), entry.linkName)).slice(1) });
      else if (entry.type === "link") files.set(name, { link: posix.normalize(`/${entry.linkName}`).slice(1) });
      else if (entry.type === "file") files.set(name, { offset: entry.offset, size: entry.size });
      if (files.size > MAX_FILES) throw new ChainmailError("ARCHIVE_DAMAGED", `this is no image archive: it holds more than ${MAX_FILES} files`);
    }
    const find = (name: string) => {
      let found = files.get(name);
      if (found && "link" in found) found = files.get(found.link);
      return found && "size" in found ? found : undefined;
    };
    const need = (name: string) => find(name) ?? missing(name);
    const range = (offset: number, length: number) => {
      const buffer = new Uint8Array(length);
      readSync(fd, buffer, 0, length, offset);
      return buffer;
    };
    return {
      has: (name) => find(name) !== undefined,
      read(name) {
        const file = need(name);
        if (file.size > MAX_JSON) throw tooLong(name);
        return range(file.offset, file.size);
      },
      stream(name) {
        const file = need(name);
        if (file.size === 0) return Readable.from([]);
        return createReadStream(path, { start: file.offset, end: file.offset + file.size - 1, highWaterMark: 1 << 18 });
      },
      start(name) {
        const file = need(name);
        return range(file.offset, Math.min(START, file.size));
      },
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A folder in the OCI image layout. */
export function openLayout(folder: string): ImageSource {
  const root = realpathSync(folder);
  const find = (name: string): string | undefined => {
    const path = join(root, name);
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
    const real = realpathSync(path);
    return real.startsWith(root + sep) ? real : undefined;
  };
  const need = (name: string) => find(name) ?? missing(name);
  return {
    has: (name) => find(name) !== undefined,
    read(name) {
      const path = need(name);
      if (statSync(path).size > MAX_JSON) throw tooLong(name);
      return readFileSync(path);
    },
    stream: (name) => createReadStream(need(name), { highWaterMark: 1 << 18 }),
    start(name) {
      const fd = openSync(need(name), "r");
      try {
        const buffer = new Uint8Array(START);
        return buffer.subarray(0, readSync(fd, buffer, 0, START, 0));
      } finally {
        closeSync(fd);
      }
    },
    close() {},
  };
}

function missing(name: string): never {
  throw new ChainmailError("ARCHIVE_FILE_MISSING", `the archive names ${name}, which is not in it`, {
    hint: "write the archive again: docker save IMAGE -o app.tar",
  });
}

function tooLong(name: string): ChainmailError {
  return new ChainmailError("ARCHIVE_DAMAGED", `${name} is longer than any manifest or configuration may be`);
}
