import { object, text, type Json } from "./dump.ts";

export interface SubsetKey {
  readonly direction: string;
  readonly port: number;
  readonly subset: string;
  readonly host: string;
}

/** `outbound|8080|v1|host` and its parts; any other name is a host by itself. `structured` tells them apart. */
export function parseSubsetKey(name: string): SubsetKey & { readonly structured: boolean } {
  const parts = name.split("|");
  const [direction = "", port = "", subset = "", host = ""] = parts;
  if (parts.length < 4) return { direction: "", port: 0, subset: "", host: name, structured: false };
  return { direction, port: Number(port) || 0, subset, host, structured: true };
}

/** istioctl's order of clusters: by host, then subset, then port, then direction. */
export function compareSubsetKeys(a: string, b: string): number {
  const [x, y] = [parseSubsetKey(a), parseSubsetKey(b)];
  return compare(x.host, y.host) || compare(x.subset, y.subset) || x.port - y.port || compare(x.direction, y.direction);
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `name.namespace` of the Istio resource that a cluster or route came from, as its metadata says, of whatever version; else empty. */
export function managedBy(metadata: unknown): string {
  const istio = object(object(object(metadata).filter_metadata).istio);
  if (istio.config === undefined) return "";
  const path = text(istio.config);
  if (!path.startsWith("/apis/networking.istio.io/")) return "<unknown>";
  const parts = path.split("/");
  return parts.length === 8 ? `${parts[7]}.${parts[5]}` : "";
}

export type { Json };
