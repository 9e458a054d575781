import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { encode, typeUrlOf } from "../../proto/index.ts";
import type { XdsResource } from "./types.ts";

/** Encodes a resource. Its version is a hash of its bytes, so that the same content has the same version everywhere. */
export function encodeResource<Desc extends DescMessage>(schema: Desc, name: string, message: MessageInitShape<Desc>): XdsResource {
  const value = encode(schema, message);
  return { name, typeUrl: typeUrlOf(schema), version: Bun.hash.xxHash64(value).toString(16).padStart(16, "0"), value };
}
