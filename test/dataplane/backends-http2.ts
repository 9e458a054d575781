import type { TLSSocket } from "node:tls";
import { createSecureServer, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { describeRequest, type Attempts } from "./backends.ts";

/** An HTTP/2 backend that echoes, in the clear or over TLS with ALPN h2; `allowHTTP1`: it serves who asks for that too. */
export async function startHttp2Backend(
  name: string,
  attempts: Attempts,
  tls?: { cert: string; key: string; ca: string; allowHTTP1?: boolean },
): Promise<{ port: number; stop: () => void }> {
  const server = tls ? createSecureServer({ ...tls, requestCert: true, rejectUnauthorized: false }) : createServer();
  server.on("stream", (stream, headers) => void answer(stream as ServerHttp2Stream, headers, name, attempts));
  server.on("sessionError", () => {});
  if (tls?.allowHTTP1) {
    server.on("request", (request, response) => {
      if (request.httpVersionMajor === 1)
        response.end(`${name}\n${request.method} ${request.url} HTTP/1\nalpn ${(request.socket as TLSSocket).alpnProtocol || "none"}`);
    });
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() };
}

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, name: string, attempts: Attempts): Promise<void> {
  let body = "";
  let trailers: [string, string][] = [];
  stream.on("error", () => {});
  stream.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
  stream.on("trailers", (found: IncomingHttpHeaders) => (trailers = list(found)));
  await new Promise<void>((resolve) => stream.on("end", resolve).on("close", resolve));
  const want = attempts.want(headers["x-want"] as string | undefined, headers["x-request-id"] as string | undefined);
  if (want.delay) await Bun.sleep(want.delay);
  if (stream.destroyed) return;
  if (want.rst !== undefined) return void stream.close(want.rst);
  if (want.end === "before") return void stream.session?.destroy();
  const line = `${headers[":method"]} ${headers[":path"]} HTTP/2 ${headers[":scheme"]} ${headers[":authority"]}`;
  const text =
    want.body ??
    describeRequest(
      name,
      line,
      list(headers).filter(([key]) => !key.startsWith(":")),
      body,
      trailers,
    );
  const grpc = String(headers["content-type"] ?? "").startsWith("application/grpc");
  const out: Record<string, string | number | string[]> = { ":status": want.status ?? 200, ...(grpc && { "content-type": "application/grpc" }) };
  for (const [key, value] of want.headers ?? []) out[key] = value;
  const last = want.trailers ?? (grpc && !want.headersOnly ? ([["grpc-status", "0"]] as const) : []);
  if (want.headersOnly) return void stream.respond(out, { endStream: true });
  stream.respond(out, { waitForTrailers: last.length > 0 });
  stream.on("wantTrailers", () => stream.sendTrailers(Object.fromEntries(last)));
  if (want.bodyDelay) await Bun.sleep(want.bodyDelay);
  if (want.end === "in-body") {
    stream.write(text.slice(0, 5));
    await Bun.sleep(30);
    return void stream.close(2);
  }
  if (want.chunks) for (const chunk of want.chunks) stream.write(chunk);
  stream.end(want.chunks ? undefined : text);
}

function list(headers: IncomingHttpHeaders): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    Array.isArray(value) ? value.map((each): [string, string] => [name, each]) : value === undefined ? [] : [[name, String(value)]],
  );
}
