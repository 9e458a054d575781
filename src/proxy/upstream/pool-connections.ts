import type { ResetReason } from "../http/codec.ts";
import type { Channel } from "../net/channel.ts";
import type { Cluster } from "./cluster.ts";
import { connectUpstream, type UpstreamConnected } from "./connect.ts";
import type { Host } from "./host.ts";
import { serverNameOf } from "./request-name.ts";
import type { UpstreamTransport } from "./transport.ts";

/** Where a pool's connections go, and what they offer and demand there. */
export interface PoolTarget {
  readonly cluster: Cluster;
  readonly host: Host;
  readonly transport: UpstreamTransport;
  /** Instead of the transport's own. */
  readonly alpn: readonly string[] | undefined;
  /** Under this key the host keeps TLS sessions. */
  readonly key: string;
  /** Sent before anything else. */
  readonly preamble: Buffer | undefined;
  /** The host that requests name, where the server is asked for by it. */
  readonly name: string | undefined;
}

/** A target that offers these protocols where neither its TLS context nor the listener's filters say which. */
export function offering(target: PoolTarget, protocols: readonly string[]): PoolTarget {
  const { alpn, transport } = target;
  return alpn === undefined && transport.kind === "tls" && transport.context.alpn.length === 0 ? { ...target, alpn: protocols } : target;
}

export interface OpenCallbacks {
  onConnected(connected: UpstreamConnected): void;
  onConnectFailure(reason: ResetReason, detail: string): void;
}

/** Opens a connection to the target, which counts from now on until it fails or is given to `closed`. Returned: gives it up. */
export function open(target: PoolTarget, { onConnected, onConnectFailure }: OpenCallbacks): () => void {
  const { cluster, host, transport, alpn, key, preamble, name } = target;
  const { stats, config } = cluster;
  host.cxTotal++;
  host.cxActive++;
  cluster.load.connections++;
  stats.upstream_cx_total++;
  const cancel = connectUpstream(
    {
      host,
      transport,
      alpn,
      sni: name === undefined || !config.autoSni ? undefined : serverNameOf(name),
      provenName: config.autoSanValidation ? name : undefined,
      bindAddress: cluster.bindAddress,
      timeoutMs: cluster.connectTimeoutMs,
      sessionKey: key,
      preamble,
    },
    cluster.services,
    {
      onConnected(connected) {
        stats.connected(connected.tls);
        onConnected(connected);
      },
      onConnectFailure(reason, detail) {
        discount(target);
        host.cxConnectFail++;
        stats.connectFailed(reason);
        onConnectFailure(reason, detail);
      },
    },
  );
  return () => {
    discount(target);
    cancel();
  };
}

/** An opened connection is gone. */
export function closed(target: PoolTarget, channel: Channel): void {
  const { stats } = target.cluster;
  discount(target);
  stats.upstream_cx_destroy++;
  stats.carried(channel);
}

function discount({ cluster, host }: PoolTarget): void {
  cluster.load.connections--;
  host.cxActive--;
}
