import { fieldBound, writeField } from "../../http2/hpack-encoder.ts";
import { frame } from "../http2-frames.ts";

/** The statuses of whole HTTP/1 responses in what was received. */
export function responses(received: Buffer): number[] {
  const found: number[] = [];
  let at = 0;
  for (;;) {
    const end = received.indexOf("\r\n\r\n", at);
    if (end < 0) return found;
    const head = received.toString("latin1", at, end).toLowerCase();
    const status = Number(head.slice(9, 12));
    const length = /content-length: (\d+)/.exec(head);
    at = end + 4;
    if (status < 200) continue;
    if (length) at += Number(length[1]);
    else if (head.includes("transfer-encoding: chunked")) {
      const last = received.indexOf("0\r\n\r\n", at);
      if (last < 0) return found;
      at = last + 5;
    }
    if (at > received.length) return found;
    found.push(status);
  }
}

/** HEADERS of a request for a path. */
export function headersFrame(stream: number, path: string, endStream: boolean): Buffer {
  const fields: [string, string][] = [
    [":method", endStream ? "GET" : "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "svc"],
  ];
  const out = Buffer.alloc(fields.reduce((sum, [name, value]) => sum + fieldBound(name, value), 0));
  let at = 0;
  for (const [name, value] of fields) at = writeField(out, at, name, value);
  return frame(1, endStream ? 5 : 4, stream, out.subarray(0, at));
}

/** Which streams have ended, regularly or by a reset, and whether the connection was refused more of them. */
export function endedStreams(received: Buffer): { readonly ended: ReadonlySet<number>; readonly goaway: boolean } {
  const ended = new Set<number>();
  let goaway = false;
  for (let at = 0; at + 9 <= received.length;) {
    const next = at + 9 + received.readUIntBE(at, 3);
    if (next > received.length) break;
    const type = received[at + 3] as number;
    const endStream = (type === 0 || type === 1) && ((received[at + 4] as number) & 1) !== 0;
    if (endStream || type === 3) ended.add(received.readUInt32BE(at + 5));
    if (type === 7) goaway = true;
    at = next;
  }
  return { ended, goaway };
}
