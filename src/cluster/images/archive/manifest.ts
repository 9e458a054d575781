import { createHash } from "node:crypto";
import { ChainmailError } from "../../../base/index.ts";
import { parseReference } from "../reference.ts";
import { ARCHITECTURE, array, damaged, object, optionalString, parseImageFile, parseJson, strings, type ImageFile } from "./image-config.ts";
import type { ImageSource } from "./image-source.ts";

/** One image of an archive, checked against its digests as far as manifests go. */
export interface ArchivedImage extends ImageFile {
  /** References that the archive gives it; may be none. */
  names: string[];
  /** Of the manifest where there is one, else of the configuration. */
  digest: string;
  /** Names in the source, lowest first, one for each diffId. */
  layers: string[];
}

/** An index may point to an index; real ones do so once. */
const MAX_DEPTH = 4;
const MAX_MANIFESTS = 1_000;

/** All images of an archive. Throws NO_IMAGE_ARCHIVE, ARCHIVE_DAMAGED, ARCHIVE_FILE_MISSING, IMAGE_PLATFORM. */
export function readManifests(source: ImageSource): ArchivedImage[] {
  // Docker writes both; its own names the images.
  if (source.has("manifest.json")) return dockerImages(source);
  if (source.has("index.json")) return layoutImages(source);
  throw new ChainmailError("NO_IMAGE_ARCHIVE", "this is no image archive: it has neither manifest.json (docker save) nor index.json (OCI layout)", {
    hint: "docker save IMAGE -o app.tar; or for a plain folder of files: chainmail image add NAME --rootfs DIR",
  });
}

function dockerImages(source: ImageSource): ArchivedImage[] {
  const list = array(parseJson(textOf(source, "manifest.json"), "manifest.json"), "manifest.json");
  if (list.length === 0 || list.length > MAX_MANIFESTS) throw damaged(`manifest.json lists ${list.length} images`);
  return list.map((item) => {
    const manifest = object(item, "an entry of manifest.json");
    const configName = optionalString(manifest["Config"]);
    if (!configName) throw damaged("an entry of manifest.json names no Config");
    const config = source.read(configName);
    const digest = sha256(config);
    const named = /([0-9a-f]{64})(?:\.json)?$/.exec(configName)?.[1];
    if (named !== undefined && digest !== `sha256:${named}`) throw damaged(`${configName} does not have the digest that it is named by`);
    return image(config, strings(manifest["Layers"], "Layers"), strings(manifest["RepoTags"], "RepoTags"), digest);
  });
}

function layoutImages(source: ImageSource): ArchivedImage[] {
  const images: ArchivedImage[] = [];
  const platforms = new Set<string>();
  const visit = (descriptor: Record<string, unknown>, name: string | undefined, depth: number): void => {
    if (depth > MAX_DEPTH || images.length > MAX_MANIFESTS) throw damaged("its index has no end");
    const own = nameOf(descriptor) ?? name;
    const platform = platformOf(descriptor);
    if (platform !== undefined && platform !== `linux/${ARCHITECTURE}`) {
      platforms.add(platform);
      return;
    }
    const { text, digest } = blob(source, descriptor);
    const document = object(parseJson(text, digest), digest);
    if (Array.isArray(document["manifests"])) {
      for (const item of document["manifests"]) visit(object(item, "manifests"), own, depth + 1);
      return;
    }
    const layers = array(document["layers"], "layers").map((item) => blobName(object(item, "layers")));
    const config = blob(source, object(document["config"], "config"));
    images.push(image(Buffer.from(config.text), layers, own === undefined ? [] : [own], digest));
  };
  const index = object(parseJson(textOf(source, "index.json"), "index.json"), "index.json");
  for (const item of array(index["manifests"], "manifests")) visit(object(item, "manifests"), undefined, 0);
  if (images.length === 0) {
    const others = [...platforms].filter((platform) => !platform.startsWith("unknown/"));
    throw new ChainmailError(
      "IMAGE_PLATFORM",
      others.length > 0 ? `the archive has images for ${others.join(", ")} only, and this machine is linux/${ARCHITECTURE}` : "the archive holds no image",
    );
  }
  return mergeNames(images);
}

function image(config: Uint8Array, layers: string[], names: string[], digest: string): ArchivedImage {
  const file = parseImageFile(Buffer.from(config).toString());
  if (file.diffIds.length !== layers.length) throw damaged(`it has ${layers.length} layers, and its configuration names ${file.diffIds.length}`);
  return { ...file, names: names.filter((name) => parseReference(name) !== undefined), digest, layers };
}

/** The same image under several names stands in an index several times. */
function mergeNames(images: ArchivedImage[]): ArchivedImage[] {
  const byDigest = new Map<string, ArchivedImage>();
  for (const each of images) {
    const known = byDigest.get(each.digest);
    if (known) known.names.push(...each.names.filter((name) => !known.names.includes(name)));
    else byDigest.set(each.digest, each);
  }
  return [...byDigest.values()];
}

/** containerd's and Docker's annotation holds the whole reference; OCI's own may be a bare tag, which names nothing. */
function nameOf(descriptor: Record<string, unknown>): string | undefined {
  const annotations = object(descriptor["annotations"] ?? {}, "annotations");
  const full = optionalString(annotations["io.containerd.image.name"]);
  const ref = optionalString(annotations["org.opencontainers.image.ref.name"]);
  return full ?? (ref !== undefined && /[/:]/.test(ref) ? ref : undefined);
}

function platformOf(descriptor: Record<string, unknown>): string | undefined {
  if (descriptor["platform"] === undefined) return undefined;
  const { os, architecture } = object(descriptor["platform"], "platform");
  return `${optionalString(os) ?? "linux"}/${optionalString(architecture) ?? ""}`;
}

function blob(source: ImageSource, descriptor: Record<string, unknown>): { text: string; digest: string } {
  const bytes = source.read(blobName(descriptor));
  const digest = optionalString(descriptor["digest"]) ?? "";
  if (sha256(bytes) !== digest) throw damaged(`the blob ${digest} has another digest`);
  return { text: Buffer.from(bytes).toString(), digest };
}

function blobName(descriptor: Record<string, unknown>): string {
  const digest = /^sha256:([0-9a-f]{64})$/.exec(optionalString(descriptor["digest"]) ?? "")?.[1];
  if (digest === undefined) throw damaged("a descriptor has no sha256 digest");
  return `blobs/sha256/${digest}`;
}

function textOf(source: ImageSource, name: string): string {
  return Buffer.from(source.read(name)).toString();
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
