import type { BodyTransform } from "./body-transform.ts";
import type { FilterPlan, HcmConfig } from "./hcm-config.ts";
import type { HttpConnection } from "./connection-manager.ts";
import type { RequestSink, ServerStream } from "./codec.ts";
import { HeaderMap, type RequestHead } from "./header-map.ts";
import { decorateRequest, decorateResponse } from "./decorator.ts";
import { HeldBody } from "./held-body.ts";
import type { MessageError } from "./message-error.ts";
import type { HttpFilter } from "../filters/http-filter.ts";
import { answerRequest, type LocalReply } from "./local-reply.ts";
import { checkRequest } from "./check-request.ts";
import { mutateRequestHeaders, removeHopByHop, takeExpectation } from "./request-mutation.ts";
import { statusText } from "./status-text.ts";
import { StreamTimers } from "./stream-timers.ts";
import { isGrpc } from "../router/route-match.ts";
import { clusterName, type Route, type RouteTable } from "../router/route-table.ts";
import type { RequestMirror } from "../router/mirror.ts";
import { Router } from "../router/router.ts";
import type { HttpStats } from "../telemetry/stat-scope.ts";
import { StreamInfo, type StreamLoss } from "../telemetry/stream-info.ts";
import type { PeerMetadata } from "../telemetry/peer-metadata.ts";

/**
 * One exchange: a request passes the filters and is routed, the response passes them back. It holds all that filters,
 * metrics and logs need to know of it, and makes sure that each exchange ends exactly once.
 */
export class HttpStream extends StreamInfo implements RequestSink {
  readonly config: HcmConfig;
  declare request: RequestHead;
  declare route: Route | undefined;
  routeTable: RouteTable | undefined;
  /** In [0, 1), the same for all fractions and weights of this request. */
  readonly draw: number;
  /** Instead of the upstream transport's own ALPN, set by the istio.alpn filter. */
  upstreamAlpn: readonly string[] | undefined;
  /** What the other workloads said of themselves. */
  downstreamPeer: PeerMetadata | undefined;
  upstreamPeer: PeerMetadata | undefined;
  /** The request asked with these headers to be told of us too. */
  peerAsksMetadata = false;
  peerAsksId = false;
  requestEnded: boolean;
  /** Copies of this request that are under way to mirrors. */
  mirrors: RequestMirror[] | undefined;
  /** State that a filter keeps for this request, by filter. */
  filterState: Map<unknown, unknown> | undefined;
  grpc = false;
  /** The host (`ip:port`) that this request belongs to, if it may be used; `strict`: no other. */
  overrideHost: { readonly address: string; readonly strict: boolean } | undefined;
  requestTransform: BodyTransform | undefined;
  responseTransform: BodyTransform | undefined;
  #plan: FilterPlan | undefined;
  #requestFilter = 0;
  #responseFilter = 0;
  #router: Router | undefined;
  #held: HeldBody | undefined;
  #inFilters = false;
  #proceeded: HttpFilter | undefined;
  #phase: "request" | "routing" | "responding" | "done" = "request";
  #responseEnd = false;
  #headWritten = false;
  #heldResponse: HeldBody | undefined;
  #upgraded = false;
  #logged = false;
  #askedPath = "";
  #askedAuthority = "";
  #decorator: string | undefined;
  #timers: StreamTimers | undefined;
  readonly #stats: HttpStats;

  constructor(
    readonly connection: HttpConnection,
    readonly codec: ServerStream,
    request: RequestHead | undefined,
    endStream: boolean,
    headSize: number,
  ) {
    const now = connection.config.services.monotonic();
    super(connection.info, connection.config.services.wall(now), now);
    this.config = connection.config;
    this.requestEnded = endStream;
    this.requestHeadBytes = headSize;
    this.draw = this.config.services.random();
    if (request) {
      this.request = request;
      this.protocol = request.protocol;
    } else this.protocol = codec.protocol;
    this.#stats = this.config.stats;
    this.#stats.downstream_rq_total++;
    this.#stats.downstream_rq_active++;
    if (this.protocol === "HTTP/2") this.#stats.downstream_rq_http2_total++;
    else this.#stats.downstream_rq_http1_total++;
  }

