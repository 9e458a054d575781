import type { BrotliOptions, ZlibOptions, ZstdOptions } from "node:zlib";
import * as zlib from "node:zlib";
import type { TypedExtensionConfig } from "../../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { BrotliSchema } from "../../../proto/gen/envoy/extensions/compression/brotli/compressor/v3/brotli_pb.ts";
import { GzipSchema } from "../../../proto/gen/envoy/extensions/compression/gzip/compressor/v3/gzip_pb.ts";
import { ZstdSchema } from "../../../proto/gen/envoy/extensions/compression/zstd/compressor/v3/zstd_pb.ts";
import { unpackAny } from "../../../proto/index.ts";
import { InvalidResource } from "../../types.ts";

/** An encoding of bodies: its name in headers, and who makes it. */
export interface Library {
  readonly encoding: "gzip" | "br" | "zstd";
  start(): Compressor;
}

/** One body. */
export interface Compressor {
  /** All that has come so far can be read from what has been returned so far. */
  chunk(bytes: Buffer): Buffer;
  end(): Buffer;
  /** Frees what the encoder holds. */
  close(): void;
}

/** Throws InvalidResource for a library that is not known. */
export function compileLibrary(config: TypedExtensionConfig | undefined): Library {
  const { constants } = zlib;
  const gzip = unpackAny(GzipSchema, config?.typedConfig);
  if (gzip) {
    const options: ZlibOptions = {
      // Envoy's defaults: 12 bits of window, 5 of memory.
      windowBits: gzip.windowBits ?? 12,
      memLevel: gzip.memoryLevel ?? 5,
      level: gzip.compressionLevel === 0 ? constants.Z_DEFAULT_COMPRESSION : gzip.compressionLevel,
      strategy: gzip.compressionStrategy,
    };
    return { encoding: "gzip", start: () => new Sync(zlib.createGzip(options), constants.Z_SYNC_FLUSH, constants.Z_FINISH) };
  }
  const brotli = unpackAny(BrotliSchema, config?.typedConfig);
  if (brotli) {
    const options: BrotliOptions = {
      params: { [constants.BROTLI_PARAM_QUALITY]: brotli.quality ?? 3, [constants.BROTLI_PARAM_LGWIN]: brotli.windowBits ?? 18 },
    };
    return { encoding: "br", start: () => new Sync(zlib.createBrotliCompress(options), constants.BROTLI_OPERATION_FLUSH, constants.BROTLI_OPERATION_FINISH) };
  }
  const zstd = unpackAny(ZstdSchema, config?.typedConfig);
  if (zstd) {
    if (zstd.dictionary) throw new InvalidResource("UNSUPPORTED_COMPRESSOR", "zstd with a dictionary is not supported");
    const options: ZstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: zstd.compressionLevel ?? 3 } };
    return { encoding: "zstd", start: () => new Sync(zlib.createZstdCompress(options), constants.ZSTD_e_flush, constants.ZSTD_e_end) };
  }
  throw new InvalidResource("UNKNOWN_COMPRESSOR", `Didn't find a registered implementation for type: '${config?.typedConfig?.typeUrl.split("/")[1] ?? ""}'`);
}

/** What a zlib stream is made of: a synchronous step, and how much it left of either buffer. */
interface ZlibStream {
  readonly _handle: {
    writeSync(flush: number, input: Uint8Array, at: number, length: number, output: Uint8Array, outputAt: number, outputLength: number): void;
  };
  readonly _writeState: Uint32Array;
  close(): void;
}

/** A body goes on in the turn of the event loop in which it came, so the streams' own, later way of working is of no use. */
class Sync implements Compressor {
  readonly #stream: ZlibStream;

  constructor(
    stream: object,
    private readonly flush: number,
    private readonly finish: number,
  ) {
    this.#stream = stream as ZlibStream;
  }

  chunk(bytes: Buffer): Buffer {
    return this.#run(bytes, this.flush);
  }

  end(): Buffer {
    return this.#run(Buffer.alloc(0), this.finish);
  }

  close(): void {
    this.#stream.close();
  }

  #run(input: Buffer, mode: number): Buffer {
    const { _handle, _writeState } = this.#stream;
    const outputs: Buffer[] = [];
    let at = 0;
    for (;;) {
      const output = Buffer.allocUnsafe(OUTPUT);
      _handle.writeSync(mode, input, at, input.length - at, output, 0, OUTPUT);
      const [free = 0, left = 0] = _writeState;
      outputs.push(output.subarray(0, OUTPUT - free));
      at = input.length - left;
      if (free > 0) return outputs.length === 1 ? (outputs[0] as Buffer) : Buffer.concat(outputs);
    }
  }
}

/** One read of a socket seldom makes more than this when it is compressed. */
const OUTPUT = 16 * 1024;
