import { fromBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { encode } from "./encode.ts";

export const TYPE_URL_PREFIX = "type.googleapis.com/";

/** The type URL under which a message travels in an Any. */
export function typeUrlOf(schema: DescMessage): string {
  return TYPE_URL_PREFIX + schema.typeName;
}

/** Encodes a message (or what `create` takes for one) into an Any. */
export function packAny<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return { $typeName: "google.protobuf.Any", typeUrl: typeUrlOf(schema), value: encode(schema, init) };
}

/** The message inside an Any, or undefined when it holds another type. Throws when its bytes are not such a message. */
export function unpackAny<Desc extends DescMessage>(schema: Desc, any: Any | undefined): MessageShape<Desc> | undefined {
  return any?.typeUrl === typeUrlOf(schema) ? fromBinary(schema, any.value) : undefined;
}

/** What `create` takes for a message, without the finished message itself: such objects can be spread. */
export type Init<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, MessageShape<Desc>>;
