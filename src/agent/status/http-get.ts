import { errorText } from "../../base/index.ts";

export interface HttpGetRequest {
  /** A connecting socket: where to is the caller's business. */
  readonly fd: number;
  readonly https: boolean;
  readonly host: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface HttpGetAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/**
 * One GET over a descriptor, HTTP/1.1 with `connection: close`. `fetch` cannot choose its source address, which is what
 * tells the agent's requests to the application from others. TLS is not verified: kubelets do not verify probes either.
 */
export function httpGet(request: HttpGetRequest): Promise<HttpGetAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpGetAnswer>();
  const chunks: Buffer[] = [];
  let size = 0;
  let socket: Bun.Socket | undefined;
  const fail = (reason: string): void => {
    clearTimeout(timer);
    reject(new Error(reason));
    socket?.terminate();
  };
  const timer = setTimeout(() => fail(`no answer within ${request.timeoutMs} ms`), request.timeoutMs);
  const finish = (): void => {
    clearTimeout(timer);
    const answer = parseAnswer(Buffer.concat(chunks));
    if (answer) resolve(answer);
    else reject(new Error("the application closed the connection without an HTTP answer"));
  };
  const send = (opened: Bun.Socket): void => {
    const headers = [["host", request.host], ["connection", "close"], ["user-agent", "kube-probe/1.33"], ["accept", "*/*"], ...request.headers];
    // CR and LF cannot come in: values are a manifest's, whose admission refuses them; better safe.
    const lines = headers.map(([name, value]) => `${name}: ${String(value).replace(/[\r\n]/g, "")}\r\n`).join("");
    opened.write(`GET ${request.path.replace(/[\s]/g, "%20")} HTTP/1.1\r\n${lines}\r\n`);
  };
  const handlers: Bun.SocketHandler<undefined, "buffer"> = {
    binaryType: "buffer",
    open(opened) {
      socket = opened;
      if (!request.https) send(opened);
    },
    handshake: (opened) => send(opened),
    data(open, bytes) {
      size += bytes.length;
      if (size > request.maxBytes) return fail(`answer above ${request.maxBytes} bytes`);
      chunks.push(Buffer.from(bytes));
      if (complete(Buffer.concat(chunks))) {
        finish();
        open.terminate();
      }
    },
    end: (ending) => void ending.end(),
    error: (_, error) => fail(error.message),
    connectError: (_, error) => fail(error.message),
    close: finish,
  };
  const options = {
    fd: request.fd,
    socket: handlers,
    ...(request.https && { tls: { rejectUnauthorized: false } }),
  } as unknown as Bun.TCPSocketConnectOptions<undefined>;
  Bun.connect(options).catch((error: unknown) => fail(errorText(error)));
  return promise;
}

function parseAnswer(bytes: Buffer): HttpGetAnswer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1];
  if (!status) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const rest = bytes.subarray(end + 4);
  return { status: Number(status), headers, body: headers.get("transfer-encoding")?.includes("chunked") ? dechunk(rest) : rest.toString("utf8") };
}

/** Whether the body has come whole, for servers that keep the connection open although asked not to. */
function complete(bytes: Buffer): boolean {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const head = bytes.toString("latin1", 0, end).toLowerCase();
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) return bytes.length - end - 4 >= Number(length);
  return head.includes("chunked") && bytes.subarray(-7).toString("latin1").endsWith("0\r\n\r\n");
}

function dechunk(bytes: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) break;
    const size = parseInt(bytes.toString("latin1", at, line), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
  return Buffer.concat(parts).toString("utf8");
}
