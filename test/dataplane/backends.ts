import type { Socket } from "bun";
import { networkInterfaces } from "node:os";
import { startGrpcAuthorizer } from "./backends-authz.ts";
import { startHttp2Backend } from "./backends-http2.ts";
import type { CertificateFiles } from "./certificates.ts";
import type { Want } from "./row.ts";
import { TOKENS } from "./tokens.ts";

/** What stands behind a proxy: a port by each name. Each side has a set of its own, so that neither sees the other's state. */
export interface Backends {
  readonly ports: ReadonlyMap<string, number>;
  stop(): void;
}

interface Connection {
  input: Buffer;
  busy: boolean;
  ended: boolean;
  /** Bytes beyond what the socket took at once. */
  output: Buffer;
  closeWhenWritten: boolean;
}

export async function startBackends(certificates: CertificateFiles, root: string): Promise<Backends> {
  const ports = new Map<string, number>();
  const stops: (() => void)[] = [];
  const attempts = new Attempts();
  const listen = (name: string, handler: Handler, tls?: object): void => {
    const server = Bun.listen<Connection>({ hostname: "127.0.0.1", port: 0, allowHalfOpen: true, ...(tls && { tls }), socket: handlers(handler, name) });
    ports.set(name, server.port);
    stops.push(() => server.stop(true));
  };
  for (const name of ["echo", "echo2", "echo3", "echo4"]) listen(name, (socket) => serve(socket, name, attempts));
  listen("tcp", (socket) => {
    // Sends back what it gets.
    const { data } = socket;
    write(socket, data.input);
    data.input = Buffer.alloc(0);
    if (data.ended) finish(socket);
  });
  listen("authz", (socket) => serveAuthorization(socket));
  listen("jwks", (socket) => {
    if (takeRequest(socket.data)) write(socket, Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${TOKENS.jwks.length}\r\n\r\n${TOKENS.jwks}`));
  });
  listen("banner", (socket) => void (socket.data.input = Buffer.alloc(0)));
  listen("close", (socket) => void socket.end());
  listen("reset", (socket) => void socket.terminate());
  listen("silent", () => {});
  const pair = certificates.get("server")!;
  const tls = { cert: pair.cert, key: pair.key, ca: root, requestCert: true, rejectUnauthorized: false };
  listen("tls", (socket) => serve(socket, "tls", attempts), tls);
  listen("mtls", (socket) => serve(socket, "mtls", attempts), { ...tls, rejectUnauthorized: true });
  listen("tls-one", (socket) => serve(socket, "tls-one", attempts), { ...tls, ALPNProtocols: "http/1.1" });
  const strange = certificates.get("stranger")!;
  listen("strange-tls", (socket) => serve(socket, "strange-tls", attempts), { cert: strange.cert, key: strange.key });
  for (const name of ["h2", "h2-2"]) {
    const server = await startHttp2Backend(name, attempts);
    ports.set(name, server.port);
    stops.push(server.stop);
  }
  for (const name of ["tls-h2", "tls-both"]) {
    const secure = await startHttp2Backend(name, attempts, { cert: pair.cert, key: pair.key, ca: root, allowHTTP1: name === "tls-both" });
    ports.set(name, secure.port);
    stops.push(secure.stop);
  }
  const authorizer = await startGrpcAuthorizer();
  ports.set("authz-grpc", authorizer.port);
  stops.push(authorizer.stop);
  ports.set("closed", closedPort());
  if (hasIpv6()) {
    const server = Bun.listen<Connection>({
      hostname: "::1",
      port: 0,
      allowHalfOpen: true,
      socket: handlers((socket) => serve(socket, "echo6", attempts), "echo6"),
    });
    ports.set("echo6", server.port);
    stops.push(() => server.stop(true));
    for (const name of ["listener6", "listener6-2", "listener6-3"]) ports.set(name, closedPort("::1"));
  }
  return {
    ports,
    stop: () => {
      for (const stop of stops) stop();
    },
  };
}

/** Which attempt of a request this is: retries keep the request's id. */
export class Attempts {
  readonly #seen = new Map<string, number>();
  /** Mirrored requests, by their x-key; without x-forwarded-for, which ends with this machine's own address. */
  readonly shadows = new Map<string, string>();

  want(text: string | undefined, requestId: string | undefined): Want {
    if (text === undefined) return {};
    const wants = [JSON.parse(text) as Want | Want[]].flat();
    const key = `${requestId} ${text}`;
    const attempt = this.#seen.get(key) ?? 0;
    this.#seen.set(key, attempt + 1);
    return wants[Math.min(attempt, wants.length - 1)] ?? {};
  }
}

/** The body of an echo: what came, in a form that two runs can be compared in. */
export function describeRequest(
  by: string,
  line: string,
  headers: readonly (readonly [string, string])[],
  body: string,
  trailers: readonly (readonly [string, string])[],
  more: string[] = [],
): string {
  const listed = (all: readonly (readonly [string, string])[]): string[] =>
    all
      .filter(([name]) => name.toLowerCase() !== "x-want")
      .map(([name, value]) => `${name}: ${value}`)
      .sort();
  const shown = body.length > 300 ? `(${body.length} bytes)` : body;
  return [by, line, ...listed(headers), ...more, ...(shown === "" ? [] : ["", shown]), ...(trailers.length > 0 ? ["", ...listed(trailers)] : [])].join("\n");
}

type Handler = (socket: Socket<Connection>) => void;

function handlers(handler: Handler, name: string): Bun.SocketHandler<Connection> {
  return {
    binaryType: "buffer",
    open(socket) {
      socket.data = { input: Buffer.alloc(0), busy: false, ended: false, output: Buffer.alloc(0), closeWhenWritten: false };
      if (name === "banner") write(socket, Buffer.from("220 ready\n"));
      if (name === "close" || name === "reset") handler(socket);
    },
    data(socket, chunk) {
      socket.data.input = Buffer.concat([socket.data.input, chunk as Buffer]);
      handler(socket);
    },
    drain: flush,
    end(socket) {
      socket.data.ended = true;
      if (name === "tcp") handler(socket);
      else if (!socket.data.busy) socket.end();
    },
    close() {},
    error() {},
  };
}

function write(socket: Socket<Connection>, bytes: Buffer): void {
  socket.data.output = Buffer.concat([socket.data.output, bytes]);
  flush(socket);
}

function flush(socket: Socket<Connection>): void {
  const { data } = socket;
  if (data.output.length > 0) data.output = data.output.subarray(Math.max(0, socket.write(data.output)));
  if (data.output.length === 0 && data.closeWhenWritten) socket.end();
}

function finish(socket: Socket<Connection>): void {
  socket.data.closeWhenWritten = true;
  flush(socket);
}

/** Reads one request after the other and answers each. */
function serve(socket: Socket<Connection>, name: string, attempts: Attempts): void {
  const { data } = socket;
  if (data.busy) return;
  const request = takeRequest(data);
  if (!request) return;
  data.busy = true;
  void answer(socket, name, request, attempts).then(() => {
    data.busy = false;
    if (data.ended) finish(socket);
    else serve(socket, name, attempts);
  });
}

/** An authorization service: allows, unless the request asks for something else. What it was asked is the body of a denial. */
function serveAuthorization(socket: Socket<Connection>): void {
  const request = takeRequest(socket.data);
  if (!request) return;
  const want = request.headers.find(([name]) => name.toLowerCase() === "x-authz-want")?.[1];
  const answers: Record<string, string> = {
    add: "HTTP/1.1 200 OK\r\nx-authz-user: joe\r\nx-other: not for the upstream\r\n",
    deny: "HTTP/1.1 403 Forbidden\r\nx-deny-why: policy\r\nx-other: not for the client\r\n",
    unauthorized: "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic\r\nx-deny-why: nobody\r\n",
    error: "HTTP/1.1 500 Error\r\n",
  };
  const head = answers[want ?? ""] ?? "HTTP/1.1 200 OK\r\n";
  const body = want === "deny" ? describeRequest("authz", request.line, request.headers, request.body, []) : "";
  write(socket, Buffer.from(`${head}content-length: ${body.length}\r\n\r\n${body}`));
}

interface Received {
  readonly line: string;
  readonly headers: [string, string][];
  readonly body: string;
  readonly trailers: [string, string][];
  /** What came after an upgrade is not read as HTTP. */
  readonly upgrade: boolean;
}

async function answer(socket: Socket<Connection>, name: string, request: Received, attempts: Attempts): Promise<void> {
  const header = (wanted: string): string | undefined => request.headers.find(([key]) => key.toLowerCase() === wanted)?.[1];
  const want = attempts.want(header("x-want"), header("x-request-id"));
  if (header("host")?.includes("-shadow"))
    attempts.shadows.set(
      header("x-key") ?? "",
      describeRequest(
        name,
        request.line,
        request.headers.filter(([key]) => key !== "x-forwarded-for"),
        request.body,
        request.trailers,
      ),
    );
  if (want.delay) await Bun.sleep(want.delay);
  if (want.end === "before") return void socket.end();
  if (want.end === "reset-before") return void socket.terminate();
  if (want.raw !== undefined) {
    write(socket, Buffer.from(want.raw, "latin1"));
    if (want.end === "after") finish(socket);
    return;
  }
  for (const status of want.informational ?? []) write(socket, Buffer.from(`HTTP/1.1 ${status} Hint\r\nx-hint: ${status}\r\n\r\n`));
  if (request.upgrade && want.status === undefined) {
    write(
      socket,
      Buffer.from(
        request.line.startsWith("CONNECT")
          ? "HTTP/1.1 200 OK\r\n\r\n"
          : `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${header("upgrade")}\r\n\r\n`,
      ),
    );
    // From here on it sends back what it gets, behind a mark.
    for (;;) {
      const { data } = socket;
      if (data.input.includes("bye")) return finish(socket);
      if (data.input.length > 0) {
        write(socket, Buffer.concat([Buffer.from("echo:"), data.input]));
        data.input = Buffer.alloc(0);
      }
      if (data.ended || socket.readyState <= 0) return;
      await Bun.sleep(5);
    }
  }
  const peer = (socket as unknown as { getPeerX509Certificate?: () => { subjectAltName?: string } | undefined }).getPeerX509Certificate;
  const tls = name.includes("tls")
    ? [
        `tls: peer ${peer?.call(socket)?.subjectAltName ?? "none"} sni ${(socket as unknown as { getServername?: () => string }).getServername?.() ?? "none"} alpn ${socket.alpnProtocol || "none"}`,
      ]
    : [];
  const recalled = want.recall === undefined ? undefined : (attempts.shadows.get(want.recall) ?? "nothing");
  const body = want.headersOnly ? "" : (want.body ?? recalled ?? describeRequest(name, request.line, request.headers, request.body, request.trailers, tls));
  const status = want.status ?? 200;
  const bodyless = request.line.startsWith("HEAD ") || status === 204 || status === 304;
  const chunked = want.chunks !== undefined || want.trailers !== undefined;
  const named = new Set(want.headers?.map(([key]) => key.toLowerCase()));
  const head = [`HTTP/1.1 ${status} Status`, ...(want.headers ?? []).map(([key, value]) => `${key}: ${value}`)];
  if (chunked) head.push("transfer-encoding: chunked");
  else if (!named.has("content-length") && !bodyless && want.end !== "after") head.push(`content-length: ${Buffer.byteLength(body)}`);
  if (want.end === "in-head") {
    write(socket, Buffer.from(head.join("\r\n")));
    return finish(socket);
  }
  write(socket, Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"));
  if (want.bodyDelay) await Bun.sleep(want.bodyDelay);
  if (bodyless) return;
  if (want.end === "in-body" || want.end === "reset-in-body") {
    write(socket, Buffer.from(body.slice(0, 5)));
    await Bun.sleep(30);
    return void (want.end === "in-body" ? finish(socket) : socket.terminate());
  }
  if (chunked) {
    for (const chunk of want.chunks ?? [body]) write(socket, Buffer.from(`${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`));
    write(socket, Buffer.from(`0\r\n${(want.trailers ?? []).map(([key, value]) => `${key}: ${value}\r\n`).join("")}\r\n`));
  } else write(socket, Buffer.from(body));
  if (want.end === "after") finish(socket);
}

function takeRequest(data: Connection): Received | undefined {
  const text = data.input.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [line = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map(pair);
  const header = (name: string): string | undefined => headers.find(([key]) => key.toLowerCase() === name)?.[1];
  let at = end + 4;
  const upgrade = line.startsWith("CONNECT ") || header("upgrade") !== undefined;
  let body = "";
  const trailers: [string, string][] = [];
  if (upgrade) {
    // Its bytes come later.
  } else if (header("transfer-encoding") !== undefined) {
    for (;;) {
      const next = text.indexOf("\r\n", at);
      if (next < 0) return undefined;
      const size = Number.parseInt(text.slice(at, next), 16);
      at = next + 2;
      if (size === 0) break;
      if (text.length < at + size + 2) return undefined;
      body += text.slice(at, at + size);
      at += size + 2;
    }
    for (;;) {
      const next = text.indexOf("\r\n", at);
      if (next < 0) return undefined;
      const trailer = text.slice(at, next);
      at = next + 2;
      if (trailer === "") break;
      trailers.push(pair(trailer));
    }
  } else {
    const length = Number(header("content-length") ?? 0);
    if (text.length < at + length) return undefined;
    body = text.slice(at, at + length);
    at += length;
  }
  data.input = data.input.subarray(at);
  return { line, headers, body, trailers, upgrade };
}

function pair(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

/** Whether this machine has IPv6 on its loopback. */
export function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
}

function closedPort(hostname = "127.0.0.1"): number {
  const server = Bun.listen({ hostname, port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}
