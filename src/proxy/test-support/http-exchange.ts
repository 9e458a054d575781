import { connect, type Socket } from "node:net";

export interface RawResponse {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  /** How the connection ended, or that it did not. */
  readonly end: "fin" | "reset" | "open";
  readonly raw: string;
}

/** Sends bytes as they are and reads until the response is complete, the connection ends, or nothing comes any more. */
export function exchange(port: number, request: string | Buffer, options: { waitMs?: number; untilClose?: boolean } = {}): Promise<RawResponse> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    let settled = false;
    const settle = (end: RawResponse["end"]): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.destroy();
      resolve(parse(Buffer.concat(chunks).toString("latin1"), end));
    };
    const timer = setTimeout(() => settle("open"), options.waitMs ?? 1000);
    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (!options.untilClose && complete(Buffer.concat(chunks).toString("latin1"))) settle("open");
    });
    socket.on("end", () => settle("fin"));
    socket.on("error", () => settle("reset"));
    socket.on("close", () => settle("fin"));
  });
}

export function get(port: number, path: string, host: string, headers: { [name: string]: string } = {}): Promise<RawResponse> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return exchange(port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${lines.join("")}\r\n`);
}

function complete(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const head = text.slice(0, end).toLowerCase();
  const length = /content-length: (\d+)/.exec(head);
  if (length) return text.length >= end + 4 + Number(length[1]);
  if (head.includes("transfer-encoding: chunked")) return text.endsWith("0\r\n\r\n");
  return /^http\/1.1 (204|304)/.test(head);
}

function parse(text: string, end: RawResponse["end"]): RawResponse {
  const split = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = (split < 0 ? text : text.slice(0, split)).split("\r\n");
  const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
  return { status: Number(first.split(" ")[1] ?? 0), headers, body: split < 0 ? "" : text.slice(split + 4), end, raw: text };
}
