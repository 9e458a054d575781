import type { Socket } from "bun";
import { whenAskedToEnd } from "../serve.ts";

/** A line longer than this has no end: its sender is let go. */
const MAX_LINE = 64 * 1024;

/** Answers each line on any of the ports with the line after a prefix. Its arguments: `9000,9001,9002 hello`. */
export function tcpEcho(args: readonly string[], print: (text: string) => void): { readonly ports: number[]; stop(): void } {
  const [list, prefix] = args;
  if (list === undefined || prefix === undefined) throw new Error("usage: tcp-echo PORT[,PORT...] PREFIX");
  const listeners = list.split(",").map((port) => {
    const listener = Bun.listen<Echo>({
      hostname: "0.0.0.0",
      port: Number(port),
      socket: {
        open(socket) {
          socket.data = { rest: "", unsent: [] };
        },
        data: (socket, chunk) => echo(socket, chunk, prefix, print),
        drain: flush,
        error() {},
      },
    });
    print(`listening on ${listener.hostname}:${listener.port}, prefix: ${prefix}\n`);
    return listener;
  });
  const stop = (): void => {
    for (const listener of listeners) listener.stop(true);
  };
  whenAskedToEnd(() => {
    stop();
    process.exit(0);
  });
  return { ports: listeners.map(({ port }) => port), stop };
}

interface Echo {
  /** The beginning of a line. */
  rest: string;
  /** Answers that the client has yet to make room for. It is not read from while there are any. */
  readonly unsent: Buffer[];
  /** The connection ends when they are sent. */
  ending?: true;
}

function echo(socket: Socket<Echo>, chunk: Buffer, prefix: string, print: (text: string) => void): void {
  const lines = (socket.data.rest + chunk.toString("latin1")).split("\n");
  socket.data.rest = lines.pop() as string;
  for (const line of lines) {
    print(`request: ${line}\n`);
    const answer = `${prefix} ${line}\n`;
    print(`response: ${answer}`);
    socket.data.unsent.push(Buffer.from(answer, "latin1"));
  }
  if (socket.data.rest.length > MAX_LINE) socket.data.ending = true;
  flush(socket);
}

function flush(socket: Socket<Echo>): void {
  const { unsent, ending } = socket.data;
  for (let first = unsent[0]; first; first = unsent[0]) {
    const written = socket.write(first);
    if (written < 0) return;
    if (written < first.length) {
      unsent[0] = first.subarray(written);
      socket.pause();
      return;
    }
    unsent.shift();
  }
  socket.resume();
  if (ending) socket.end();
}
