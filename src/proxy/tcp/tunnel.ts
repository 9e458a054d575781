import type { TcpProxy_TunnelingConfig } from "../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import type { ResetReason, ResponseSink, UpstreamStream } from "../http/codec.ts";
import { HeaderMap, type RequestHead } from "../http/header-map.ts";
import type { ChannelHandler } from "../net/channel.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import { compileHeaderOps } from "../router/header-ops.ts";
import { compileFormat } from "../telemetry/format.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";
import type { PooledConnection, PoolWaiter } from "../upstream/pool.ts";
import type { TcpUpstream } from "./tcp-upstream.ts";

/** How a TCP connection is carried over HTTP: the head of the request that opens the tunnel. */
export type TunnelHead = (info: StreamInfo) => RequestHead;

/** Throws InvalidResource. */
export function compileTunnel(proto: TcpProxy_TunnelingConfig, hostname: string): TunnelHead {
  const target = compileFormat(proto.hostname, { missing: "", hostname });
  const operations = compileHeaderOps({ add: proto.headersToAdd, remove: [] }, hostname);
  const path = proto.postPath === "" ? "/" : proto.postPath;
  return (info) => {
    const headers = new HeaderMap();
    operations?.(headers, info);
    const authority = target(info);
    if (proto.usePost) return { method: "POST", path, authority, scheme: "http", protocol: "HTTP/1.1", headers, upgrade: undefined };
    return { method: "CONNECT", path: "", authority, scheme: "", protocol: "HTTP/1.1", headers, upgrade: "connect" };
  };
}

export interface TunnelCallbacks {
  onConnected(upstream: TcpUpstream, connection: { readonly localText: string; readonly tls: TlsInfo | undefined }): void;
  onFailure(reason: ResetReason | "refused", detail: string): void;
}

/** Opens a tunnel through a host of a cluster. The returned function gives it up without a callback. */
export function openTunnel(cluster: Cluster, host: Host, head: RequestHead, callbacks: TunnelCallbacks): () => void {
  const tunnel = new Tunnel(head, callbacks);
  tunnel.withdraw = cluster.pool(host, { alpn: undefined, downstream: 1, authority: head.authority, client: undefined }).acquire(tunnel);
  return () => tunnel.giveUp();
}

class Tunnel implements PoolWaiter, ResponseSink, TcpUpstream {
  handler: ChannelHandler = DEAF;
  closed = false;
  peerEnded = false;
  congested = false;
  withdraw: (() => void) | undefined;
  #stream: UpstreamStream | undefined;
  #connection: PooledConnection | undefined;
  #open = false;
  #finished = false;

  constructor(
    private readonly head: RequestHead,
    private readonly callbacks: TunnelCallbacks,
  ) {}

  giveUp(): void {
    this.closed = true;
    this.withdraw?.();
    this.#stream?.abandon();
  }

  // ---- from the pool

  onPoolReady(connection: PooledConnection): void {
    this.withdraw = undefined;
    this.#connection = connection;
    this.#stream = connection.stream;
    connection.stream.send(this.head, false, this);
    connection.stream.flush();
  }

  onPoolFailure(reason: ResetReason, detail: string): void {
    this.withdraw = undefined;
    this.closed = true;
    this.callbacks.onFailure(reason, detail);
  }

  // ---- from the server

  onInformational(): void {}
  onBatchEnd(): void {}

  onResponseHead(status: number, _headers: HeaderMap, endStream: boolean): void {
    if (status < 200 || status > 299 || endStream) {
      this.closed = true;
      this.#stream?.abandon();
      this.callbacks.onFailure("refused", `tunnel_response:${status}`);
      return;
    }
    this.#open = true;
    this.callbacks.onConnected(this, this.#connection as PooledConnection);
  }

  onResponseBody(bytes: Buffer, start: number, end: number): boolean {
    return this.handler.onData(bytes.subarray(start, end));
  }

  onResponseEnd(): void {
    this.peerEnded = true;
    this.handler.onEnd();
  }

  onUpstreamReset(reason: ResetReason, detail: string): void {
    if (this.closed) return;
    this.closed = true;
    if (this.#open) this.handler.onClose(new Error(reason));
    else this.callbacks.onFailure(reason, detail);
  }

  onUpstreamWritable(): void {
    this.congested = false;
    this.handler.onDrain();
  }

  // ---- TcpUpstream

  write(bytes: Uint8Array): boolean {
    if (this.closed || this.#finished) return true;
    const flowing = this.#stream?.writeBody(bytes, 0, bytes.length) ?? true;
    this.#stream?.flush();
    if (!flowing) this.congested = true;
    return flowing;
  }

  pause(): void {
    this.#stream?.pauseResponse();
  }

  resume(): void {
    this.#stream?.resumeResponse();
  }

  finish(): void {
    if (this.closed || this.#finished) return;
    this.#finished = true;
    this.#stream?.writeEnd(undefined);
  }

  close(): void {
    if (this.closed) return;
    this.finish();
    this.closed = true;
    if (!this.peerEnded) this.#stream?.abandon();
  }

  reset(): void {
    if (this.closed) return;
    this.closed = true;
    this.#stream?.abandon();
  }
}

const DEAF: ChannelHandler = { onData: () => true, onEnd() {}, onDrain() {}, onClose() {} };
