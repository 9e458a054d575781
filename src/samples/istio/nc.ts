import type { Socket } from "bun";

/** Takes pieces of standard input and gives pieces of standard output. */
export interface NcStreams {
  readonly input: AsyncIterable<Uint8Array>;
  write(chunk: Uint8Array): void;
  complain(line: string): void;
}

const USAGE = "usage: nc [-z] [-v] [-w SECONDS] HOST PORT";
/** Without -w: as long as it takes. */
const NO_LIMIT = 0;

/**
 * The netcat of BusyBox, as far as tasks use it from curl's image: standard input to the host, its answer to standard
 * output until it ends. Resolves with the exit code: 0 when it was connected, 1 when not, or when it was cut off.
 */
export async function nc(args: readonly string[], { input, write, complain }: NcStreams): Promise<number> {
  const rest: string[] = [];
  let [probe, verbose, limitS] = [false, false, NO_LIMIT];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    if (arg === "-w") limitS = Number(args[++at]);
    else if (/^-[zvnN]+$/.test(arg)) [probe, verbose] = [probe || arg.includes("z"), verbose || arg.includes("v")];
    else rest.push(arg);
  }
  const [hostname, port] = rest;
  if (hostname === undefined || !/^\d+$/.test(port ?? "") || !(limitS >= 0)) {
    complain(USAGE);
    return 1;
  }
  const ended = Promise.withResolvers<number>();
  const timer = limitS > 0 ? setTimeout(() => ended.resolve(1), limitS * 1000) : undefined;
  const drained: (() => void)[] = [];
  try {
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      allowHalfOpen: true,
      socket: {
        data: (_socket, chunk) => write(chunk),
        drain: () => void drained.splice(0).forEach((go) => go()),
        end: () => ended.resolve(0),
        close: (_socket, error) => ended.resolve(error ? 1 : 0),
        error: () => ended.resolve(1),
      },
    });
    if (verbose) complain(`${hostname} (${socket.remoteAddress}:${port}) open`);
    if (!probe) void send(socket, input, () => new Promise((go) => drained.push(go)));
    const code = probe ? 0 : await ended.promise;
    socket.end();
    return code;
  } catch {
    complain(`nc: ${hostname} (${port}): Connection refused`);
    return 1;
  } finally {
    clearTimeout(timer);
  }
}

async function send(socket: Socket, input: AsyncIterable<Uint8Array>, drained: () => Promise<void>): Promise<void> {
  for await (const chunk of input) {
    for (let at = 0; at < chunk.length;) {
      const taken = socket.write(chunk, at);
      if (taken < 0) return;
      at += taken;
      if (at < chunk.length) await drained();
    }
  }
  // The other side may go on.
  socket.shutdown();
}
