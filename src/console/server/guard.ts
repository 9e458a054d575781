/**
 * Who may ask at all. The console listens on the pod network and behind tunnels that arrive from loopback, so addresses
 * prove nothing. A foreign web page must neither read it (DNS rebinding: its own name would stand in Host) nor write
 * through a reader's browser (its own origin would stand in Origin).
 */

/** Names that the console's Service has; IP literals and localhost cannot be rebound. */
const SERVICE_NAMES = ["kiali", "kiali.istio-system", "kiali.istio-system.svc", "kiali.istio-system.svc.cluster.local"];

/** Undefined when the request may pass, else the refusal. `allowedHosts` are names that an operator serves it under. */
export function refuse(request: Request, allowedHosts: string[]): Response | undefined {
  const host = request.headers.get("host") ?? "";
  if (!isKnownHost(hostName(host), allowedHosts)) {
    return new Response(`This console does not answer to the name "${hostName(host)}". Open it by its address, or set CONSOLE_ALLOWED_HOSTS.\n`, {
      status: 421,
    });
  }
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== "null" && safeHost(origin) === host) return undefined;
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  // A script's request: no page of another site can make a browser send this header here, the console allows no such thing.
  if (origin === null && request.headers.has("authorization")) return undefined;
  return new Response("A request that changes something must come from the console's own page.\n", { status: 403 });
}

/** Sent with every answer: nothing is loaded from, sent to or framed by another host. */
export const SECURITY_HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

function isKnownHost(name: string, allowed: string[]): boolean {
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(name) || name.startsWith("[")) return true;
  return SERVICE_NAMES.includes(name) || allowed.includes(name);
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, "").toLowerCase();
}

function safeHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
