import type { ResetReason, ResponseSink, UpstreamStream } from "../http/codec.ts";
import { HeaderMap, type RequestHead } from "../http/header-map.ts";
import type { Services } from "../services.ts";
import type { PooledConnection, PoolWaiter } from "./pool.ts";

export interface Call {
  readonly cluster: string;
  readonly head: RequestHead;
  readonly body: Buffer;
  readonly timeoutMs: number;
}

export type CallResult =
  | { readonly kind: "response"; readonly status: number; readonly headers: HeaderMap; readonly body: Buffer; readonly trailers: HeaderMap | undefined }
  | { readonly kind: "failure"; readonly reason: string };

/** What the proxy itself asks of a service is small: a larger answer is not read. */
const MAX_RESPONSE = 1024 * 1024;

/** One request of the proxy's own to a cluster, such as an authorization check. The returned function gives it up. */
export function callCluster(call: Call, services: Services, done: (result: CallResult) => void): () => void {
  const exchange = new CallExchange(call, services, done);
  exchange.start();
  return () => exchange.cancel();
}

export type GrpcResult = { readonly kind: "message"; readonly bytes: Buffer } | { readonly kind: "failure"; readonly reason: string };

/** A unary gRPC call: one message there, one back, or none where `answersNothing` allows that. */
export function callGrpc(
  call: {
    readonly cluster: string;
    readonly authority?: string;
    readonly path: string;
    readonly message: Uint8Array;
    readonly metadata: readonly (readonly [string, string])[];
    readonly timeoutMs: number;
    readonly answersNothing?: boolean;
  },
  services: Services,
  done: (result: GrpcResult) => void,
): () => void {
  const body = Buffer.alloc(5 + call.message.length);
  body.writeUInt32BE(call.message.length, 1);
  body.set(call.message, 5);
  const headers = HeaderMap.from([["te", "trailers"], ["content-type", "application/grpc"], ...call.metadata]);
  const head: RequestHead = {
    method: "POST",
    path: call.path,
    authority: call.authority ?? call.cluster,
    scheme: "http",
    protocol: "HTTP/2",
    headers,
    upgrade: undefined,
  };
  return callCluster({ cluster: call.cluster, head, body, timeoutMs: call.timeoutMs }, services, (result) => {
    if (result.kind === "failure") {
      done(result);
      return;
    }
    const status = result.trailers?.get("grpc-status") ?? result.headers.get("grpc-status");
    const message = result.body;
    if (result.status !== 200 || status !== "0") done({ kind: "failure", reason: `gRPC status ${status ?? "missing"}, HTTP ${result.status}` });
    else if (call.answersNothing && message.length === 0) done({ kind: "message", bytes: message });
    else if (message.length < 5 || message[0] !== 0 || message.readUInt32BE(1) !== message.length - 5)
      done({ kind: "failure", reason: "not one plain gRPC message" });
    else done({ kind: "message", bytes: message.subarray(5) });
  });
}

class CallExchange implements PoolWaiter, ResponseSink {
  #upstream: UpstreamStream | undefined;
  #withdraw: (() => void) | undefined;
  #cancelTimeout: (() => void) | undefined;
  #status = 0;
  #headers = new HeaderMap();
  #body: Buffer[] = [];
  #size = 0;
  #over = false;

  constructor(
    private readonly call: Call,
    private readonly services: Services,
    private readonly done: (result: CallResult) => void,
  ) {}

  start(): void {
    const cluster = this.services.clusters.get(this.call.cluster);
    const host = cluster?.choose();
    if (!cluster || !host) {
      this.#settle({ kind: "failure", reason: cluster ? "no healthy upstream" : `no cluster ${this.call.cluster}` });
      return;
    }
    this.#cancelTimeout = this.services.clock.after(this.call.timeoutMs, () => {
      this.#abandon();
      this.#settle({ kind: "failure", reason: "timeout" });
    });
    this.#withdraw = cluster
      .pool(host, { alpn: undefined, downstream: this.call.head.protocol === "HTTP/2" ? 2 : 1, authority: this.call.head.authority, client: undefined })
      .acquire(this);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout?.();
    this.#abandon();
  }

  onPoolReady({ stream }: PooledConnection): void {
    this.#withdraw = undefined;
    this.#upstream = stream;
    const { head, body } = this.call;
    stream.send(head, body.length === 0, this);
    if (body.length === 0) return;
    stream.writeBody(body, 0, body.length);
    stream.writeEnd(undefined);
  }

  onPoolFailure(reason: ResetReason, detail: string): void {
    this.#settle({ kind: "failure", reason: detail === "" ? reason : detail });
  }

  onInformational(): void {}

  onResponseHead(status: number, headers: HeaderMap, endStream: boolean): void {
    this.#status = status;
    this.#headers = headers;
    if (endStream) this.onResponseEnd(undefined);
  }

  onResponseBody(bytes: Buffer, start: number, end: number): boolean {
    this.#size += end - start;
    if (this.#size > MAX_RESPONSE) {
      this.#abandon();
      this.#settle({ kind: "failure", reason: "the answer is too large" });
    } else this.#body.push(bytes.subarray(start, end));
    return false;
  }

  onResponseEnd(trailers: HeaderMap | undefined): void {
    this.#upstream = undefined;
    this.#settle({ kind: "response", status: this.#status, headers: this.#headers, body: Buffer.concat(this.#body), trailers });
  }

  onBatchEnd(): void {}

  onUpstreamReset(reason: ResetReason): void {
    this.#upstream = undefined;
    this.#settle({ kind: "failure", reason });
  }

  onUpstreamWritable(): void {}

  #abandon(): void {
    this.#withdraw?.();
    this.#withdraw = undefined;
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.abandon();
  }

  #settle(result: CallResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout?.();
    this.done(result);
  }
}