  get done(): boolean {
    return this.#phase === "done";
  }

  get headWritten(): boolean {
    return this.#headWritten;
  }

  /** Runs the request from its head on. */
  start(): void {
    const { request, config, connection } = this;
    if (this.requestEnded) this.requestCompleteMs = 0;
    if (!config.proxy100Continue && takeExpectation(request.headers)) {
      this.responseStatus = 100;
      this.codec.writeInformational(100, new HeaderMap());
    }
    this.grpc = isGrpc(request);
    const invalid = checkRequest(request, config);
    if (invalid) {
      if (invalid.close) this.connection.closeAfterResponse();
      return this.localReply(invalid.reply);
    }
    const refused = mutateRequestHeaders(request, this, connection.info, config, connection.uuid);
    if (refused !== undefined) return this.localReply({ status: refused, body: "", details: "rejecting_because_detection_failed" });
    this.#askedPath = request.path;
    this.#askedAuthority = request.authority;
    this.routeTable = config.routes.current();
    this.route = this.routeTable?.route(request, this, this.draw);
    config.tracer?.begin(this);
    this.#decorator = decorateRequest(request.headers, this.route, config.tracing);
    this.#routeFound();
    if (request.upgrade !== undefined && (this.route || request.upgrade !== "connect") && !(this.route && config.allowsUpgrade(request.upgrade, this.route))) {
      this.#stats.downstream_rq_ws_on_non_ws_route++;
      return this.localReply({ status: 403, body: "", details: "upgrade_failed" });
    }
    this.#timers = StreamTimers.start(this);
    this.#plan = config.plan(this.route);
    this.continueRequest();
  }

