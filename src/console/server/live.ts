import { errorText, type Logger } from "../../base/index.ts";

/** Sends one kind of event to a page: `data` is JSON. */
export type Send = (event: string, data: unknown) => void;

export interface LiveSource {
  /** Called when a page opens its stream; returns what ends its subscriptions. */
  subscribe(send: Send): () => void;
}

/** Proxies and tunnels drop connections that are silent for a minute or so. */
const KEEP_ALIVE_MS = 15_000;

/** One server-sent-event stream: everything that a page shows live comes over it. https://html.spec.whatwg.org/multipage/server-sent-events.html */
export function eventStream(source: LiveSource, log: Logger, headers: Record<string, string>): Response {
  let end: () => void = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const encoder = new TextEncoder();
      const write = (text: string) => {
        try {
          controller.enqueue(encoder.encode(text));
        } catch {
          // The page has gone; `cancel` follows.
          end();
        }
      };
      const timer = setInterval(() => write(": still here\n\n"), KEEP_ALIVE_MS);
      let unsubscribe: () => void = () => {};
      end = () => {
        clearInterval(timer);
        unsubscribe();
        end = () => {};
      };
      try {
        unsubscribe = source.subscribe((event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
      } catch (thrown) {
        log.error("live stream failed", { error: errorText(thrown) });
        controller.close();
      }
    },
    cancel: () => end(),
  });
  return new Response(body, { headers: { ...headers, "content-type": "text/event-stream", "cache-control": "no-store" } });
}
