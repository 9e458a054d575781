import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChainmailError } from "../../../base/index.ts";
import type { ImageConfig } from "../archive/image-config.ts";
import type { ArchivedImage } from "../archive/manifest.ts";
import type { ImageSource } from "../archive/image-source.ts";
import { StreamSource } from "../archive/byte-source.ts";
import { compressionOf, decompress, tooLarge } from "../archive/decompress.ts";
import { readTar } from "../archive/tar-reader.ts";
import { formatReference, parseReference } from "../reference.ts";
import type { Image, OwnImages } from "../types.ts";
import { assembleRoot, type Layer } from "./assemble-root.ts";
import { ImageIndex, type ImageMount, type StoredImage } from "./index-file.ts";
import { removeTree } from "./remove-tree.ts";
import { rootsInUse } from "./roots-in-use.ts";
import { unpackLayer, type LayerNotes } from "./unpack-layer.ts";

/** A distribution's full tree has some 200,000 files. */
const MAX_ENTRIES = 1_000_000;
/** Names that the mesh's own pods are made of. */
const RESERVED = "chainmail/";

interface LayerFile extends LayerNotes {
  bytes: number;
  skipped: number;
}

export interface LoadOptions {
  /** Instead of the names in the archive. */
  name?: string;
  /** Of all layers, unpacked. */
  maxBytes: number;
  onLayer?(progress: { index: number; count: number; known: boolean }): void;
}

/**
 * The user's own images in one folder: layers by digest, the roots put together from them, and the list of names.
 *
 *   index.json          names, configurations, and which root each has
 *   layers/<diff id>/   tree/ and layer.json (what the layer takes away)
 *   roots/<chain id>/   what an image's containers see, hard links to the layers' files
 *   tmp/                what is being written; renamed when it is complete
 */
export class ImageStore implements OwnImages {
  readonly #index: ImageIndex;
  /** As root, files get the owners that the image gives them; an ordinary user has but one id to give. */
  readonly #owners = process.getuid?.() === 0;

  constructor(readonly folder: string) {
    this.#index = new ImageIndex(folder);
  }

  list(): StoredImage[] {
    return this.#index.read();
  }

  names(): string[] {
    return this.list().map((image) => shortName(image.name));
  }

  find(reference: string): Image | undefined {
    const stored = this.#stored(reference);
    return stored && this.#image(stored);
  }

