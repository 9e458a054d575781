import { fromBinary, fromJson, toBinary, toJson, type JsonObject } from "@bufbuild/protobuf";
import { AnySchema, anyPack, anyUnpack, StructSchema } from "@bufbuild/protobuf/wkt";
import { ID_HEADER, METADATA_HEADER, fromStruct, type PeerMetadata } from "../telemetry/peer-metadata.ts";

/** The ALPN name by which two sidecars agree to begin with their metadata. */
export const EXCHANGE_PROTOCOL = "istio-peer-exchange";

/** Istio's frame: magic number, length, then an Any with a Struct. */
const MAGIC = 0x3d230467;
const HEADER_BYTES = 8;
/** A peer's metadata take some 400 bytes. */
const MAX_BYTES = 64 * 1024;

/** The frame that a proxy sends as its first bytes. */
export function encodeExchange(id: string, metadata: JsonObject): Buffer {
  const struct = fromJson(StructSchema, { [METADATA_HEADER]: metadata, [ID_HEADER]: id });
  const any = toBinary(AnySchema, anyPack(StructSchema, struct));
  const frame = Buffer.alloc(HEADER_BYTES + any.length);
  frame.writeUInt32BE(MAGIC, 0);
  frame.writeUInt32BE(any.length, 4);
  frame.set(any, HEADER_BYTES);
  return frame;
}

export type ExchangeResult =
  | { readonly kind: "more" }
  /** What follows the frame is the application's. */
  | { readonly kind: "done"; readonly peer: PeerMetadata | undefined; readonly rest: Buffer }
  | { readonly kind: "invalid" };

/** Takes the peer's frame off the beginning of a connection. */
export class ExchangeReader {
  #held: Buffer | undefined;

  read(chunk: Buffer): ExchangeResult {
    const bytes = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    if (bytes.length >= 4 && bytes.readUInt32BE(0) !== MAGIC) return { kind: "invalid" };
    const length = bytes.length >= HEADER_BYTES ? bytes.readUInt32BE(4) : 0;
    if (length > MAX_BYTES) return { kind: "invalid" };
    if (bytes.length < HEADER_BYTES || bytes.length < HEADER_BYTES + length) {
      this.#held = bytes;
      return { kind: "more" };
    }
    this.#held = undefined;
    return { kind: "done", peer: decode(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)), rest: bytes.subarray(HEADER_BYTES + length) };
  }
}

function decode(bytes: Buffer): PeerMetadata | undefined {
  try {
    const struct = anyUnpack(fromBinary(AnySchema, bytes), StructSchema);
    const fields = struct && toJson(StructSchema, struct);
    return typeof fields === "object" && fields !== null && !Array.isArray(fields) ? fromStruct(fields[METADATA_HEADER]) : undefined;
  } catch {
    // A peer that says nothing readable is a peer without metadata.
    return undefined;
  }
}