  /** Lets the next request filter run: called by a filter that had stopped. */
  continueRequest(): void {
    if (this.#phase !== "request") return;
    const filters = (this.#plan as FilterPlan).request;
    while (this.#requestFilter < filters.length) {
      const filter = filters[this.#requestFilter++];
      this.#inFilters = true;
      const result = filter?.onRequest?.(this);
      this.#inFilters = false;
      if (result === "stop" || this.#phase !== "request") return;
    }
    this.#phase = "routing";
    const router = new Router(this);
    this.#router = router;
    router.start(this.requestEnded && !this.#held);
    if (this.#held) this.#releaseRequest(this.#held, router);
  }

  /** What filters held back of the body goes its way. (Apart, since the closures' scope would cost every request.) */
  #releaseRequest(held: HeldBody, router: Router): void {
    this.#held = undefined;
    this.codec.resumeRequest();
    held.release(
      (bytes, start, end) => this.#routeBody(router, bytes, start, end),
      (trailers) => this.#routeEnd(router, trailers),
      () => this.done,
    );
  }

  #routeBody(router: Router, bytes: Buffer, start: number, end: number): boolean {
    if (!this.requestTransform) return router.onRequestBody(bytes, start, end);
    const changed = this.requestTransform.chunk(bytes.subarray(start, end));
    if (changed && changed.length > 0) router.onRequestBody(changed, 0, changed.length);
    return false;
  }

  #routeEnd(router: Router, trailers: HeaderMap | undefined): void {
    if (!this.requestTransform) {
      router.onRequestEnd(trailers);
      return;
    }
    const last = this.requestTransform.end(trailers);
    if (!last) return;
    if (last.bytes.length > 0) router.onRequestBody(last.bytes, 0, last.bytes.length);
    router.onRequestEnd(last.trailers);
  }

  /** Whether a filter that waited for something has gone on (or answered) already, within its own call. */
  decided(filter: HttpFilter): boolean {
    return this.done || this.#proceeded === filter;
  }

  /** As `continueRequest`, for filters that may be answered before their call has returned. */
  proceed(filter: HttpFilter): void {
    this.#proceeded = filter;
    if (!this.#inFilters) this.continueRequest();
  }

  /** The request has changed: which route is for it may have changed too. The filters stay those of the first. */
  refreshRoute(): void {
    this.route = this.routeTable?.route(this.request, this, this.draw);
    this.#routeFound();
  }

  /** Lets the body come until it is whole or has so many bytes; it still goes upstream afterwards. */
  bufferBody(maxBytes: number, ready: (bytes: Buffer, whole: boolean) => void): void {
    const held = (this.#held ??= new HeldBody());
    held.want(maxBytes, (bytes, whole) => {
      if (!held.ended) this.codec.pauseRequest();
      ready(bytes, whole);
    });
  }

  // ---- the request's body, from the codec

  onBody(bytes: Buffer, start: number, end: number): boolean {
    this.bytesReceived += end - start;
    this.#timers?.touch();
    if (this.#phase === "request") {
      // A filter holds the request: keep what has come, let no more come.
      const held = (this.#held ??= new HeldBody());
      held.push(bytes, start, end);
      if (this.#held === held && !held.wanted) this.codec.pauseRequest();
      return false;
    }
    return this.#router === undefined || this.#routeBody(this.#router, bytes, start, end);
  }

  onRequestEnd(trailers: HeaderMap | undefined): void {
    this.requestEnded = true;
    this.requestCompleteMs = this.#elapsed();
    const kept = this.config.enableTrailers || this.protocol === "HTTP/2" ? trailers : undefined;
    if (this.#phase === "request") (this.#held ??= new HeldBody()).end(kept);
    else if (this.#router) this.#routeEnd(this.#router, kept);
    // HTTP/1 has no half-closed tunnels: a client that ends its half has gone, whatever still comes back.
    if (this.#upgraded && this.protocol !== "HTTP/2") this.clientGone();
    // The server's half of a tunnel had ended before.
    if (this.#upgraded && this.#responseEnd) this.#complete();
  }

  onRequestReset(error: MessageError | undefined, loss?: StreamLoss): void {
    if (this.done) return;
    if (error) {
      this.protocolError(error);
      return;
    }
    this.#stats.downstream_rq_rx_reset++;
    this.clientGone(loss);
    this.#abandon();
  }

  onWritable(): void {
    this.#router?.onDownstreamWritable();
  }

  /** The client broke the protocol: answered if it still can be. */
  protocolError(error: MessageError): void {
    this.addFlag("DPE");
    this.connection.protocolBroken = true;
    if (this.#headWritten) {
      this.details = error.detail;
      this.resetDownstream();
      return;
    }
    this.connection.closeAfterResponse();
    this.localReply({ status: error.status, body: statusText(error.status), details: error.detail });
  }

  // ---- answers

  /** Answers in the upstream's place. Whatever was under way upstream is given up. */
  localReply(reply: LocalReply): void {
    if (this.done) return;
    if (this.#headWritten) {
      this.details = reply.details;
      if (reply.flag) this.addFlag(reply.flag);
      this.resetDownstream();
      return;
    }
    this.#router?.abandon();
    this.#router = undefined;
    this.details = reply.details;
    if (reply.flag) this.addFlag(reply.flag);
    const { status, headers, body, headOnly } = answerRequest(reply, this, this.config.localReplies, this.grpc);
    // Filters see answers to requests too that never came as far as to them.
    if (this.request as RequestHead | undefined) this.#plan ??= this.config.plan(undefined);
    this.respond(status, headers, headOnly);
    if (this.done || headOnly) return;
    const bytes = Buffer.from(body, "latin1");
    this.respondBody(bytes, 0, bytes.length);
    this.respondEnd(undefined);
  }

  respondInformational(status: number, headers: HeaderMap): void {
    if (this.#headWritten || this.done) return;
    removeHopByHop(headers, false);
    this.responseStatus = status;
    this.codec.writeInformational(status, headers);
  }

  /** The response's head, from the upstream or from a local reply. */
  respond(status: number, headers: HeaderMap, endStream: boolean): void {
    this.#phase = "responding";
    this.responseStatus = status;
    this.responseHeaders = headers;
    this.responseStartMs = this.#elapsed();
    this.#responseEnd = endStream;
    this.#responseFilter = 0;
    this.continueResponse();
  }

  /** Lets the next response filter run: called by a filter that had stopped. */
  continueResponse(): void {
    const filters = this.#plan?.response;
    while (filters && this.#responseFilter < filters.length) {
      const filter = filters[this.#responseFilter++];
      if (filter?.onResponse?.(this) === "stop") {
        this.#heldResponse ??= new HeldBody();
        return;
      }
      if (this.done) return;
    }
    this.#writeHead();
    const held = this.#heldResponse;
    if (!held) return;
    this.#heldResponse = undefined;
    held.release(
      (bytes, start, end) => this.respondBody(bytes, start, end),
      (trailers) => this.respondEnd(trailers),
      () => this.done,
    );
  }

  /** The response has no body and no trailers. */
  get responseHeadOnly(): boolean {
    return this.#responseEnd;
  }

  /** For a filter that stops the response until its body is whole or has so many bytes; it still goes on afterwards. */
  bufferResponse(maxBytes: number, ready: (bytes: Buffer) => void): void {
    (this.#heldResponse ??= new HeldBody()).want(maxBytes, ready);
  }

  /** What `respondBody` is given is kept, or may be: by a filter that waits for more, or one that changes it. */
  get keepsResponseBody(): boolean {
    return this.#heldResponse !== undefined || this.responseTransform !== undefined;
  }

  /** False asks for a pause. True says as well that nothing was kept, unless `keepsResponseBody`. `size`: see ResponseSink. */
  respondBody(bytes: Buffer, start: number, end: number, size?: number): boolean {
    if (this.#heldResponse) {
      this.#heldResponse.push(bytes, start, end);
      return this.#heldResponse === undefined || this.#heldResponse.wanted;
    }
    this.#timers?.touch();
    if (!this.responseTransform) {
      this.bytesSent += size ?? end - start;
      return this.codec.writeBody(bytes, start, end, size !== undefined);
    }
    const changed = this.responseTransform.chunk(bytes.subarray(start, end));
    if (!changed) return true;
    this.bytesSent += changed.length;
    return this.codec.writeBody(changed, 0, changed.length);
  }

  respondEnd(trailers: HeaderMap | undefined): void {
    if (this.done) return;
    if (this.#heldResponse) return this.#heldResponse.end(trailers);
    this.responseTrailers = trailers;
    const last = this.responseTransform?.end(trailers);
    if (last && last.bytes.length > 0) {
      this.bytesSent += last.bytes.length;
      this.codec.writeBody(last.bytes, 0, last.bytes.length);
    }
    const rest = last ? last.trailers : trailers;
    const kept = this.config.enableTrailers || this.protocol === "HTTP/2" ? rest : undefined;
    if (this.#tunnelGoesOn()) this.codec.writeEnd(kept);
    else {
      this.#phase = "done";
      this.codec.writeEnd(kept);
      this.#complete();
    }
  }

  flushResponse(): void {
    if (!this.done && !this.#heldResponse) this.codec.flush();
  }

  /** The response cannot be completed: the client learns it by the connection (or the stream) ending. */
  resetDownstream(): void {
    if (this.done) return;
    this.#stats.downstream_rq_tx_reset++;
    // Nobody else tells the upstream: the codec has let go of this exchange by then.
    this.#router?.abandon();
    this.#complete();
    this.codec.reset("local_reset");
  }

  get isTunnel(): boolean {
    return this.#upgraded;
  }

  /** The policy has changed while this request is under way: what it would refuse now must not go on. */
  rejudge(config: HcmConfig): void {
    if (this.#phase === "request" || this.#phase === "done") return;
    const { request } = this;
    const { path, authority } = request;
    // Policies judge what the client asked for, not what a route has made of it.
    request.path = this.#askedPath;
    request.authority = this.#askedAuthority;
    const route = config.routes.current()?.route(request, this, this.draw);
    const refusal = config
      .plan(route)
      .request.map((filter) => filter.refuses?.(this))
      .find((each) => each !== undefined);
    request.path = path;
    request.authority = authority;
    if (refusal) this.localReply(refusal);
  }

  /** Both sides speak another protocol from here on. */
  upgraded(): void {
    this.#upgraded = true;
    this.#stats.downstream_cx_upgrades_total++;
    this.#stats.downstream_cx_upgrades_active++;
    this.codec.upgrade();
  }

  #writeHead(): void {
    const { config, codec, connection } = this;
    const headers = this.responseHeaders as HeaderMap;
    const status = this.responseStatus;
    if (!headers.has("date")) headers.append("date", connection.date());
    if (config.serverHeader === "overwrite") headers.set("server", config.serverName);
    else if (config.serverHeader === "append_if_absent" && !headers.has("server")) headers.append("server", config.serverName);
    const switching = status === 101 && this.request?.upgrade !== undefined;
    removeHopByHop(headers, switching);
    if (config.via !== "") headers.appendToValue("via", config.via, ", ");
    if (config.requestIdInResponse) {
      const id = this.request?.headers.get("x-request-id");
      if (id !== undefined) headers.set("x-request-id", id);
    }
    const tunnel = switching || (this.request?.method === "CONNECT" && status >= 200 && status < 300);
    let close = false;
    if (this.protocol !== "HTTP/2" && !tunnel) {
      close = !this.requestEnded || connection.closing;
      if (close) headers.set("connection", "close");
    }
    decorateResponse(headers, this.#decorator, config.tracing);
    if (tunnel) this.upgraded();
    this.#headWritten = true;
    this.#stats.responded(status);
    if (!this.#responseEnd) {
      this.responseHeadBytes = codec.writeHead(status, headers, false, close);
      return;
    }
    // Nothing may come back from the last write before the request counts as done; the log follows it.
    this.#phase = "done";
    this.responseHeadBytes = codec.writeHead(status, headers, true, close);
    this.#complete();
  }

  /** One direction of a tunnel has ended; the other goes on until the client ends it. */
  #tunnelGoesOn(): boolean {
    if (!this.#upgraded || this.requestEnded) return false;
    this.#responseEnd = true;
    return true;
  }

  #abandon(): void {
    this.#router?.abandon();
    this.#router = undefined;
    if (this.#phase === "request") this.#plan?.request[this.#requestFilter - 1]?.onReset?.(this);
    this.#complete();
  }

  #complete(): void {
    if (this.#logged) return;
    this.#logged = true;
    this.#phase = "done";
    this.#router = undefined;
    this.durationMs = this.#elapsed();
    this.#timers?.stop();
    this.#stats.downstream_rq_active--;
    if (this.#upgraded) this.#stats.downstream_cx_upgrades_active--;
    if (!this.requestEnded && this.#headWritten) this.#stats.downstream_rq_response_before_rq_complete++;
    this.#stats.rqTime?.record(this.durationMs);
    for (const filter of this.#plan?.complete ?? []) filter.onComplete?.(this);
    if (this.span) this.config.tracer?.finish(this);
    this.config.accessLog?.(this);
    this.connection.onStreamDone(this);
  }

  /** What logs and metrics say of the route, also when the request does not get as far as its cluster. */
  #routeFound(): void {
    const { route } = this;
    this.routeName = route?.name ?? "";
    this.virtualHostName = route?.virtualHost.name ?? "";
    const name = route && clusterName(route.action, this.request);
    this.upstreamCluster = name === undefined ? undefined : this.config.services.clusters.get(name);
  }

  #elapsed(): number {
    return this.config.services.monotonic() - this.startMono;
  }
}
