/** The load client of both servers: HTTP/2 with a client certificate, as client-go speaks it. */
import http2 from "node:http2";
import { nowMs } from "../controlplane/process-figures.ts";
import type { Access } from "./servers.ts";

export interface Call {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  body?: string;
  type?: string;
  /** Asks for a packed answer, which stays packed. */
  gzip?: boolean;
}

export interface Answer {
  status: number;
  bytes: number;
  ms: number;
  /** Only where it was asked for: decoding costs the client what it should not. */
  text: string;
}

/** One connection. */
export class Connection {
  readonly #session: http2.ClientHttp2Session;

  private constructor(session: http2.ClientHttp2Session) {
    this.#session = session;
  }

  static open({ url, ca, cert, key }: Access): Promise<Connection> {
    return new Promise((resolve, reject) => {
      // The connection's window must never be what slows a server down.
      const session = http2.connect(url, { ca, cert, key, settings: { initialWindowSize: 16 << 20, maxFrameSize: 1 << 20 } });
      session.once("error", reject);
      session.once("connect", () => {
        session.setLocalWindowSize(64 << 20);
        resolve(new Connection(session));
      });
    });
  }

  /** Rejects on an answer that is no success, with its text. */
  call(call: Call, wantsText = false): Promise<Answer> {
    const started = nowMs();
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": call.method,
        ":path": call.path,
        accept: "application/json",
        "user-agent": "bench/1.0 (linux/amd64)",
        ...(call.gzip ? { "accept-encoding": "gzip" } : {}),
        ...(call.body === undefined ? {} : { "content-type": call.type ?? "application/json" }),
      });
      let status = 0;
      let bytes = 0;
      const kept: Buffer[] = [];
      stream.on("response", (headers) => (status = Number(headers[":status"])));
      stream.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (wantsText || status >= 300) kept.push(chunk);
      });
      stream.on("end", () => {
        const text = Buffer.concat(kept).toString();
        if (status >= 200 && status < 300) resolve({ status, bytes, ms: nowMs() - started, text });
        else reject(new Error(`${call.method} ${call.path}: ${status} ${text}`));
      });
      stream.on("error", reject);
      stream.end(call.body);
    });
  }

  /** A watch: `onLines` hears how many events came. Resolves when the server has answered. */
  watch(path: string, onLines: (count: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({ ":method": "GET", ":path": path, accept: "application/json", "user-agent": "bench/1.0 (linux/amd64)" });
      stream.on("response", (headers) => (Number(headers[":status"]) === 200 ? resolve() : reject(new Error(`${path}: ${headers[":status"]}`))));
      stream.on("data", (chunk: Buffer) => onLines(linesIn(chunk)));
      stream.on("error", reject);
      stream.end();
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

/** Makes the calls with so many under way at once, spread over the connections. Answers in the order of the calls. */
export async function drive(connections: readonly Connection[], parallel: number, calls: readonly Call[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  let next = 0;
  const worker = async (index: number) => {
    const connection = connections[index % connections.length] as Connection;
    for (let at = next++; at < calls.length; at = next++) answers[at] = await connection.call(calls[at] as Call);
  };
  await Promise.all(Array.from({ length: parallel }, (_, index) => worker(index)));
  return answers;
}

function linesIn(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count++;
  return count;
}
