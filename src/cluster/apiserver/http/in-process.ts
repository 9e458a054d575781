import type { Transport } from "../../../kube/index.ts";
import type { UserInfo } from "../types.ts";
import type { App } from "./app.ts";
import { type ApiResponse, MAX_BODY_BYTES, type Sink } from "./exchange.ts";
import { tooLarge } from "./status.ts";

/** How many bytes a reader in-process may leave unread before a watch waits for it. */
const HIGH_WATER_MARK = 64 << 10;

/** A Transport that calls the server without sockets, as one fixed user. */
export function inProcessTransport(app: App, user: UserInfo, userAgent: string): Transport {
  return async (path, init = {}) => {
    const url = new URL(path, "http://in-process");
    const headers = new Headers(init.headers);
    if (!headers.has("user-agent")) headers.set("user-agent", userAgent);
    const gone = new AbortController();
    init.signal?.throwIfAborted();
    const abort = () => gone.abort();
    init.signal?.addEventListener("abort", abort, { once: true });
    const answer = await app.handleAs(
      {
        method: init.method ?? "GET",
        path: url.pathname,
        query: url.searchParams,
        header: (name) => headers.get(name) ?? undefined,
        headers: () => headers,
        body: async () => bytesOf(init.body),
        signal: gone.signal,
      },
      user,
    );
    // Callers may use one signal for all their calls: only a stream needs to hear of it from now on.
    const forget = () => init.signal?.removeEventListener("abort", abort);
    if (answer.stream) gone.signal.addEventListener("abort", forget, { once: true });
    else forget();
    return toResponse(answer, gone, forget);
  };
}

async function bytesOf(body: RequestInit["body"]): Promise<Uint8Array> {
  if (body === undefined || body === null) return new Uint8Array();
  const bytes = typeof body === "string" ? Buffer.from(body) : new Uint8Array(await new Response(body).arrayBuffer());
  if (bytes.length > MAX_BODY_BYTES) throw tooLarge(`Request entity too large: limit is ${MAX_BODY_BYTES}`);
  return bytes;
}

function toResponse({ status, headers, body, stream }: ApiResponse, gone: AbortController, ended: () => void): Response {
  const fields = new Headers();
  for (const [name, value] of Object.entries(headers ?? {})) for (const one of [value].flat()) fields.append(name, one);
  if (!stream)
    return new Response(status === 204 || status === 304 ? null : (body as string | Uint8Array<ArrayBuffer> | undefined), { status, headers: fields });
  let drained: (() => void) | undefined;
  const readable = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let open = true;
        const close = () => {
          if (!open) return;
          open = false;
          ended();
          try {
            controller.close();
          } catch {
            // The reader cancelled it first.
          }
        };
        gone.signal.addEventListener("abort", close, { once: true });
        const sink: Sink = {
          write(chunk) {
            if (!open) return true;
            controller.enqueue(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
            return (controller.desiredSize ?? 0) > 0;
          },
          onDrain: (callback) => (drained = callback),
          end: close,
        };
        stream(sink, gone.signal);
      },
      pull() {
        const callback = drained;
        drained = undefined;
        callback?.();
      },
      cancel: () => gone.abort(),
    },
    { highWaterMark: HIGH_WATER_MARK, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return new Response(readable, { status, headers: fields });
}
