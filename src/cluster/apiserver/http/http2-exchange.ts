import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import { errorText, type Logger } from "../../../base/index.ts";
import type { Credentials } from "../auth/authenticator.ts";
import type { App, Incoming } from "./app.ts";
import { ClientPresence } from "./client-presence.ts";
import { encodeAnswer } from "./encode-answer.ts";
import { peerCertificate } from "./peer-certificate.ts";
import { readBody } from "./read-body.ts";

/**
 * Answers one stream of HTTP/2. On the stream itself: the objects that imitate HTTP/1 would cost as much as a whole read.
 * `flags`: of the frame with the headers, which tells whether a body follows. Never rejects.
 */
export async function serveHttp2(app: App, log: Logger, stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number): Promise<void> {
  const presence = new ClientPresence();
  stream.on("close", () => presence.leave());
  stream.on("error", (error) => {
    log.debug("stream failed", { error: errorText(error) });
    presence.leave();
  });
  // As the HTTP/1 side does by itself: nothing else is expected of anybody.
  if (headers.expect === "100-continue") stream.additionalHeaders({ ":status": 100 });
  try {
    const incoming = incomingOf(stream, headers, flags, presence);
    const answer = await app.handle(incoming, credentialsOf(stream, headers));
    const encoded = encodeAnswer(incoming.method, incoming.header, answer);
    const { headers: fields, body } = encoded instanceof Promise ? await encoded : encoded;
    if (presence.gone || stream.destroyed) return;
    fields[":status"] = answer.status;
    // What was not read of the request is let pass: the stream ends once both sides have.
    stream.resume();
    if (answer.stream) {
      stream.respond(fields);
      answer.stream({ write: (chunk) => stream.write(chunk), onDrain: (callback) => stream.once("drain", callback), end: () => stream.end() }, presence.signal);
    } else if (body) {
      stream.respond(fields);
      stream.end(body);
    } else stream.respond(fields, { endStream: true });
  } catch (error) {
    log.error("response failed", { error: errorText(error) });
    stream.destroy();
  }
}

function incomingOf(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, presence: ClientPresence): Incoming {
  const url = String(headers[":path"] ?? "/");
  const at = url.indexOf("?");
  const bare = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  let body: Promise<Uint8Array> | undefined;
  return {
    method: String(headers[":method"] ?? "GET"),
    path: at < 0 ? url : url.slice(0, at),
    query: new URLSearchParams(at < 0 ? "" : url.slice(at + 1)),
    header: (name) => text(headers[name]),
    headers: () =>
      Object.entries(headers).flatMap(([name, value]): [string, string][] => (value === undefined || name.startsWith(":") ? [] : [[name, text(value) ?? ""]])),
    body: () => (body ??= bare ? Promise.resolve(new Uint8Array()) : readBody(stream, headers["content-length"])),
    get signal() {
      return presence.signal;
    },
  };
}

function credentialsOf({ session }: ServerHttp2Stream, { authorization }: IncomingHttpHeaders): Credentials {
  const certificate = session ? peerCertificate(session, () => session.socket as TLSSocket) : undefined;
  return { ...(certificate ? { certificate } : {}), ...(authorization ? { authorization } : {}) };
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}