  /** Takes one image of an archive in. Throws what the archive's reader and the unpacking throw; then nothing has changed. */
  async load(source: ImageSource, archived: ArchivedImage, options: LoadOptions): Promise<StoredImage[]> {
    const names = (options.name === undefined ? archived.names : [options.name]).map(longName);
    if (names.length === 0)
      throw new ChainmailError("IMAGE_NAME_MISSING", "the archive gives the image no name", { hint: "chainmail image load --name app:latest …" });
    let left = options.maxBytes;
    const layers: Layer[] = [];
    let bytes = 0;
    for (const [index, diffId] of archived.diffIds.entries()) {
      const known = existsSync(this.#layerFolder(diffId));
      options.onLayer?.({ index, count: archived.diffIds.length, known });
      const file = known ? this.#readLayer(diffId) : await this.#unpack(source, archived.layers[index] ?? "", diffId, left);
      left -= file.bytes;
      if (left < 0) throw tooLarge(options.maxBytes);
      bytes += file.bytes;
      layers.push({ folder: join(this.#layerFolder(diffId), "tree"), notes: file });
    }
    const root = this.#assemble(archived.diffIds, layers);
    const loadedAt = new Date().toISOString();
    const images = names.map((name): StoredImage => ({
      name,
      digest: archived.digest,
      sizeBytes: bytes,
      loadedAt,
      config: archived.config,
      files: { kind: "archive", diffIds: archived.diffIds, root },
      mounts: [],
    }));
    await this.#put(images);
    return images;
  }

  /** An image without an archive: programs of the machine, or a folder as its root. */
  async add(definition: { name: string; config: ImageConfig; folder?: string; mounts: ImageMount[] }): Promise<StoredImage> {
    const { name, config, folder, mounts } = definition;
    const files: StoredImage["files"] = folder === undefined ? { kind: "host" } : { kind: "folder", folder };
    const digest = `sha256:${createHash("sha256")
      .update(JSON.stringify([config, files, mounts]))
      .digest("hex")}`;
    const image: StoredImage = { name: longName(name), digest, sizeBytes: 0, loadedAt: new Date().toISOString(), config, files, mounts };
    await this.#put([image]);
    return image;
  }

  /** Takes a name off the list; files go with `prune`. Throws IMAGE_NOT_FOUND. */
  async remove(reference: string): Promise<StoredImage> {
    const stored = this.#stored(reference);
    if (!stored) throw new ChainmailError("IMAGE_NOT_FOUND", `there is no image ${reference} of your own`, { hint: "chainmail image list" });
    await this.#index.update((images) => ({ images: images.filter((image) => image.name !== stored.name), result: undefined }));
    return stored;
  }

  /** Deletes files that belong to no image on the list and to no running container. */
  async prune(): Promise<{ layers: number; roots: number; bytes: number }> {
    return this.#index.update((images) => {
      const archives = images.flatMap((image) => (image.files.kind === "archive" ? [image.files] : []));
      const roots = new Set([...archives.map(({ root }) => root), ...this.#rootsInUse()]);
      const layers = new Set(archives.flatMap(({ diffIds }) => diffIds.map(hexOf)));
      const result = { layers: 0, roots: 0, bytes: 0 };
      for (const name of this.#names("roots")) {
        if (roots.has(name)) continue;
        removeTree(join(this.folder, "roots", name));
        result.roots += 1;
      }
      for (const name of this.#names("layers")) {
        if (layers.has(name)) continue;
        result.bytes += this.#readLayer(`sha256:${name}`).bytes;
        removeTree(join(this.folder, "layers", name));
        result.layers += 1;
      }
      // Left by a command that was killed; those of one that runs are named by it.
      for (const name of this.#names("tmp")) if (!existsSync(`/proc/${name.split(".")[0]}`)) removeTree(join(this.folder, "tmp", name));
      return { images, result };
    });
  }

  /** A new folder for what is not complete yet, on the store's file system. */
  scratch(): string {
    const path = join(this.folder, "tmp", `${process.pid}.${randomBytes(6).toString("hex")}`);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  #stored(reference: string): StoredImage | undefined {
    const wanted = parseReference(reference);
    if (!wanted) return undefined;
    const images = this.list();
    const byDigest =
      wanted.digest === undefined ? undefined : images.find((image) => image.digest === wanted.digest && pathOf(image.name) === pathOf(reference));
    if (byDigest || wanted.digest !== undefined) return byDigest;
    const name = formatReference(wanted);
    return images.find((image) => image.name === name);
  }

  #image({ name, config, digest, files, mounts }: StoredImage): Image {
    const folder = files.kind === "archive" ? join(this.folder, "roots", files.root) : files.kind === "folder" ? files.folder : undefined;
    // By its real path, as roots-in-use.ts looks for it.
    const root = folder !== undefined && existsSync(folder) ? realpathSync(folder) : folder;
    return {
      repository: shortName(name).replace(/:[^:/]*$/, ""),
      entrypoint: config.entrypoint,
      cmd: config.cmd,
      env: config.env,
      workingDir: config.workingDir,
      files: mounts,
      proxy: false,
      own: {
        digest,
        root,
        user: config.user,
        exposedPorts: config.exposedPorts,
        ...(config.stopSignal === undefined ? {} : { stopSignal: config.stopSignal }),
      },
    };
  }

  async #unpack(source: ImageSource, name: string, diffId: string, maxBytes: number): Promise<LayerFile> {
    const scratch = this.scratch();
    try {
      mkdirSync(join(scratch, "tree"), { mode: 0o755 });
      const hash = new Bun.CryptoHasher("sha256");
      // Headers and padding come on top of the files; small files are mostly those.
      const stream = decompress(source.stream(name), compressionOf(source.start(name)), maxBytes + MAX_ENTRIES * 1024);
      const bytes = new StreamSource(hashing(stream, hash));
      const { bytes: size, ...notes } = await unpackLayer(readTar(bytes), join(scratch, "tree"), {
        owners: this.#owners,
        limits: { entries: MAX_ENTRIES, bytes: maxBytes },
      });
      await bytes.drain();
      if (`sha256:${hash.digest("hex")}` !== diffId)
        throw new ChainmailError("ARCHIVE_DAMAGED", `the image archive is damaged: layer ${name} does not have the digest that the image names`);
      const file: LayerFile = { ...notes, bytes: size };
      writeFileSync(join(scratch, "layer.json"), JSON.stringify(file));
      this.#settle(scratch, this.#layerFolder(diffId));
      return file;
    } finally {
      removeTree(scratch);
    }
  }

  #assemble(diffIds: string[], layers: Layer[]): string {
    const chain = chainId(diffIds);
    const target = join(this.folder, "roots", chain);
    if (existsSync(target)) return chain;
    const scratch = this.scratch();
    try {
      const root = join(scratch, "root");
      mkdirSync(root, { mode: 0o755 });
      assembleRoot(layers, root, { owners: this.#owners });
      this.#settle(root, target);
    } finally {
      removeTree(scratch);
    }
    return chain;
  }

  /** Two commands may have made the same: the first to be there stays. */
  #settle(from: string, to: string): void {
    mkdirSync(join(to, ".."), { recursive: true, mode: 0o700 });
    try {
      renameSync(from, to);
    } catch (error) {
      if (!existsSync(to)) throw error;
    }
  }

  async #put(images: StoredImage[]): Promise<void> {
    const names = new Set(images.map((image) => image.name));
    await this.#index.update((before) => ({ images: [...before.filter((image) => !names.has(image.name)), ...images], result: undefined }));
  }

  #readLayer(diffId: string): LayerFile {
    return JSON.parse(readFileSync(join(this.#layerFolder(diffId), "layer.json"), "utf8")) as LayerFile;
  }

  #layerFolder(diffId: string): string {
    return join(this.folder, "layers", hexOf(diffId));
  }

  #rootsInUse(): Set<string> {
    const roots = join(this.folder, "roots");
    return existsSync(roots) ? rootsInUse(realpathSync(roots)) : new Set();
  }

  #names(kind: "roots" | "layers" | "tmp"): string[] {
    const path = join(this.folder, kind);
    return existsSync(path) ? readdirSync(path) : [];
  }
}

/** `docker.io/library/app:latest` as people write it: `app:latest`. */
export function shortName(name: string): string {
  return name.replace(/^docker\.io\/(?:library\/)?/, "");
}

function longName(name: string): string {
  const reference = parseReference(name);
  if (!reference || reference.digest !== undefined)
    throw new ChainmailError("IMAGE_NAME_INVALID", `"${name}" cannot name an image: write it as in a pod, such as app:latest`);
  if (reference.registry === "docker.io" && reference.path.startsWith(RESERVED))
    throw new ChainmailError("IMAGE_NAME_RESERVED", `names below ${RESERVED} are Chainmail's own`);
  return formatReference(reference);
}

function pathOf(name: string): string {
  const reference = parseReference(name);
  return reference ? `${reference.registry}/${reference.path}` : "";
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** What a root is named by: its layers and their order. Only the list of digests matters, so one hash of all will do. */
function chainId(diffIds: string[]): string {
  return createHash("sha256").update(diffIds.join(" ")).digest("hex");
}

async function* hashing(stream: AsyncIterable<Uint8Array>, hash: Bun.CryptoHasher): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    hash.update(chunk);
    yield chunk;
  }
}
