/** An HTTP/2 frame as it is on the wire. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HEADERS of `GET http://a/`, with further fields already encoded. */
export function requestFrame(stream: number, endStream = true, more: Uint8Array = new Uint8Array(0)): Buffer {
  return frame(1, endStream ? 5 : 4, stream, Buffer.concat([REQUEST, more]));
}

/** :method GET, :scheme http, :path /, :authority a */
const REQUEST = Uint8Array.of(0x82, 0x86, 0x84, 0x01, 1, 0x61);
