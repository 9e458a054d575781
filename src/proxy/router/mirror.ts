import type { ResponseSink, UpstreamStream } from "../http/codec.ts";
import type { HttpStream } from "../http/http-stream.ts";
import type { RequestHead } from "../http/header-map.ts";
import { machineAddress } from "../http/request-mutation.ts";
import type { PooledConnection, PoolWaiter } from "../upstream/pool.ts";

/** A larger body is not mirrored: the copy is sent only when it is whole, so that it never slows the request down. */
const MAX_BODY = 1024 * 1024;
/** Nobody waits for a mirror's answer: it is given up after this (the default route timeout). */
const TIMEOUT_MS = 15_000;

export interface MirrorTarget {
  readonly cluster: string;
  readonly suffix: boolean;
}

/** A copy of a request on its way to another cluster, whose answer nobody reads. */
export class RequestMirror implements PoolWaiter, ResponseSink {
  #body: Buffer[] = [];
  #size = 0;
  #upstream: UpstreamStream | undefined;
  #cancel: (() => void) | undefined;

  constructor(
    private readonly stream: HttpStream,
    private readonly head: RequestHead,
    private readonly cluster: string,
  ) {}

  onBody(bytes: Buffer, start: number, end: number): void {
    this.#size += end - start;
    if (this.#size <= MAX_BODY) this.#body.push(bytes.subarray(start, end));
  }

  onEnd(): void {
    const { services } = this.stream.config;
    const cluster = services.clusters.get(this.cluster);
    if (!cluster || this.#size > MAX_BODY) return;
    const host = cluster.isOriginalDestination
      ? this.stream.downstream.destinationRestored && cluster.originalDestination(this.stream.downstream.local)
      : cluster.choose();
    if (!host) return;
    let withdraw: (() => void) | undefined;
    this.#cancel = services.clock.after(TIMEOUT_MS, () => {
      withdraw?.();
      this.#upstream?.abandon();
    });
    withdraw = cluster
      .pool(host, {
        alpn: this.stream.upstreamAlpn,
        downstream: this.stream.protocol === "HTTP/2" ? 2 : 1,
        authority: this.head.authority,
        client: this.stream.downstream,
      })
      .acquire(this);
  }

  onPoolReady(connection: PooledConnection): void {
    this.#upstream = connection.stream;
    const last = this.#body.length === 0;
    connection.stream.send(this.head, last, this);
    if (last) return;
    for (const bytes of this.#body) connection.stream.writeBody(bytes, 0, bytes.length);
    connection.stream.writeEnd(undefined);
  }

  onPoolFailure(): void {
    this.#done();
  }
  onInformational(): void {}
  onResponseHead(_status: number, _headers: unknown, endStream: boolean): void {
    if (endStream) this.#done();
  }
  onResponseBody(): boolean {
    return true;
  }
  onResponseEnd(): void {
    this.#done();
  }
  onBatchEnd(): void {}
  onUpstreamReset(): void {
    this.#done();
  }
  onUpstreamWritable(): void {}

  #done(): void {
    this.#cancel?.();
    this.#upstream = undefined;
    this.#body = [];
  }
}

/** Starts a mirror of the stream's request, as it goes upstream; its host name says that it is a shadow. */
export function mirrorRequest(stream: HttpStream, target: MirrorTarget, endStream: boolean): void {
  const { request } = stream;
  const authority = target.suffix ? request.authority.replace(/(:\d+)?$/, "-shadow$1") : request.authority;
  const headers = request.headers.clone();
  // Whoever gets it shall know that it comes from here.
  headers.set("x-envoy-internal", "true");
  headers.appendToValue("x-forwarded-for", machineAddress());
  const mirror = new RequestMirror(stream, { ...request, authority, headers }, target.cluster);
  (stream.mirrors ??= []).push(mirror);
  if (endStream) mirror.onEnd();
}
