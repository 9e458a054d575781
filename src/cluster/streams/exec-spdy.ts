import type { Duplex } from "node:stream";
import type { ExecProcess } from "../runtime/types.ts";
import { StreamProtocolError } from "./errors.ts";
import { exitStatus, failureStatus, parseResize } from "./exec-status.ts";
import { SpdySession } from "./spdy/session.ts";
import type { SpdyStream } from "./spdy/stream.ts";

/** As the kubelet: a client that does not open its streams by then never will. */
const STREAMS_WITHIN_MS = 30_000;

export interface ExecStreamsWanted {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

type StreamType = "error" | "stdin" | "stdout" | "stderr" | "resize";

/** Serves a process by remotecommand v4 over SPDY, one stream a purpose, as kubectl before 1.31 asks for it. */
export async function serveExecSpdy(socket: Duplex, head: Uint8Array, process: ExecProcess, wanted: ExecStreamsWanted, command: string[]): Promise<void> {
  const streams = new Map<StreamType, SpdyStream>();
  const needed = neededStreams(wanted);
  const complete = Promise.withResolvers<void>();
  const session = new SpdySession(socket, (stream) => {
    const type = stream.headers["streamtype"];
    if (!isStreamType(type) || !needed.includes(type) || streams.has(type)) throw new StreamProtocolError(`unexpected stream of type ${type}`);
    streams.set(type, stream);
    session.accept(stream);
    if (streams.size === needed.length) complete.resolve();
  });
  const timer = setTimeout(() => complete.reject(new StreamProtocolError("the client did not open its streams in time")), STREAMS_WITHIN_MS);
  let finished = false;
  void session.ended.then(() => {
    complete.reject(new StreamProtocolError("the client went away"));
    if (!finished) process.kill();
  });
  session.feed(head);
  try {
    await complete.promise;
  } catch {
    process.kill();
    return session.close();
  } finally {
    clearTimeout(timer);
  }

  const input = streams.get("stdin");
  input?.on("data", (chunk: Buffer) => {
    const room = process.stdin?.write(chunk);
    if (!room) return;
    input.pause();
    void room.then(() => input.resume());
  });
  input?.on("end", () => process.stdin?.end());
  streams.get("resize")?.on("data", (chunk: Buffer) => {
    // One JSON object a line; several may come in one piece.
    for (const line of chunk.toString().split("\n")) {
      const size = parseResize(line);
      if (size) process.resize(size.columns, size.rows);
    }
  });

  let status: string;
  try {
    const [, , { exitCode }] = await Promise.all([
      pump(process.stdout, streams.get("stdout")),
      process.stderr && pump(process.stderr, streams.get("stderr")),
      process.exited,
    ]);
    status = exitStatus(exitCode, command);
  } catch (thrown) {
    status = failureStatus(thrown);
  }
  finished = true;
  const error = streams.get("error");
  await new Promise<void>((resolve) => {
    void session.ended.then(resolve);
    error?.end(status, resolve);
  });
  for (const stream of streams.values()) stream.end();
  session.close();
}

function neededStreams(wanted: ExecStreamsWanted): StreamType[] {
  const needed: StreamType[] = ["error"];
  if (wanted.stdin) needed.push("stdin");
  if (wanted.stdout) needed.push("stdout");
  if (wanted.stderr && !wanted.tty) needed.push("stderr");
  if (wanted.tty) needed.push("resize");
  return needed;
}

function isStreamType(type: string | undefined): type is StreamType {
  return type === "error" || type === "stdin" || type === "stdout" || type === "stderr" || type === "resize";
}

/** Reads to the end even when nobody wants it, lest the process blocks on a full pipe. */
async function pump(from: ReadableStream<Uint8Array>, to: SpdyStream | undefined): Promise<void> {
  for await (const chunk of from) {
    if (!to || to.destroyed) continue;
    if (!to.write(chunk)) await new Promise<void>((resolve) => to.once("drain", resolve).once("close", resolve));
  }
}
