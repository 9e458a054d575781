/**
 * images is the catalogue of what a pod can run: it resolves image references to programs on this machine.
 * The list itself is data that `cli` builds; this room parses references and offers the sample images.
 * Nothing is downloaded: a reference that is not in the catalogue does not resolve.
 */
export { createCatalogue } from "./catalogue.ts";
export { formatReference, parseReference, type ImageReference } from "./reference.ts";
export { sampleImages } from "./samples.ts";
export type { Image, ImageCatalogue } from "./types.ts";
