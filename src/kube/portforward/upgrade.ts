import { createHash, randomBytes } from "node:crypto";
import { connect as connectTcp, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { ChainmailError } from "../../base/index.ts";
import { errorFromResponse } from "../errors.ts";
import { bearerToken, type HttpsTransportOptions } from "../https-transport.ts";

/** A response head beyond this is none. */
const MAX_HEAD = 64 * 1024;
/** A refusal is a Status object; whatever else comes is cut here. */
const MAX_BODY = 64 * 1024;
/** RFC 6455, section 1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CONNECT_WITHIN_MS = 15_000;

/** An upgraded connection, and what came with the answer's last bytes. */
export interface Upgraded {
  socket: Duplex;
  head: Buffer;
}

/**
 * Opens a WebSocket with `protocol` at `path`. It does so on a socket of its own, because the runtime's WebSocket refuses
 * Kubernetes' subprotocol names. Throws ApiError with the server's Status when it refuses.
 */
export async function openWebSocket(connection: HttpsTransportOptions, path: string, protocol: string): Promise<Upgraded> {
  const server = new URL(connection.server);
  const socket = await connectSocket(connection, server);
  try {
    const key = randomBytes(16).toString("base64");
    const token = bearerToken(connection)();
    const lines = [
      `GET ${server.pathname.replace(/\/$/, "")}${path} HTTP/1.1`,
      `Host: ${server.host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${key}`,
      `Sec-WebSocket-Protocol: ${protocol}`,
      ...(token ? [`Authorization: Bearer ${token}`] : []),
      ...(connection.userAgent ? [`User-Agent: ${connection.userAgent}`] : []),
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    const answer = await readHead(socket);
    if (answer.status !== 101) throw await refusal(socket, answer);
    const accept = createHash("sha1")
      .update(key + WEBSOCKET_GUID)
      .digest("base64");
    if (answer.headers.get("sec-websocket-accept") !== accept || answer.headers.get("sec-websocket-protocol") !== protocol) {
      throw new ChainmailError("WEBSOCKET_HANDSHAKE", `${connection.server} did not accept ${protocol}: is it a Kubernetes API server?`);
    }
    return { socket, head: answer.rest };
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  }
}

function connectSocket(connection: HttpsTransportOptions, server: URL): Promise<Duplex> {
  const host = server.hostname.replace(/^\[|\]$/g, "");
  const port = Number(server.port || (server.protocol === "http:" ? 80 : 443));
  return new Promise((resolve, reject) => {
    const name = connection.serverName ?? (isIP(host) ? undefined : host);
    const socket =
      server.protocol === "http:"
        ? connectTcp({ host, port }, () => settle())
        : connectTls(
            {
              host,
              port,
              ALPNProtocols: ["http/1.1"],
              ...(name === undefined ? {} : { servername: name }),
              ...(connection.ca ? { ca: connection.ca } : {}),
              ...(connection.clientCert ? { cert: connection.clientCert } : {}),
              ...(connection.clientKey ? { key: connection.clientKey } : {}),
              rejectUnauthorized: connection.insecureSkipTlsVerify !== true,
            },
            () => settle(),
          );
    const timer = setTimeout(() => fail(new Error(`no answer within ${CONNECT_WITHIN_MS} ms`)), CONNECT_WITHIN_MS);
    const settle = () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    };
    const fail = (cause: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(
        new ChainmailError("API_UNREACHABLE", `cannot connect to the API server at ${connection.server}: ${cause.message}`, {
          cause,
          hint: "chainmail status",
        }),
      );
    };
    socket.once("error", fail);
  });
}

interface Head {
  status: number;
  headers: Headers;
  rest: Buffer;
}

function readHead(socket: Duplex): Promise<Head> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const stop = () => {
      socket.off("data", onData).off("error", fail).off("end", ended);
      socket.pause();
    };
    const fail = (cause: Error) => {
      stop();
      reject(new ChainmailError("API_CONNECTION_LOST", `the API server closed the connection: ${cause.message}`, { cause }));
    };
    const ended = () => fail(new Error("it ended before the answer"));
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf("\r\n\r\n");
      if (end < 0) {
        if (seen.length > MAX_HEAD) fail(new Error("its answer's head is too long"));
        return;
      }
      stop();
      const [line = "", ...fields] = seen.toString("latin1", 0, end).split("\r\n");
      const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1] ?? 0);
      const headers = new Headers();
      for (const field of fields) {
        const colon = field.indexOf(":");
        if (colon > 0) headers.append(field.slice(0, colon).trim(), field.slice(colon + 1).trim());
      }
      resolve({ status, headers, rest: seen.subarray(end + 4) });
    };
    socket.on("data", onData).on("error", fail).on("end", ended);
    socket.resume();
  });
}

/** The server's reason, out of a body with a length, in chunks, or until the end. */
async function refusal(socket: Duplex, { status, headers, rest }: Head): Promise<Error> {
  const chunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked";
  const length = headers.has("content-length") ? Number(headers.get("content-length")) : undefined;
  let body = rest;
  const complete = () => body.length >= MAX_BODY || (length !== undefined && body.length >= length) || (chunked && body.includes("0\r\n\r\n"));
  if (!complete()) {
    socket.resume();
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      body = Buffer.concat([body, chunk]);
      if (complete()) break;
    }
  }
  const text = chunked ? body.toString("utf8").replace(/(^|\r\n)[0-9a-fA-F]+\r\n/g, "") : body.subarray(0, length).toString("utf8");
  return errorFromResponse(new Response(text, { status: status >= 200 && status <= 599 ? status : 502 }));
}
