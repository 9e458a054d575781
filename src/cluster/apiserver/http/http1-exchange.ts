import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import { errorText, type Logger } from "../../../base/index.ts";
import type { Credentials } from "../auth/authenticator.ts";
import type { App, Incoming } from "./app.ts";
import { ClientPresence } from "./client-presence.ts";
import { encodeAnswer } from "./encode-answer.ts";
import { peerCertificate } from "./peer-certificate.ts";
import { readBody } from "./read-body.ts";

export type Http1Request = IncomingMessage & { socket: TLSSocket };

/** Answers one request of HTTP/1.1. Never rejects. */
export async function serveHttp1(app: App, log: Logger, request: Http1Request, response: ServerResponse): Promise<void> {
  const presence = new ClientPresence();
  response.on("close", () => presence.leave());
  response.on("error", () => presence.leave());
  try {
    const incoming = incomingOf(request, presence);
    const answer = await app.handle(incoming, credentialsOf(request));
    const encoded = encodeAnswer(incoming.method, incoming.header, answer);
    const { headers, body } = encoded instanceof Promise ? await encoded : encoded;
    if (presence.gone) return;
    response.statusCode = answer.status;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (answer.stream) {
      response.flushHeaders();
      answer.stream(
        { write: (chunk) => response.write(chunk), onDrain: (callback) => response.once("drain", callback), end: () => response.end() },
        presence.signal,
      );
    } else if (body) response.end(body);
    else response.end();
  } catch (error) {
    log.error("response failed", { error: errorText(error) });
    response.destroy();
  }
}

export function incomingOf(request: IncomingMessage, presence: ClientPresence): Incoming {
  const { method = "GET", url = "/", headers } = request;
  const at = url.indexOf("?");
  let body: Promise<Uint8Array> | undefined;
  return {
    method,
    path: at < 0 ? url : url.slice(0, at),
    query: new URLSearchParams(at < 0 ? "" : url.slice(at + 1)),
    header(name) {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    headers: () =>
      Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
      ),
    body: () => (body ??= readBody(request, headers["content-length"])),
    get signal() {
      return presence.signal;
    },
  };
}

export function credentialsOf({ socket, headers }: Http1Request): Credentials {
  const certificate = peerCertificate(socket, () => socket);
  return { ...(certificate ? { certificate } : {}), ...(headers.authorization ? { authorization: headers.authorization } : {}) };
}
