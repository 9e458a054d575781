/** `type_url` has this number in DiscoveryResponse and in DeltaDiscoveryResponse. */
const TYPE_URL_FIELD = 4;

/**
 * The type of an encoded discovery response of either protocol, without decoding what it carries: a listener answer of a
 * large mesh has megabytes. "" when there is none, or when the bytes are no message.
 */
export function typeUrlOfResponse(bytes: Uint8Array): string {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; at < bytes.length; shift *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case WIRE.VARINT:
        varint();
        break;
      case WIRE.FIXED64:
        at += 8;
        break;
      case WIRE.FIXED32:
        at += 4;
        break;
      case WIRE.BYTES: {
        const length = varint();
        if (field === TYPE_URL_FIELD) return Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(length, bytes.length - at)).toString("utf8");
        at += length;
        break;
      }
      default:
        return "";
    }
  }
  return "";
}

const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;
