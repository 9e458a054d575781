import type { Channel, ChannelHandler } from "../net/channel.ts";
import type { ConnectionInfo, TlsInfo } from "../net/connection-info.ts";
import { inboundEnds, outboundEnds } from "../filters/istio-stats.ts";
import type { Services } from "../services.ts";
import type { TcpSeries } from "../telemetry/istio-metrics.ts";
import type { PeerMetadata } from "../telemetry/peer-metadata.ts";
import { StreamInfo } from "../telemetry/stream-info.ts";
import type { Cluster } from "../upstream/cluster.ts";
import { connectUpstream, type UpstreamConnected } from "../upstream/connect.ts";
import { hash53 } from "../upstream/hash-table.ts";
import type { Host } from "../upstream/host.ts";
import { writeProxyHeader } from "../upstream/proxy-header.ts";
import { EXCHANGE_PROTOCOL, ExchangeReader, encodeExchange } from "./metadata-exchange.ts";
import type { TcpConfig } from "./tcp-config.ts";
import type { TcpUpstream } from "./tcp-upstream.ts";
import { openTunnel, type TunnelHead } from "./tunnel.ts";
import { refusedNow, TcpGate, type TcpPolicy } from "./tcp-gate.ts";

/** The filters before `tcp_proxy` in a chain, compiled. */
export interface TcpChain {
  readonly tcp: TcpConfig;
  readonly policies: readonly TcpPolicy[];
  readonly stats: "source" | "destination" | undefined;
  readonly metadataExchange: boolean;
  /** The cluster is named by the client's SNI. */
  readonly sniCluster: boolean;
}

/** An opaque TCP connection, relayed with back-pressure and half-closes. */
export class TcpSession {
  readonly info: StreamInfo;
  #upstream: TcpUpstream | undefined;
  /** The same, where it is a connection of its own. */
  #connection: Channel | undefined;
  #host: Host | undefined;
  #cluster: Cluster | undefined;
  #cancelConnect: (() => void) | undefined;
  #held: Buffer[] = [];
  /** What the server has said before the client may hear it. */
  #heldAnswer: Buffer[] = [];
  readonly #gate: TcpGate;
  #downExchange: ExchangeReader | undefined;
  #upExchange: ExchangeReader | undefined;
  #peer: PeerMetadata | undefined;
  #series: TcpSeries | undefined;
  #reportedIn = 0;
  #reportedOut = 0;
  #over = false;
  #lastActive: number;

