import { randomUUID } from "node:crypto";
import type { Channel } from "../net/channel.ts";
import type { ConnectionInfo } from "../net/connection-info.ts";
import { Http2Server } from "../http2/server.ts";
import { CodecChooser, type ServerCodec } from "./codec-chooser.ts";
import type { RequestSink, ServerHandler, ServerStream } from "./codec.ts";
import { DateHeader } from "./date-header.ts";
import type { HcmConfig } from "./hcm-config.ts";
import type { RequestHead } from "./header-map.ts";
import { Http1Server } from "./h1-server.ts";
import { headTimedOut, headTimeoutMs } from "./head-timeout.ts";
import { HttpStream } from "./http-stream.ts";
import type { MessageError } from "./message-error.ts";
import type { Overload } from "../overload/index.ts";
import type { StreamLoss } from "../telemetry/stream-info.ts";
import type { HttpStats } from "../telemetry/stat-scope.ts";

const DATE = new DateHeader();

/** Who accepted the connection and wants to know when it is gone. */
export interface ConnectionOwner {
  onConnectionClosed(): void;
}

/**
 * An HTTP connection of a client: a codec, and a stream for each request. Its configuration may be exchanged between
 * requests, so that a new policy judges the next request on a connection that stands.
 */
export class HttpConnection implements ServerHandler {
  #codec!: ServerCodec;
  readonly #streams = new Set<HttpStream>();
  /** Those it began with: whatever configuration comes later, the connection ends where it was counted. */
  readonly #stats: HttpStats;
  #version: 0 | 1 | 2 = 0;
  #lastActive: number;
  #closing = false;
  protocol: "HTTP/1.1" | "HTTP/2" = "HTTP/1.1";
  /** The client has sent what is no HTTP. */
  protocolBroken = false;
  readonly uuid = randomUUID;
  #requests = 0;

