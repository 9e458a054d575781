import type { ProxyNode } from "../xds/types.ts";

/** What the debug pages need to know of a connected proxy. */
export interface ConnectionView {
  /** `<pod>.<namespace>-<number>`. */
  readonly id: string;
  readonly node: ProxyNode;
  /** Milliseconds. */
  readonly connectedAt: number;
  /** `ip:port`. */
  readonly address: string;
  readonly watches: ReadonlyMap<string, WatchView>;
}

export interface WatchView {
  readonly wildcard: boolean;
  readonly names: Iterable<string>;
  /** Names of what the proxy has been sent. */
  readonly sent: { keys(): Iterable<string> };
  readonly nonceSent: string;
  readonly nonceAcked: string;
  readonly error: string | undefined;
  readonly sentAt: number;
}

/** `<pod>.<namespace>`: how istioctl names proxies. */
export function proxyName(connection: ConnectionView): string {
  return `${connection.node.podName}.${connection.node.namespace}`;
}

export const iso = (ms: number): string => new Date(ms).toISOString();
