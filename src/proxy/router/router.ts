import type { ResetReason, ResponseSink, UpstreamStream } from "../http/codec.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { HttpStream } from "../http/http-stream.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";
import type { PooledConnection, PoolWaiter } from "../upstream/pool.ts";
import { balancingContext } from "./balancing.ts";
import { answerDirectly, redirect } from "./own-answers.ts";
import { RESET_FLAGS } from "./reset-flags.ts";
import { originalHost } from "./original-destination.ts";
import { backOffMs, retriesReset, retriesResponse, type RetryPolicy } from "./retry-policy.ts";
import { requestLimits, tellTimeLeft, type RequestLimits } from "./request-limits.ts";
import { clusterName, type ForwardAction, type Route } from "./route-table.ts";
import type { AttemptTrace } from "../tracing/index.ts";
import { KeptBody } from "./kept-body.ts";
import { mirrorRequest } from "./mirror.ts";

/** The end of a request's way through the filters: it finds an upstream, tries again where that is allowed, answers. */
export class Router implements ResponseSink, PoolWaiter {
  #action!: ForwardAction;
  #limits!: RequestLimits;
  #route!: Route;
  #cluster: Cluster | undefined;
  #upstream: UpstreamStream | undefined;
  #host: Host | undefined;
  #withdraw: (() => void) | undefined;
  /** The request's body so far, while it may be needed again or has nowhere to go yet. */
  #kept: KeptBody | undefined;
  #replayable = false;
  #requestEnd = false;
  #trailers: HeaderMap | undefined;
  #retries = 0;
  #tried: Host[] | undefined;
  #hash: number | undefined;
  #setCookie: string | undefined;
  #responded = false;
  #counted = false;
  #sentAt = 0;
  #cancelTimeout: (() => void) | undefined;
  #cancelTry: (() => void) | undefined;
  #cancelBackOff: (() => void) | undefined;
  #over = false;
  #trace: AttemptTrace | undefined;

  constructor(private readonly stream: HttpStream) {}

