import { isIPv4 } from "node:net";
import type { Authenticator } from "../ca/index.ts";
import type { DebugPages } from "./pages.ts";

/** Says whether somebody may see a debug page; a refusal has the HTTP status and text to answer with. */
export type DebugAccess = (request: {
  page: string;
  query: URLSearchParams;
  remoteAddress: string;
  authorization: string | undefined;
}) => Promise<{ status: number; text: string } | undefined>;

/**
 * Who is in the pod already (port-forward arrives there) may see all; on the pod network a token of a service account of
 * istiod's namespace is needed, and other workloads may see what concerns proxies of their own namespace alone.
 */
export function createDebugAccess(options: { authenticator: Authenticator; pages: DebugPages; namespace: string }): DebugAccess {
  const { authenticator, pages, namespace } = options;
  return async ({ page, query, remoteAddress, authorization }) => {
    if (isLoopback(remoteAddress)) return undefined;
    let caller;
    try {
      caller = await authenticator.authenticate({ verifiedUris: [], authorization });
    } catch {
      // The reason is not for the asker; a log line for each try would be the asker's to write.
      return { status: 401, text: "authentication failed: send a service account token with audience istio-ca, or come by kubectl port-forward\n" };
    }
    if (caller.id.namespace === namespace) return undefined;
    const proxy = pages.isOfOneProxy(page) ? pages.find(query.get("proxyID") ?? "") : undefined;
    if (proxy?.node.namespace === caller.id.namespace) return undefined;
    return { status: 403, text: `the debug API is open to service accounts of ${namespace}, and to others for proxies of their own namespace\n` };
  };
}

export function isLoopback(address: string): boolean {
  const ip = address.replace(/^::ffff:/, "");
  return ip === "::1" || (isIPv4(ip) && ip.startsWith("127."));
}
