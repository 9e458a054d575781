import { errorText, type Logger } from "../../base/index.ts";

/** Sends one kind of event to a page: `data` is JSON. */
export type Send = (event: string, data: unknown) => void;

/** Called when a page opens its stream; returns what ends its subscriptions. */
export type Subscribe = (send: Send) => () => void;

/** Proxies and tunnels drop connections that are silent for a minute or so. */
const KEEP_ALIVE_MS = 15_000;
/** A page that does not read (a tunnel that stalled) must not fill the memory: it is cut off and comes again. */
const MAX_WAITING_EVENTS = 256;

/** One server-sent-event stream: everything that a page shows live comes over it. https://html.spec.whatwg.org/multipage/server-sent-events.html */
export function eventStream(subscribe: Subscribe, log: Logger): Response {
  let end: () => void = () => {};
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const encoder = new TextEncoder();
        const write = (text: string) => {
          try {
            if ((controller.desiredSize ?? 0) < -MAX_WAITING_EVENTS) throw new Error("the page does not read");
            controller.enqueue(encoder.encode(text));
          } catch {
            // The page has gone or is stuck: whichever it is, it is left alone from here on.
            end();
          }
        };
        const timer = setInterval(() => write(": still here\n\n"), KEEP_ALIVE_MS);
        let unsubscribe: () => void = () => {};
        let ended = false;
        end = () => {
          end = () => {};
          ended = true;
          clearInterval(timer);
          unsubscribe();
          try {
            controller.close();
          } catch {
            // It was the reader that closed it.
          }
        };
        try {
          // The page knows from this that the server is there, before there is any news.
          write("retry: 1000\n\n");
          unsubscribe = subscribe((event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
          if (ended) unsubscribe();
        } catch (thrown) {
          log.error("live stream failed", { error: errorText(thrown) });
          end();
        }
      },
      cancel: () => end(),
    },
    new CountQueuingStrategy({ highWaterMark: 1 }),
  );
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
}
