import type { Duplex } from "node:stream";
import type { ExecProcess } from "../runtime/types.ts";
import { exitStatus, failureStatus, parseResize } from "./exec-status.ts";
import { CLOSE, WebSocketConnection } from "./websocket/connection.ts";

/** Byte 0 of every message. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

/**
 * Serves a process by `v4.channel.k8s.io` or `v5.channel.k8s.io` (which adds the half-close `FF n`) on a socket whose 101
 * has been sent. Resolves when both the process and the connection have ended; a client that goes away kills it.
 */
export async function serveExecWebSocket(socket: Duplex, head: Uint8Array, process: ExecProcess, command: string[]): Promise<void> {
  let connected = true;
  const connection = new WebSocketConnection(socket, {
    onMessage(data) {
      const [channel] = data;
      const payload = data.subarray(1);
      if (channel === CHANNEL.stdin && payload.length > 0) {
        const room = process.stdin?.write(payload);
        if (room) {
          connection.pause();
          void room.then(() => connection.resume());
        }
      } else if (channel === CHANNEL.close && payload[0] === CHANNEL.stdin) process.stdin?.end();
      else if (channel === CHANNEL.resize) {
        const size = parseResize(payload.toString());
        if (size) process.resize(size.columns, size.rows);
      }
    },
    onEnd() {
      if (!connected) return;
      connected = false;
      process.kill();
    },
  });
  connection.feed(head);

  const pump = async (stream: ReadableStream<Uint8Array>, channel: number) => {
    for await (const chunk of stream) if (connected) await connection.send(message(channel, chunk));
  };
  let status: string;
  try {
    const [, , { exitCode }] = await Promise.all([
      pump(process.stdout, CHANNEL.stdout),
      process.stderr && pump(process.stderr, CHANNEL.stderr),
      process.exited,
    ]);
    status = exitStatus(exitCode, command);
  } catch (thrown) {
    status = failureStatus(thrown);
  }
  if (!connected) return;
  connected = false;
  await connection.send(message(CHANNEL.status, Buffer.from(status)));
  connection.close(CLOSE.normal);
}

function message(channel: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(payload.length + 1);
  bytes[0] = channel;
  bytes.set(payload, 1);
  return bytes;
}
