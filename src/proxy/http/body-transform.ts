import type { HeaderMap } from "./header-map.ts";

/** Changes a body on its way: what a filter that rewrites messages sets. */
export interface BodyTransform {
  /** Undefined when the body cannot go on: the transform has answered then. */
  chunk(bytes: Buffer): Buffer | undefined;
  /** What is still to be sent, and the trailers that remain; undefined as above. */
  end(trailers: HeaderMap | undefined): { readonly bytes: Buffer; readonly trailers: HeaderMap | undefined } | undefined;
}
