/**
 * images is the catalogue of what a pod can run: it resolves image references to programs on this machine. Some come with
 * Chainmail (the list is data that `cli` builds), the others are the user's own: archives as docker save and OCI tools
 * write them, folders, or programs of the machine. Nothing is downloaded: a reference that nobody added does not resolve.
 *
 *   archive/   reads archives: tar, compression, manifests, configurations; trusts nothing of them
 *   store/     unpacks layers, puts roots together, keeps the list
 */
export { createCatalogue } from "./catalogue.ts";
export { formatReference, parseReference, type ImageReference } from "./reference.ts";
export { SAMPLE_TOOLS, sampleImages } from "./samples.ts";
export { findUser, type ImageUser } from "./users.ts";
export type { Image, ImageCatalogue, OwnImage, OwnImages } from "./types.ts";
export { ImageStore, shortName, type LoadOptions } from "./store/image-store.ts";
export type { ImageMount, StoredImage } from "./store/index-file.ts";
export { removeTree } from "./store/remove-tree.ts";
export type { ImageConfig } from "./archive/image-config.ts";
export { loadImages } from "./load.ts";
