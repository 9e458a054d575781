import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { ChainmailError, errorText } from "../../../base/index.ts";

export type Compression = "none" | "gzip" | "zstd";

/** By the first bytes: archives' own labels lie at times. Throws ARCHIVE_UNSUPPORTED for bzip2 and xz. */
export function compressionOf(start: Uint8Array): Compression {
  const starts = (...bytes: number[]) => bytes.every((byte, index) => start[index] === byte);
  if (starts(0x1f, 0x8b)) return "gzip";
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  if (starts(0x42, 0x5a, 0x68) || starts(0xfd, 0x37, 0x7a, 0x58, 0x5a))
    throw new ChainmailError("ARCHIVE_UNSUPPORTED", "the archive is compressed by bzip2 or xz", { hint: "unpack it first: bunzip2 or unxz" });
  return "none";
}

/** The decompressed bytes, at most `limit` of them (IMAGE_TOO_LARGE): what is small on disk may be without end. */
export async function* decompress(input: Readable, compression: Compression, limit: number): AsyncGenerator<Uint8Array> {
  let output = input;
  if (compression !== "none") {
    const decoder = compression === "gzip" ? createGunzip() : createZstdDecompress();
    input.on("error", (error) => decoder.destroy(error));
    output = input.pipe(decoder);
  }
  let total = 0;
  try {
    for await (const chunk of output as AsyncIterable<Uint8Array>) {
      total += chunk.length;
      if (total > limit) throw tooLarge(limit);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof ChainmailError) throw cause;
    throw new ChainmailError("ARCHIVE_DAMAGED", `the archive does not decompress: ${errorText(cause)}`, { cause });
  } finally {
    input.destroy();
    output.destroy();
  }
}

export function tooLarge(limit: number): ChainmailError {
  return new ChainmailError("IMAGE_TOO_LARGE", `the image unpacks to more than ${Math.round(limit / 2 ** 20)} MiB`, {
    hint: "chainmail image load --max-size 50Gi … raises the limit",
  });
}
