/** How long SIGTERM waits for requests under way; below Kubernetes' default grace of 30 s. */
const DRAIN_MS = 25_000;
/** More than anybody posts to an example, and a few of them at once fit into a pod. */
const MAX_BODY_BYTES = 16 << 20;

export interface ServeOptions {
  readonly hostname?: string;
  readonly port: number;
  readonly handler: Handler;
  /** Told when the program is asked to end. */
  readonly onStop?: () => void;
}

/** `client` tells the caller's address. */
export type Handler = (request: Request, client: () => string) => Response | Promise<Response>;

/** Serves HTTP until SIGTERM or SIGINT, which let requests under way finish. Throws when the port is taken. */
export function serve({ hostname = "0.0.0.0", port, handler, onStop }: ServeOptions): void {
  const server = Bun.serve({
    hostname,
    port,
    // Answers may be slow on purpose: no idle limit of the server's own.
    idleTimeout: 0,
    maxRequestBodySize: MAX_BODY_BYTES,
    fetch: (request, self) => handler(request, () => self.requestIP(request)?.address ?? ""),
  });
  whenAskedToEnd(() => {
    onStop?.();
    setTimeout(() => process.exit(0), DRAIN_MS).unref();
    void server.stop().then(() => process.exit(0));
  });
}

/** Calls back once, at the first SIGTERM or SIGINT. */
export function whenAskedToEnd(stop: () => void): void {
  let stopping = false;
  const once = (): void => {
    if (stopping) return;
    stopping = true;
    stop();
  };
  process.on("SIGTERM", once);
  process.on("SIGINT", once);
}

/** An answer in indented JSON that ends with a line end, as command lines like it. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(`${JSON.stringify(body, undefined, 2)}\n`, { status, headers: { "content-type": "application/json; charset=utf-8", ...headers } });
}