  start(endStream: boolean): void {
    const { stream } = this;
    const { route } = stream;
    stream.config.stats.rq_total++;
    if (!route) {
      stream.config.stats.no_route++;
      stream.localReply({ status: 404, body: "", details: "route_not_found", flag: "NR" });
      return;
    }
    this.#route = route;
    const { action } = route;
    switch (action.kind) {
      case "redirect":
        redirect(stream, route, action.redirect);
        return;
      case "direct":
        answerDirectly(stream, route, action);
        return;
      case "none":
        // A route that is for control planes only names no cluster, which is what Envoy finds.
        stream.localReply({ status: 503, body: "", details: "cluster_not_found", flag: "NC" });
        return;
    }
    this.#action = action;
    const { services } = stream.config;
    const name = clusterName(action, stream.request);
    const cluster = name === undefined ? undefined : services.clusters.get(name);
    if (!cluster) {
      stream.config.stats.no_cluster++;
      stream.localReply({ status: action.clusterNotFoundStatus, body: "", details: "cluster_not_found", flag: "NC" });
      return;
    }
    this.#cluster = cluster;
    stream.upstreamCluster = cluster;
    this.#requestEnd = endStream;
    if (action.hash) ({ hash: this.#hash, setCookie: this.#setCookie } = action.hash(stream.request, stream, services.random));
    this.#prepareHead();
    for (const mirror of action.mirrors) if (stream.draw < mirror.share) mirrorRequest(stream, mirror, endStream);
    this.#replayable = this.#limits.retry !== undefined;
    if (endStream) this.#requestComplete();
    this.#try();
  }

  // ---- the request's body

  /** True when nobody keeps the bytes. */
  onRequestBody(bytes: Buffer, start: number, end: number): boolean {
    if (this.#over) return true;
    this.stream.mirrors?.forEach((mirror) => mirror.onBody(bytes, start, end));
    const upstream = this.#upstream;
    const keeps = !upstream || this.#replayable;
    if (keeps) this.#keep(bytes, start, end);
    const flowing = upstream?.writeBody(bytes, start, end) ?? false;
    if (flowing) upstream?.flush();
    else this.stream.codec.pauseRequest();
    return flowing && !keeps && !this.stream.mirrors;
  }

  onRequestEnd(trailers: HeaderMap | undefined): void {
    if (this.#over) return;
    this.#requestEnd = true;
    this.#trailers = trailers;
    this.stream.mirrors?.forEach((mirror) => mirror.onEnd());
    this.#requestComplete();
    this.#upstream?.writeEnd(trailers);
  }

  onDownstreamWritable(): void {
    this.#upstream?.resumeResponse();
  }

  /** The client is gone, or somebody else answers. */
  abandon(): void {
    this.#dropUpstream(true);
    this.#end();
  }

  // ---- tries

  #try(): void {
    const { stream } = this;
    const cluster = this.#cluster as Cluster;
    const policy = this.#limits.retry;
    stream.attempts++;
    const host = cluster.isOriginalDestination
      ? originalHost(cluster, stream.request.headers, stream.downstream)
      : cluster.choose(balancingContext(this.#action, stream, this.#hash, policy, this.#tried));
    if (!host) {
      cluster.stats.upstream_cx_none_healthy++;
      this.#charge(503);
      this.#end();
      stream.localReply({ status: 503, body: "no healthy upstream", details: "no_healthy_upstream", flag: "UH", modify: (headers) => this.#modify(headers) });
      return;
    }
    this.#trace = stream.config.tracer?.attempt(stream, cluster.observabilityName);
    if (policy) (this.#tried ??= []).push(host);
    if (this.#action.autoHostRewrite && host.hostname !== "") this.#rewriteHost(host.hostname);
    if (cluster.load.requests >= cluster.limits.maxRequests) {
      stream.upstreamHost = host;
      this.#failed("overflow", "");
      return;
    }
    this.#withdraw = cluster
      .pool(host, {
        alpn: stream.upstreamAlpn,
        downstream: stream.protocol === "HTTP/2" ? 2 : 1,
        tunnel: stream.request.upgrade === "connect" && this.#action.endsConnect,
        authority: stream.request.authority,
        client: stream.downstream,
      })
      .acquire(this);
  }

  onPoolReady(connection: PooledConnection, host: Host): void {
    const { stream } = this;
    const cluster = this.#cluster as Cluster;
    this.#withdraw = undefined;
    stream.upstreamHost = host;
    stream.upstreamLocal = connection.localText;
    stream.upstreamProtocol = connection.version === 2 ? "HTTP/2" : "HTTP/1.1";
    stream.upstreamTls = connection.tls;
    stream.upstreamPeerUri = connection.tls?.peer?.uriSans[0] ?? "";
    stream.upstreamLocalUri = connection.tls?.localUriSans[0] ?? "";
    this.#host = host;
    this.#count(1);
    cluster.stats.upstream_rq_total++;
    host.rqTotal++;
    if (this.#route.virtualHost.includeAttemptCount) stream.request.headers.set("x-envoy-attempt-count", String(stream.attempts));
    if (stream.config.schemeOfUpstream) stream.request.scheme = connection.tls ? "https" : "http";
    this.#upstream = connection.stream;
    if (stream.span) {
      this.#trace?.to(host.text, connection.version);
      stream.config.tracer?.inject(stream, this.#trace);
    }
    const services = stream.config.services;
    this.#sentAt = services.monotonic();
    const bare = this.#requestEnd && !this.#kept && !this.#trailers;
    connection.stream.send(stream.request, bare, this);
    if (!bare && this.#upstream) this.#sendKept(this.#upstream);
    const perTry = this.#limits.perTryMs;
    if (perTry !== undefined && this.#upstream) {
      this.#cancelTry = services.clock.after(perTry, () => this.#timedOut("upstream_per_try_timeout", true));
    }
  }

  onPoolFailure(reason: ResetReason, detail: string, host: Host): void {
    this.#withdraw = undefined;
    // A host that was never connected to is not shown when the circuit breaker was in the way.
    if (reason !== "overflow") {
      this.stream.upstreamHost = host;
      this.#cluster?.reportFailure(host);
    }
    this.#failed(reason, detail);
  }

  #sendKept(upstream: UpstreamStream): void {
    const flowing = this.#kept?.send(upstream) ?? true;
    if (!this.#replayable) this.#kept = undefined;
    if (this.#requestEnd) upstream.writeEnd(this.#trailers);
    else {
      upstream.flush();
      if (flowing) this.stream.codec.resumeRequest();
    }
  }

  // ---- the response

  onInformational(status: number, headers: HeaderMap): void {
    if (status !== 100 || this.stream.config.proxy100Continue) this.stream.respondInformational(status, headers);
  }

  onResponseHead(status: number, headers: HeaderMap, endStream: boolean, size: number): void {
    const { stream } = this;
    const host = this.#host as Host;
    const cluster = this.#cluster as Cluster;
    cluster.reportResponse(host, status);
    if (this.#trace) this.#trace.status = status;
    const policy = this.#limits.retry;
    if (policy) {
      const failed = retriesResponse(policy, status, headers);
      if (failed && this.#mayRetry(policy)) {
        cluster.stats.retried(status);
        this.#dropUpstream(!endStream);
        this.#retryLater(policy);
        return;
      }
      if (!failed && this.#retries > 0) cluster.stats.upstream_rq_retry_success++;
    }
    this.#cancelTry?.();
    this.#responded = true;
    this.#charge(status);
    this.#replayable = false;
    if (this.#upstream) this.#kept = undefined;
    stream.details = "via_upstream";
    stream.responseHeadBytes = size;
    const { suppressEnvoyHeaders } = stream.config.router;
    if (!suppressEnvoyHeaders && stream.requestCompleteMs >= 0) {
      const since = stream.startMono + stream.requestCompleteMs;
      headers.set("x-envoy-upstream-service-time", String(Math.floor(stream.config.services.monotonic() - since)));
    }
    if (this.#route.virtualHost.attemptCountInResponse) headers.set("x-envoy-attempt-count", String(stream.attempts));
    if (this.#setCookie !== undefined) headers.append("set-cookie", this.#setCookie);
    stream.responseStatus = status;
    stream.responseHeaders = headers;
    this.#route.responseOps?.(headers, stream);
    if (endStream) {
      this.#completed();
      this.#leaveUpstream();
      this.#end();
    }
    stream.respond(status, headers, endStream);
  }

  get takesFraming(): boolean {
    const { stream } = this;
    return stream.headWritten && !stream.keepsResponseBody && stream.codec.takesFraming === true;
  }

  onResponseBody(bytes: Buffer, start: number, end: number, size?: number): boolean {
    const kept = this.stream.keepsResponseBody;
    if (this.stream.respondBody(bytes, start, end, size)) return !kept;
    this.#upstream?.pauseResponse();
    return false;
  }

  onBatchEnd(): void {
    this.stream.flushResponse();
  }

  onResponseEnd(trailers: HeaderMap | undefined): void {
    this.#completed();
    this.#leaveUpstream();
    this.#end();
    this.stream.respondEnd(trailers);
  }

  onUpstreamReset(reason: ResetReason, detail: string): void {
    if (this.#host) this.#cluster?.reportFailure(this.#host);
    this.#leaveUpstream();
    this.#failed(reason, detail);
  }

  onUpstreamWritable(): void {
    this.stream.codec.resumeRequest();
  }

  // ---- failures

  #failed(reason: ResetReason, detail: string): void {
    const { stream } = this;
    const shown = detail.replace(/\s/g, "_");
    if (detail !== "") stream.upstreamFailure = shown;
    const flag = RESET_FLAGS[reason];
    this.#trace?.failed(reason, flag);
    if (this.#responded) {
      this.#end();
      stream.config.stats.rq_reset_after_downstream_response_started++;
      stream.details = `upstream_reset_after_response_started{${reason}}`;
      stream.addFlag(flag);
      stream.resetDownstream();
      return;
    }
    const policy = this.#limits.retry;
    if (policy && retriesReset(policy, reason, this.#sentAt !== 0 && this.#host !== undefined) && this.#mayRetry(policy)) {
      this.#retryLater(policy);
      return;
    }
    const status = reason === "protocol_error" ? 502 : 503;
    this.#charge(status);
    this.#end();
    stream.localReply({
      status,
      body: `upstream connect error or disconnect/reset before headers. ${this.#retries > 0 ? "retried and the latest " : ""}reset reason: ${reason.replace(/_/g, " ")}`,
      details: `upstream_reset_before_response_started{${reason}${detail === "" ? "" : `|${shown}`}}`,
      flag,
      modify: (headers) => this.#modify(headers),
      ...(reason === "overflow" && !stream.config.router.suppressEnvoyHeaders ? { headers: [["x-envoy-overloaded", "true"] as const] } : {}),
    });
  }

  #timedOut(details: string, perTry: boolean): void {
    const { stream } = this;
    const cluster = this.#cluster as Cluster;
    if (perTry) cluster.stats.upstream_rq_per_try_timeout++;
    else cluster.stats.upstream_rq_timeout++;
    if (this.#host) {
      this.#host.rqTimeout++;
      cluster.reportResponse(this.#host, 504);
    }
    this.#dropUpstream(true);
    const policy = this.#limits.retry;
    if (perTry && policy && !this.#responded && retriesReset(policy, "local_reset", true) && this.#mayRetry(policy)) {
      this.#retryLater(policy);
      return;
    }
    this.#charge(504);
    this.#end();
    const { timeoutStatus } = this.#limits;
    stream.localReply({
      status: timeoutStatus,
      body: timeoutStatus === 504 ? "upstream request timeout" : "",
      details,
      flag: "UT",
      modify: (headers) => this.#modify(headers),
    });
  }

  #mayRetry(policy: RetryPolicy): boolean {
    const cluster = this.#cluster as Cluster;
    if (this.#responded || (policy.requestHeaders.length > 0 && !policy.requestHeaders.some((match) => match(this.stream.request)))) return false;
    // A body that was not kept whole cannot be sent again.
    if (!this.#replayable) return false;
    if (this.#retries >= policy.maxRetries) {
      cluster.stats.upstream_rq_retry_limit_exceeded++;
      this.stream.addFlag("URX");
      return false;
    }
    if (cluster.load.retries >= cluster.maxRetries()) {
      cluster.stats.upstream_rq_retry_overflow++;
      this.stream.addFlag("UO");
      return false;
    }
    return true;
  }

  #retryLater(policy: RetryPolicy): void {
    const cluster = this.#cluster as Cluster;
    const { services } = this.stream.config;
    this.#cancelTry?.();
    this.#retries++;
    if (this.#host) (this.stream.triedHosts ??= []).push(this.#host);
    cluster.stats.upstream_rq_retry++;
    cluster.stats.upstream_rq_retry_backoff_exponential++;
    cluster.load.retries++;
    let waiting = true;
    const settle = (): void => {
      if (waiting) cluster.load.retries--;
      waiting = false;
    };
    const cancel = services.clock.after(backOffMs(policy, this.#retries, services.random), () => {
      settle();
      this.#cancelBackOff = undefined;
      this.#host = undefined;
      this.#tellTimeLeft();
      this.#try();
    });
    this.#cancelBackOff = () => {
      settle();
      cancel();
    };
  }

  #modify(headers: HeaderMap): void {
    if (this.#route.virtualHost.attemptCountInResponse) headers.set("x-envoy-attempt-count", String(this.stream.attempts));
  }

  // ---- book-keeping

  #prepareHead(): void {
    const { stream } = this;
    const action = this.#action;
    const { request } = stream;
    const { headers } = request;
    const { suppressEnvoyHeaders } = stream.config.router;
    if (this.#route.virtualHost.includeAttemptCount) headers.set("x-envoy-attempt-count", "1");
    if (action.presetHost !== undefined) request.authority = action.presetHost;
    this.#route.requestOps?.(headers, stream);
    const host = action.hostRewrite?.(request);
    if (host !== undefined && host !== "") this.#rewriteHost(host);
    const path = action.pathRewrite?.(request.path);
    // Nothing is no path.
    if (path) {
      if (!suppressEnvoyHeaders) headers.set("x-envoy-original-path", request.path);
      request.path = path;
    }
    this.#limits = requestLimits(headers, action, stream.grpc);
    this.#tellTimeLeft();
  }

  /** The next hop hears how long its answer is waited for. */
  #tellTimeLeft(): void {
    const { request, config, requestCompleteMs, startMono } = this.stream;
    if (config.router.suppressEnvoyHeaders) return;
    const elapsed = this.#retries === 0 || requestCompleteMs < 0 ? 0 : config.services.monotonic() - startMono - requestCompleteMs;
    tellTimeLeft(request.headers, this.#limits, elapsed, this.stream.grpc && this.#action.maxGrpcTimeoutMs !== undefined);
  }

  #rewriteHost(host: string): void {
    const { request, config } = this.stream;
    if (this.#action.appendXForwardedHost) request.headers.appendToValue("x-forwarded-host", request.authority);
    if (!config.router.suppressEnvoyHeaders) request.headers.set("x-envoy-original-host", request.authority);
    request.authority = host;
  }

  /** Envoy counts the route's timeout from the end of the request. */
  #requestComplete(): void {
    const timeout = this.#limits.timeoutMs;
    if (timeout === undefined || this.#cancelTimeout) return;
    this.#cancelTimeout = this.stream.config.services.clock.after(timeout, () => this.#timedOut("response_timeout", false));
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#kept ??= new KeptBody();
    if (this.#kept.push(bytes, start, end) || !this.#upstream) return;
    this.#replayable = false;
    this.#kept = undefined;
  }

  #count(by: 1 | -1): void {
    if (!this.#host || this.#counted === (by === 1)) return;
    this.#counted = by === 1;
    this.#host.rqActive += by;
    (this.#cluster as Cluster).load.requests += by;
  }

  /** The request has its final answer. */
  #charge(status: number): void {
    this.#cluster?.stats.answered(status, this.stream.request.headers.get("x-envoy-internal") === "true" ? "internal" : "external");
  }

  /** The response has come whole. */
  #completed(): void {
    const { stream } = this;
    this.#trace?.over(false);
    if (stream.requestCompleteMs < 0) return;
    this.#cluster?.stats.rqTime?.record(stream.config.services.monotonic() - stream.startMono - stream.requestCompleteMs);
  }

  #leaveUpstream(): void {
    this.#upstream = undefined;
    this.#cancelTry?.();
    this.#count(-1);
  }

  #dropUpstream(abandon: boolean): void {
    this.#withdraw?.();
    this.#withdraw = undefined;
    const upstream = this.#upstream;
    this.#leaveUpstream();
    this.#trace?.over(abandon);
    if (abandon) upstream?.abandon();
  }

  #end(): void {
    this.#over = true;
    this.#kept = undefined;
    this.#cancelTimeout?.();
    this.#cancelTry?.();
    this.#cancelBackOff?.();
    this.#cancelBackOff = undefined;
  }
}
