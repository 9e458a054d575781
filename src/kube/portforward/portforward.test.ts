import { afterEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { inflateSync, constants } from "node:zlib";
import { portForward } from "./index.ts";
import { SpdyFrameParser, SynStreamEncoder } from "./spdy-frames.ts";
import { encodeWebSocketFrame, WebSocketFrameParser } from "./websocket-frames.ts";

let server: Server | undefined;
afterEach(() => server?.close());

/** Frames on the server's side: unmasked. */
function serverFrame(payload: Buffer, opcode = 2): Buffer {
  const head =
    payload.length > 125 ? Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 255]) : Buffer.from([0x80 | opcode, payload.length]);
  return Buffer.concat([head, payload]);
}
const word = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const synReply = (id: number) => Buffer.concat([Buffer.from([0x80, 3, 0, 2, 0, 0, 0, 4]), word(id)]);
const data = (id: number, text: string, fin = false) => Buffer.concat([word(id), word(((fin ? 1 : 0) << 24) | text.length), Buffer.from(text)]);

/** An API server that accepts the upgrade and hands each unmasked byte of SPDY to `speak`. */
async function start(speak: (bytes: Buffer, send: (spdy: Buffer) => void, socket: Socket) => void, refuse?: string): Promise<{ server: string }> {
  server = createServer((socket) => {
    let head = "";
    let upgraded = false;
    socket.on("error", () => {}); // the client hangs up as it likes
    socket.on("data", (chunk: Buffer) => {
      if (upgraded) return unmask(chunk, (bytes) => speak(bytes, (spdy) => socket.write(serverFrame(spdy)), socket));
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      if (refuse) return void socket.end(refuse);
      upgraded = true;
      const key = /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? "";
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n\r\n`,
      );
    });
  });
  const listening = server.listen(0, "127.0.0.1");
  await new Promise((resolve) => listening.once("listening", resolve));
  const { port } = listening.address() as { port: number };
  return { server: `http://127.0.0.1:${port}` };
}

function unmask(chunk: Buffer, deliver: (bytes: Buffer) => void): void {
  for (let at = 0; at < chunk.length;) {
    const short = (chunk[at + 1] ?? 0) & 0x7f;
    const [length, head] = short === 126 ? [chunk.readUInt16BE(at + 2), 4] : [short, 2];
    const mask = chunk.subarray(at + head, at + head + 4);
    const start = at + head + 4;
    deliver(Buffer.from(chunk.subarray(start, start + length).map((byte, index) => byte ^ (mask[index & 3] ?? 0))));
    at = start + length;
  }
}

test("opens both streams, carries bytes and ends both ways, whatever the borders of messages", async () => {
  const parser = new SpdyFrameParser();
  const control: Buffer[] = [];
  const connection = await start((bytes, send) => {
    if ((bytes[0] ?? 0) & 0x80) control.push(bytes);
    for (const frame of parser.feed(bytes)) {
      if (frame.type !== "data" || frame.streamId !== 3) continue;
      if (frame.fin) send(data(3, "bye", true));
      else for (const byte of data(3, `echo ${frame.data}`)) send(Buffer.from([byte]));
    }
    if (control.length === 2 && control[1] === bytes) send(Buffer.concat([synReply(1), synReply(3)]));
  });
  const stream = await portForward(connection, "lab", "p", 15000);
  stream.write("hello");
  stream.end();
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  expect(text).toBe("echo hellobye");
  // The header blocks are one zlib stream with SPDY's dictionary announced; stored blocks need no dictionary to read.
  const raw = Buffer.concat(control.map((frame, index) => frame.subarray(18 + (index === 0 ? 6 : 0))));
  const plain = inflateSync(Buffer.concat([Buffer.from([0x78, 0x01]), raw]), { finishFlush: constants.Z_SYNC_FLUSH }).toString("latin1");
  expect(plain).toContain("streamtype\0\0\0\x05error");
  expect(plain).toContain("streamtype\0\0\0\x04data");
  expect(plain).toContain("15000");
});

test("a port that nobody listens on gives the pod's words, even when the reset comes first", async () => {
  let opened = 0;
  const connection = await start((bytes, send) => {
    if (!((bytes[0] ?? 0) & 0x80) || ++opened < 2) return;
    send(synReply(3));
    send(Buffer.concat([Buffer.from([0x80, 3, 0, 3, 0, 0, 0, 8]), word(3), word(5)]));
    send(data(1, "error forwarding port 1 to pod p", true));
  });
  const stream = await portForward(connection, "lab", "p", 1);
  const error = await new Promise<Error>((resolve) => stream.on("error", resolve));
  expect(error).toMatchObject({ code: "PORT_FORWARD_FAILED", message: "error forwarding port 1 to pod p" });
});

test("a refusal carries the server's Status", async () => {
  const body = JSON.stringify({ kind: "Status", reason: "NotFound", code: 404, message: 'pods "p" not found' });
  const chunked = `HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  for (const answer of [`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`, chunked]) {
    const connection = await start(() => {}, answer);
    await expect(portForward(connection, "lab", "p", 1)).rejects.toMatchObject({ code: "API_NOT_FOUND", status: 404, message: 'pods "p" not found' });
    server?.close();
  }
});

test("frames: lengths at their borders, and nonsense is refused", () => {
  for (const size of [0, 125, 126, 65535, 65536]) {
    const payload = Buffer.alloc(size, 7);
    const frame = encodeWebSocketFrame(2, payload);
    expect(frame.length).toBe(size + 6 + (size > 65535 ? 8 : size > 125 ? 2 : 0));
  }
  expect(() => new WebSocketFrameParser().feed(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 0]))).toThrow("masked");
  expect(() => new WebSocketFrameParser().feed(Buffer.from([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]))).toThrow("limit");
  expect(() => new SpdyFrameParser().feed(Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff]))).toThrow("limit");
  expect(new SynStreamEncoder().encode(1, { a: "b" }).subarray(0, 4)).toEqual(Buffer.from([0x80, 3, 0, 1]));
});