  constructor(
    readonly channel: Channel,
    readonly info: ConnectionInfo,
    public config: HcmConfig,
    private readonly owner: ConnectionOwner,
  ) {
    const { services } = config;
    this.#lastActive = services.monotonic();
    this.#stats = config.stats;
    this.#stats.downstream_cx_total++;
    this.#stats.downstream_cx_active++;
    if (info.tls) {
      this.#stats.downstream_cx_ssl_total++;
      this.#stats.downstream_cx_ssl_active++;
    }
    const known = versionOf(info, config);
    if (known) this.#choose(known);
    else
      this.#codec = new CodecChooser(
        channel,
        (version) => this.#choose(version),
        () => this.onConnectionClosed(),
      );
  }

  #choose(version: 1 | 2): void {
    const { channel, config } = this;
    const { clock } = config.services;
    this.#version = version;
    if (version === 2) {
      this.#stats.downstream_cx_http2_total++;
      this.#stats.downstream_cx_http2_active++;
      this.protocol = "HTTP/2";
      this.#codec = new Http2Server(channel, this, {
        ...config.http2,
        underscores: config.limits.underscores,
        clock,
        headTimeoutMs: headTimeoutMs(config),
        flushTimeoutMs: config.streamIdleTimeoutMs,
      });
      return;
    }
    this.#stats.downstream_cx_http1_total++;
    this.#stats.downstream_cx_http1_active++;
    this.#codec = new Http1Server(channel, this, {
      limits: config.limits,
      acceptHttp10: config.acceptHttp10,
      allowAbsoluteUrl: config.allowAbsoluteUrl,
      clock,
      headTimeoutMs: headTimeoutMs(config),
      headerCase: config.headerCase,
    });
  }

  get closing(): boolean {
    return this.#closing || this.#codec.draining;
  }

  get idle(): boolean {
    return this.#streams.size === 0;
  }

  /** The last moment at which a request was under way, in monotonic milliseconds. */
  get lastActive(): number {
    return this.#streams.size > 0 ? this.config.services.monotonic() : this.#lastActive;
  }

  /** Some request has become a tunnel, which has no end of its own. */
  get tunnelling(): boolean {
    for (const stream of this.#streams) if (stream.isTunnel) return true;
    return false;
  }

  /** A new configuration: it judges the requests to come, and those under way that it would refuse are ended. */
  swap(config: HcmConfig): void {
    this.config = config;
    for (const stream of this.#streams) stream.rejudge(config);
  }

  /** Ends a connection that has been idle for longer than allowed. */
  tick(now: number): void {
    this.#codec.tick?.(now);
    const idle = this.config.idleTimeoutMs;
    if (idle !== undefined && this.#streams.size === 0 && now - this.#lastActive > idle) {
      this.#stats.downstream_cx_idle_timeout++;
      this.drain();
    }
  }

  date(): string {
    return DATE.at(this.config.services.clock.now());
  }

  /** The response under way is the last one of this connection. */
  closeAfterResponse(): void {
    if (this.protocol === "HTTP/1.1") this.#closing = true;
  }

  /** Ends as soon as no request is under way. */
  drain(): void {
    this.#closing = true;
    this.#codec.drain();
  }

  /** Ends at once. */
  close(): void {
    this.#closing = true;
    this.channel.abort();
  }

  onRequest(head: RequestHead, codec: ServerStream, endStream: boolean, size: number): RequestSink {
    const stream = new HttpStream(this, codec, head, endStream, size);
    this.#streams.add(stream);
    if (++this.#requests >= this.config.maxRequestsPerConnection) {
      if (this.protocol === "HTTP/2") this.drain();
      else this.#closing = true;
    }
    const { overload } = this.config.services;
    if (overload) this.#underPressure(overload, stream);
    else stream.start();
    return stream;
  }

  #underPressure(overload: Overload, stream: HttpStream): void {
    const { stats } = this.config;
    if (overload.noKeepAlive && !this.closing) {
      stats.downstream_cx_overload_disable_keepalive++;
      this.closeAfterResponse();
    }
    if (!overload.sheds) {
      stream.start();
      return;
    }
    stats.downstream_rq_overload_close++;
    stream.localReply({ status: 503, body: "envoy overloaded", details: "overload", flag: "OM" });
  }

  onBadRequest(error: MessageError, codec: ServerStream): void {
    const stream = new HttpStream(this, codec, undefined, true, 0);
    this.#streams.add(stream);
    stream.protocolError(error);
  }

  onHeadTimeout(codec: ServerStream): void {
    const stream = new HttpStream(this, codec, undefined, false, 0);
    this.#streams.add(stream);
    this.closeAfterResponse();
    headTimedOut(stream, this.config);
  }

  onAbuse(): void {
    this.#stats.downstream_rq_too_many_premature_resets++;
  }

  onIdle(): void {
    if (this.#closing) this.#codec.drain();
  }

  onConnectionClosed(): void {
    const stats = this.#stats;
    this.#countTraffic();
    stats.downstream_cx_active--;
    stats.downstream_cx_destroy++;
    if (this.info.tls) stats.downstream_cx_ssl_active--;
    if (this.#version === 1) stats.downstream_cx_http1_active--;
    else if (this.#version === 2) stats.downstream_cx_http2_active--;
    if (this.protocolBroken) stats.downstream_cx_protocol_error++;
    this.owner.onConnectionClosed();
  }

  onLostRequest(codec: ServerStream, loss?: StreamLoss): void {
    const stream = new HttpStream(this, codec, undefined, false, 0);
    this.#streams.add(stream);
    stream.onRequestReset(undefined, loss);
  }

  onStreamDone(stream: HttpStream): void {
    this.#streams.delete(stream);
    this.#countTraffic();
    this.#lastActive = this.config.services.monotonic();
  }

  #countTraffic(): void {
    this.#stats.downstream_cx_rx_bytes_total += this.channel.takeRead();
    this.#stats.downstream_cx_tx_bytes_total += this.channel.takeWritten();
  }
}

/** What is known before the first byte: by configuration, ALPN or the listener's inspector. */
function versionOf(info: ConnectionInfo, config: HcmConfig): 1 | 2 | undefined {
  if (config.codec !== "auto") return config.codec === "http2" ? 2 : 1;
  if (info.tls) return info.tls.alpn === "h2" ? 2 : info.tls.alpn === "" ? undefined : 1;
  if (info.applicationProtocols.length === 0) return undefined;
  return info.applicationProtocols.includes("h2c") ? 2 : 1;
}
