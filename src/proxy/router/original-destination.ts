import { isIP } from "node:net";
import type { SocketAddress } from "../types.ts";

/** `ip:port` of x-envoy-original-dst-host; undefined for anything else. */
export function parseOriginalDestination(text: string | undefined): SocketAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text ?? "");
  const address = match?.[1] ?? match?.[2];
  if (!match || address === undefined || isIP(address) === 0) return undefined;
  const port = Number(match[3]);
  return port > 0 && port < 65536 ? { address, port } : undefined;
}