  constructor(
    private readonly channel: Channel,
    readonly connection: ConnectionInfo,
    private chain: TcpChain,
    private readonly services: Services,
    private readonly onGone: () => void,
  ) {
    const now = services.monotonic();
    this.info = new StreamInfo(connection, services.wall(now), now);
    this.#lastActive = this.info.startMono;
    this.#gate = new TcpGate(
      chain.policies,
      this.info,
      () => this.#opened(),
      ({ details, external }) => {
        if (external) {
          this.info.details = details;
          this.info.addFlag("UAEX");
        } else this.info.terminationDetails = details;
        services.refused.count(connection.remote.address, connection.local.port, external ? "ext_authz_denied" : "rbac_access_denied");
        this.#end();
        channel.close();
      },
    );
    channel.handler = new Downstream(this);
    chain.tcp.core.downstream_cx_total++;
  }

  /** Connects upstream; `first` is what has been read already. */
  start(first: Buffer | undefined): void {
    if (this.chain.metadataExchange && this.connection.tls?.alpn === EXCHANGE_PROTOCOL) {
      this.#downExchange = new ExchangeReader();
      this.channel.write(encodeExchange(this.services.exchange.ownId, this.services.exchange.ownStruct));
    }
    // As Envoy: nothing is read before there is somewhere to write it.
    this.channel.pause();
    if (first && first.length > 0) this.#held.push(first);
    this.#connect();
  }

  /** The chain has changed under the connection. False: the new policy refuses it. */
  swap(chain: TcpChain): boolean {
    this.chain = chain;
    this.#gate.replace(chain.policies);
    return !refusedNow(chain.policies, this.info);
  }

  /** Ends at once, with RST: a policy wants it gone. */
  terminate(details: string): void {
    if (this.#over) return;
    this.info.terminationDetails = details;
    this.#end();
    this.channel.reset();
  }

  /** Envoy's idle time-out, checked from time to time; and metrics of connections that last. */
  tick(now: number): void {
    if (this.#over) return;
    const idle = this.chain.tcp.idleTimeoutMs;
    if (idle !== undefined && now - this.#lastActive > idle) {
      this.chain.tcp.core.idle_timeout++;
      this.#end();
      this.channel.close();
      return;
    }
    const limit = this.chain.tcp.maxDurationMs;
    if (limit !== undefined && now - this.info.startMono > limit) {
      this.info.addFlag("DT");
      this.#end();
      this.channel.close();
      return;
    }
    this.#report();
  }

  // ---- downstream

  /** True when nobody keeps the bytes. */
  downData(chunk: Buffer): boolean {
    let bytes = chunk;
    this.#lastActive = this.services.monotonic();
    if (this.#downExchange) {
      const result = this.#downExchange.read(bytes);
      if (result.kind === "more") return false;
      this.#downExchange = undefined;
      if (result.kind === "done") {
        this.#peer = result.peer;
        bytes = result.rest;
        if (bytes.length === 0) return true;
      }
    }
    this.info.bytesReceived += bytes.length;
    const open = this.#gate.pass();
    if (this.#over) return true;
    const upstream = this.#upstream;
    if (!upstream || !open) this.#held.push(bytes);
    else if (upstream.write(bytes)) return true;
    this.channel.pause();
    return false;
  }

  downEnd(): void {
    this.#upstream?.finish();
    if (this.#upstream?.peerEnded) this.#finishBoth();
  }

  downDrain(): void {
    this.#upstream?.resume();
  }

  downClosed(error: Error | undefined): void {
    if (this.#over) return;
    // As Envoy: only who leaves before there is an upstream is noted.
    if (!this.#upstream) this.info.addFlag("DC");
    else if (error) this.#upstream.reset();
    else this.#upstream.close();
    this.#end();
  }

  // ---- upstream

  /** True when nobody keeps the bytes. */
  upData(chunk: Buffer): boolean {
    let bytes = chunk;
    this.#lastActive = this.services.monotonic();
    if (this.#upExchange) {
      const result = this.#upExchange.read(bytes);
      if (result.kind === "more") return false;
      this.#upExchange = undefined;
      if (result.kind === "done") {
        this.#peer = result.peer;
        bytes = result.rest;
        if (bytes.length === 0) return true;
      }
    }
    // A server that speaks first must not speak to whom the policy refuses.
    if (!this.#gate.pass()) {
      if (this.#over) return true;
      this.#heldAnswer.push(bytes);
      this.#upstream?.pause();
      return false;
    }
    this.info.bytesSent += bytes.length;
    if (this.channel.write(bytes)) return true;
    this.#upstream?.pause();
    return false;
  }

  upEnd(): void {
    this.channel.finish();
    if (this.channel.peerEnded) this.#finishBoth();
  }

  upDrain(): void {
    this.channel.resume();
  }

  upClosed(error: Error | undefined): void {
    if (this.#over) return;
    this.#end();
    if (error) this.channel.reset();
    else this.channel.close();
  }

  // ----

  /** The policies have let the connection pass after some time: what was held back goes on. */
  #opened(): void {
    const upstream = this.#upstream;
    if (this.#over || !upstream) return;
    const held = this.#held;
    const answer = this.#heldAnswer;
    this.#held = [];
    this.#heldAnswer = [];
    for (const bytes of held) upstream.write(bytes);
    for (const bytes of answer) {
      this.info.bytesSent += bytes.length;
      this.channel.write(bytes);
    }
    if (!upstream.congested) this.channel.resume();
    if (!this.channel.congested) upstream.resume();
  }

  #connect(): void {
    const { tcp, sniCluster } = this.chain;
    const { cluster: configured, criteria } = tcp.target(this.services.random());
    const name =
      sniCluster && this.connection.serverName !== "" ? this.connection.serverName : (this.connection.namedState?.get("envoy.tcp_proxy.cluster") ?? configured);
    const cluster = this.services.clusters.get(name);
    if (!cluster) {
      tcp.core.downstream_cx_no_route++;
      this.info.addFlag("NC");
      this.#refuse();
      return;
    }
    this.#cluster = cluster;
    this.info.upstreamCluster = cluster;
    const host = cluster.isOriginalDestination
      ? this.connection.destinationRestored && cluster.originalDestination(this.connection.local)
      : cluster.choose({ criteria, hash: tcp.hashBySource ? hash53(this.connection.remote.address) : undefined });
    if (!host) {
      cluster.stats.upstream_cx_none_healthy++;
      this.info.addFlag("UH");
      this.#refuse();
      return;
    }
    if (tcp.tunnel) {
      this.#openTunnel(cluster, host, tcp.tunnel);
      return;
    }
    if (cluster.load.connections >= cluster.limits.maxConnections) {
      cluster.stats.upstream_cx_overflow++;
      this.info.addFlag("UO");
      this.#refuse();
      return;
    }
    this.info.attempts++;
    this.#host = host;
    this.info.upstreamHost = host;
    host.cxTotal++;
    host.cxActive++;
    cluster.stats.upstream_cx_total++;
    cluster.stats.upstream_rq_pending_total++;
    cluster.load.connections++;
    const transport = cluster.transports.for(host.metadata);
    this.#cancelConnect = connectUpstream(
      {
        host,
        transport,
        alpn: undefined,
        sni: undefined,
        provenName: undefined,
        bindAddress: cluster.bindAddress,
        timeoutMs: cluster.connectTimeoutMs,
        sessionKey: `tcp ${transport.name}`,
        preamble: transport.proxyHeader && writeProxyHeader(transport.proxyHeader, this.connection.remote, this.connection.local),
      },
      this.services,
      {
        onConnected: (connected) => this.#connected(connected),
        onConnectFailure: (reason, detail) => {
          host.cxConnectFail++;
          cluster.stats.connectFailed(reason);
          cluster.reportFailure(host);
          this.#leaveHost();
          this.#connectFailed(detail);
        },
      },
    );
  }

  #connectFailed(detail: string): void {
    this.#cancelConnect = undefined;
    if (this.info.attempts < this.chain.tcp.maxConnectAttempts) {
      this.#connect();
      return;
    }
    if (detail !== "") this.info.upstreamFailure = detail.replace(/\s/g, "_");
    this.info.addFlag("UF");
    this.info.addFlag("URX");
    this.#refuse();
  }

  /** The pool of the cluster has the connections, and counts them. */
  #openTunnel(cluster: Cluster, host: Host, tunnel: TunnelHead): void {
    this.info.attempts++;
    this.info.upstreamHost = host;
    let settled = false;
    const cancel = openTunnel(cluster, host, tunnel(this.info), {
      onConnected: (upstream, { tls, localText }) => {
        settled = true;
        this.#cancelConnect = undefined;
        if (this.#over) upstream.reset();
        else this.#established(upstream, tls, localText);
      },
      onFailure: (_reason, detail) => {
        settled = true;
        cluster.reportFailure(host);
        if (!this.#over) this.#connectFailed(detail);
      },
    });
    if (!settled) this.#cancelConnect = cancel;
  }

  #connected({ channel, tls, localText }: UpstreamConnected): void {
    this.#cancelConnect = undefined;
    if (this.#over) {
      channel.reset();
      return;
    }
    this.#connection = channel;
    if (this.#cluster) {
      this.#cluster.stats.connected(tls);
      this.#cluster.stats.upstream_rq_total++;
    }
    this.#established(channel, tls, localText);
  }

  #established(channel: TcpUpstream, tls: TlsInfo | undefined, localText: string): void {
    this.#upstream = channel;
    channel.handler = new Upstream(this);
    this.info.upstreamLocal = localText;
    this.info.upstreamTls = tls;
    this.info.upstreamPeerUri = tls?.peer?.uriSans[0] ?? "";
    this.info.upstreamLocalUri = tls?.localUriSans[0] ?? "";
    if (this.#cluster?.config.metadataExchange && tls?.alpn === EXCHANGE_PROTOCOL) {
      this.#upExchange = new ExchangeReader();
      channel.write(encodeExchange(this.services.exchange.ownId, this.services.exchange.ownStruct));
    }
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) {
      if (this.#over) return;
      this.downData(bytes);
    }
    if (this.#over || this.#held.length > 0) return;
    if (!channel.congested) this.channel.resume();
    if (this.channel.peerEnded) channel.finish();
  }

  /** There is nowhere to go: the client sees a reset if it has said something, as from a closed socket with unread bytes. */
  #refuse(): void {
    const unread = this.#held.length > 0;
    this.#end();
    if (unread) this.channel.reset();
    else this.channel.close();
  }

  #finishBoth(): void {
    this.#end();
    this.channel.close();
    this.#upstream?.close();
  }

  #report(): void {
    if (this.#connection) this.#cluster?.stats.carried(this.#connection);
    const { core } = this.chain.tcp;
    core.downstream_cx_rx_bytes_total += this.channel.takeRead();
    core.downstream_cx_tx_bytes_total += this.channel.takeWritten();
    if (this.chain.stats === undefined) return;
    const { info } = this;
    let series = this.#series;
    if (!series) {
      const inbound = this.chain.stats === "destination";
      const ends = inbound ? inboundEnds(info, this.#peer, this.services) : outboundEnds(info, this.#peer, this.services);
      series = this.services.istio.tcp(this.chain.stats, ends, info.upstreamCluster, info.flags);
      this.#series = series;
      series.opened.inc();
    }
    series.received.inc(info.bytesReceived - this.#reportedIn);
    series.sent.inc(info.bytesSent - this.#reportedOut);
    this.#reportedIn = info.bytesReceived;
    this.#reportedOut = info.bytesSent;
  }

  #leaveHost(): void {
    if (!this.#host || !this.#cluster) return;
    this.#host.cxActive--;
    this.#cluster.load.connections--;
    this.#cluster.stats.upstream_cx_destroy++;
    this.#host = undefined;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelConnect?.();
    this.#gate.stop();
    const upstream = this.#upstream;
    if (upstream && !upstream.closed && !upstream.peerEnded) upstream.close();
    this.#leaveHost();
    this.info.durationMs = this.services.monotonic() - this.info.startMono;
    this.#report();
    this.#series?.closed.inc();
    this.chain.tcp.accessLog?.(this.info);
    this.onGone();
  }
}

class Downstream implements ChannelHandler {
  constructor(private readonly session: TcpSession) {}
  onData(chunk: Buffer): boolean {
    return this.session.downData(chunk);
  }
  onEnd(): void {
    this.session.downEnd();
  }
  onDrain(): void {
    this.session.downDrain();
  }
  onClose(error: Error | undefined): void {
    this.session.downClosed(error);
  }
}

class Upstream implements ChannelHandler {
  constructor(private readonly session: TcpSession) {}
  onData(chunk: Buffer): boolean {
    return this.session.upData(chunk);
  }
  onEnd(): void {
    this.session.upEnd();
  }
  onDrain(): void {
    this.session.upDrain();
  }
  onClose(error: Error | undefined): void {
    this.session.upClosed(error);
  }
}
