/** Bytes that are no protobuf. */
export class MalformedProtobuf extends Error {}

/** Nesting beyond this is refused: no Kubernetes object comes near, and each level costs stack. */
export const MAX_DEPTH = 64;

export interface WireField {
  number: number;
  /** A varint or fixed number, or the bytes of a length-delimited field. */
  value: bigint | Uint8Array;
}

const UTF8 = new TextDecoder("utf-8", { fatal: false });

export function utf8(bytes: Uint8Array): string {
  return UTF8.decode(bytes);
}

/** The fields of one message in order. Throws MalformedProtobuf. */
export function* readFields(bytes: Uint8Array): Iterable<WireField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new MalformedProtobuf("unexpected EOF");
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
    throw new MalformedProtobuf("integer overflow");
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = Math.floor(tag / 8);
    if (number === 0) throw new MalformedProtobuf("illegal tag 0");
    switch (tag & 7) {
      case 0:
        yield { number, value: varint() };
        break;
      case 1:
        if (at + 8 > bytes.length) throw new MalformedProtobuf("unexpected EOF");
        yield { number, value: view.getBigUint64(at, true) };
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        if (at + length > bytes.length) throw new MalformedProtobuf("unexpected EOF");
        yield { number, value: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      case 5:
        if (at + 4 > bytes.length) throw new MalformedProtobuf("unexpected EOF");
        yield { number, value: BigInt(view.getUint32(at, true)) };
        at += 4;
        break;
      default:
        throw new MalformedProtobuf(`illegal wireType ${tag & 7}`);
    }
  }
}
