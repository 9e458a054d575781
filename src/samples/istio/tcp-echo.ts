import type { Socket } from "bun";
import { whenAskedToEnd } from "../serve.ts";

/** A line longer than this has no end: its sender is let go. */
const MAX_LINE = 64 * 1024;

/** Answers each line on any of the ports with the line after a prefix. Its arguments: `9000,9001,9002 hello`. */
export function tcpEcho(args: readonly string[], print: (text: string) => void): { readonly ports: number[]; stop(): void } {
  const [list, prefix] = args;
  if (list === undefined || prefix === undefined) throw new Error("usage: tcp-echo PORT[,PORT...] PREFIX");
  const listeners = list.split(",").map((port) => {
    const listener = Bun.listen<{ rest: string }>({
      hostname: "0.0.0.0",
      port: Number(port),
      socket: {
        open(socket) {
          socket.data = { rest: "" };
        },
        data: (socket, chunk) => echo(socket, chunk, prefix, print),
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

function echo(socket: Socket<{ rest: string }>, chunk: Buffer, prefix: string, print: (text: string) => void): void {
  const lines = (socket.data.rest + chunk.toString("latin1")).split("\n");
  socket.data.rest = lines.pop() as string;
  for (const line of lines) {
    print(`request: ${line}\n`);
    const answer = `${prefix} ${line}\n`;
    print(`response: ${answer}`);
    socket.write(Buffer.from(answer, "latin1"));
  }
  if (socket.data.rest.length > MAX_LINE) socket.end();
}
