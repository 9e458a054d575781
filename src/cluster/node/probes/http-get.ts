import type { Duplex } from "node:stream";
import { ChainmailError } from "../../../base/index.ts";

/** The kubelet reads no more of a probe's answer; the text only serves an event's message. */
const MAX_BODY = 10 * 1024;
/** Status line and headers: larger ones come from no health page. */
const MAX_HEAD = 64 * 1024;

export interface HttpGetRequest {
  host: string;
  port: number;
  path: string;
  headers: { name: string; value: string }[];
}

/** One GET on a fresh connection, which it closes. Answers the status and the beginning of the body. */
export function httpGet(connection: Duplex, request: HttpGetRequest): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const finish = (ended: boolean) => {
      const parsed = parseAnswer(received, ended);
      if (parsed === undefined) {
        if (received.length > MAX_HEAD) fail(new ChainmailError("PROBE_ANSWER", "the answer's head is too long"));
        else if (ended) fail(new ChainmailError("PROBE_ANSWER", received.length === 0 ? "EOF" : "malformed HTTP response"));
        return;
      }
      connection.destroy();
      resolve(parsed);
    };
    const fail = (error: unknown) => {
      connection.destroy();
      reject(error);
    };
    connection.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      finish(false);
    });
    connection.on("end", () => finish(true));
    connection.on("close", () => finish(true));
    connection.on("error", fail);
    connection.write(requestText(request));
  });
}

function requestText({ host, port, path, headers }: HttpGetRequest): string {
  const given = new Map(headers.map(({ name, value }): [string, [string, string]] => [name.toLowerCase(), [name, value]]));
  const defaults: [string, string][] = [
    ["Host", port === 80 ? host : `${host}:${port}`],
    ["User-Agent", "kube-probe/1.33"],
    ["Accept", "*/*"],
  ];
  const lines = [...defaults.filter(([name]) => !given.has(name.toLowerCase())), ...given.values(), ["Connection", "close"]];
  // Names and values come from the pod's spec: a line break in one would be a second request.
  const clean = (text: string) => text.replace(/[\r\n\0]/g, "");
  const target = clean(path.startsWith("/") ? path : `/${path}`).replaceAll(" ", "%20");
  return `GET ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${clean(name ?? "")}: ${clean(value ?? "")}\r\n`).join("")}\r\n`;
}

/** Undefined while more is needed. Interim 1xx answers are skipped. */
function parseAnswer(received: Buffer, ended: boolean): { status: number; body: string } | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = received.subarray(0, end).toString("latin1");
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head)?.[1]);
  if (!status) return undefined;
  const rest = received.subarray(end + 4);
  if (status < 200) return parseAnswer(rest, ended);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const complete = ended || rest.length >= MAX_BODY || (length !== undefined && rest.length >= Number(length)) || status === 204 || status === 304;
  // A success needs no body: answer at once.
  return complete || status < 400 ? { status, body: rest.subarray(0, MAX_BODY).toString("utf8") } : undefined;
}
