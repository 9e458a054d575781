import { createReadStream, createWriteStream, openSync, readSync, closeSync, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ChainmailError } from "../../base/index.ts";
import { compressionOf, decompress } from "./archive/decompress.ts";
import { openArchive, openLayout, type ImageSource } from "./archive/image-source.ts";
import { readManifests } from "./archive/manifest.ts";
import type { ImageStore, LoadOptions } from "./store/image-store.ts";
import type { StoredImage } from "./store/index-file.ts";
import { removeTree } from "./store/remove-tree.ts";

/**
 * Takes all images of an archive into the store: a tar file by docker save, podman save, skopeo, buildah or ko, also
 * compressed; a folder in the OCI layout; or, as "-", what comes by standard input.
 */
export async function loadImages(store: ImageStore, path: string, input: ReadableStream<Uint8Array>, options: LoadOptions): Promise<StoredImage[]> {
  const scratch = store.scratch();
  let source: ImageSource | undefined;
  try {
    source = await open(path, input, join(scratch, "archive.tar"), options.maxBytes);
    const archived = readManifests(source);
    if (options.name !== undefined && archived.length > 1)
      throw new ChainmailError("IMAGE_NAME_AMBIGUOUS", `the archive holds ${archived.length} images, and one name cannot stand for all`);
    const loaded: StoredImage[] = [];
    for (const image of archived) loaded.push(...(await store.load(source, image, options)));
    return loaded;
  } finally {
    source?.close();
    removeTree(scratch);
  }
}

/** A tar file as it lies; what is compressed or piped is written out first, since its parts are needed in another order. */
async function open(path: string, input: ReadableStream<Uint8Array>, spool: string, maxBytes: number): Promise<ImageSource> {
  if (path !== "-") {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) throw new ChainmailError("FILE_NOT_FOUND", `there is no file ${path}`);
    if (stat.isDirectory()) return openLayout(path);
    const compression = compressionOf(startOf(path));
    if (compression === "none") return openArchive(path);
    await pipeline(decompress(createReadStream(path), compression, maxBytes), createWriteStream(spool, { mode: 0o600 }));
    return openArchive(spool);
  }
  const reader = input.getReader();
  const first = await reader.read();
  const pieces = async function* () {
    for (let next = first; !next.done; next = await reader.read()) yield next.value;
  };
  const compression = compressionOf(first.value ?? new Uint8Array());
  await pipeline(decompress(Readable.from(pieces()), compression, maxBytes), createWriteStream(spool, { mode: 0o600 }));
  return openArchive(spool);
}

function startOf(path: string): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const buffer = new Uint8Array(16);
    return buffer.subarray(0, readSync(fd, buffer, 0, 16, 0));
  } finally {
    closeSync(fd);
  }
}
