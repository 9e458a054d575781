import type { Logger } from "../../base/index.ts";
import { errorText } from "../../base/index.ts";
import type { Admin } from "./admin.ts";

/** Serves the admin pages. The address should be the loopback: whoever reaches them rules the proxy. */
export function serveAdmin(admin: Admin, address: { hostname: string; port: number }, log: Logger): { port: number; stop: () => void } {
  const server = Bun.serve({
    hostname: address.hostname,
    port: address.port,
    // Large dumps to a slow reader, as through a port-forward.
    idleTimeout: 60,
    async fetch(request) {
      try {
        const { status, contentType, body } = await admin.handle(request.method, new URL(request.url));
        return new Response(body, {
          status,
          headers: { "content-type": contentType, "cache-control": "no-cache, max-age=0", "x-content-type-options": "nosniff", server: "envoy" },
        });
      } catch (error) {
        log.error("admin page failed", { path: new URL(request.url).pathname, error: errorText(error) });
        return new Response(`${errorText(error)}\n`, { status: 500 });
      }
    },
  });
  return { port: server.port ?? address.port, stop: () => void server.stop(true) };
}
