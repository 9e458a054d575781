import type { HeaderMap } from "./header-map.ts";

/** Changes a body on its way: what a filter that rewrites messages sets. */
export interface BodyTransform {
  chunk(bytes: Buffer): Buffer;
  /** What is still to be sent, and the trailers that remain. */
  end(trailers: HeaderMap | undefined): { readonly bytes: Buffer; readonly trailers: HeaderMap | undefined };
}
