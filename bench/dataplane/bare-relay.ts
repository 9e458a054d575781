/**
 * What Bun itself costs: one of two hops that relay bytes as the proxies do (role `client`: plain text in, mutual TLS out;
 * role `server`: the other way round) with back-pressure, and do nothing else: no HTTP, no choice, no log. Started with
 * role, port to listen on, port to connect to, certificate, key and root.
 */
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { setSocketOption, SocketOption } from "../../src/linux/index.ts";

/** A socket, with its other end in the relay once that is open. */
interface Bare {
  readonly fd: number;
  data: End;
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  end(): void;
  upgradeTLS(options: object): [Bare, Bare];
}

interface End {
  peer: Bare | undefined;
  /** What the peer did not take, or what came before there was one. */
  readonly held: Uint8Array[];
}

const [role = "", listenPort = "", connectPort = "", certificate = "", key = "", root = ""] = process.argv.slice(2);
const secureContext = (
  createSecureContext({
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ca: readFileSync(root),
    requestCert: true,
    rejectUnauthorized: role === "server",
  } as object) as unknown as { context: object }
).context;
const nothing = () => {};
/** The two things that were found to help, which the proxy does too: little read ahead, and memory given back at once. */
const READ_AHEAD = 256 * 1024;
const GIVE_BACK_FROM = 16 * 1024;
const limit = (socket: Bare): void => setSocketOption(socket.fd, SocketOption.RECEIVE_BUFFER, READ_AHEAD);

const events = {
  binaryType: "buffer",
  open: nothing,
  data(socket: Bare, chunk: Buffer) {
    const { peer, held } = socket.data;
    const taken = peer && held.length === 0 ? Math.max(peer.write(chunk), 0) : 0;
    if (taken === chunk.length) {
      if (taken >= GIVE_BACK_FROM) (chunk.buffer as ArrayBuffer).transfer(0);
      return;
    }
    held.push(chunk.subarray(taken));
    socket.pause();
  },
  drain(socket: Bare) {
    const { peer } = socket.data;
    if (peer) send(peer);
  },
  end: (socket: Bare) => socket.data.peer?.end(),
  close: (socket: Bare) => socket.data.peer?.end(),
  error: nothing,
};

/** Writes what this end has held back for the other. */
function send(from: Bare): void {
  const { peer, held } = from.data;
  for (let chunk = held[0]; peer && chunk; chunk = held[0]) {
    const taken = Math.max(peer.write(chunk), 0);
    if (taken < chunk.length) {
      held[0] = chunk.subarray(taken);
      return;
    }
    held.shift();
  }
  from.resume();
}

function relay(accepted: Bare): void {
  accepted.data = { peer: undefined, held: [] };
  const begin = (socket: Bare): void => {
    limit(socket);
    accepted.data.peer = socket;
    send(accepted);
  };
  const secure = role === "client";
  const opened = secure ? { handshake: begin } : { open: begin };
  const tls = { secureContext, rejectUnauthorized: false, servername: "server.bench" };
  const options = {
    hostname: "127.0.0.1",
    port: Number(connectPort),
    allowHalfOpen: true,
    data: { peer: accepted, held: [] },
    ...(secure && { tls }),
    socket: { ...events, ...opened },
  };
  void (Bun as unknown as { connect(options: object): Promise<unknown> }).connect(options);
}

const accepting =
  role === "client"
    ? { ...events, open: relay }
    : {
        ...events,
        data(socket: Bare, chunk: Buffer) {
          if (socket.data) return;
          socket.data = { peer: undefined, held: [] };
          socket.upgradeTLS({
            isServer: true,
            initialData: chunk,
            data: undefined,
            tls: { secureContext, requestCert: true, rejectUnauthorized: true },
            socket: { ...events, handshake: relay },
          });
        },
        drain: nothing,
        end: nothing,
        close: nothing,
      };

(Bun as unknown as { listen(options: object): unknown }).listen({ hostname: "127.0.0.1", port: Number(listenPort), allowHalfOpen: true, socket: accepting });
console.log("ready");
