import type { HttpConnectionManager_Tracing } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { Services } from "../services.ts";
import type { StatScope } from "../telemetry/stat-scope.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { compileCustomTags, type ReadonlyTags } from "./custom-tags.ts";
import { compileSampler, type Sampler } from "./sampling.ts";
import type * as Tracers from "./tracers.ts";
import type { Tracer } from "./tracers.ts";
import { tagAttempt, tagRequest, type Attempt } from "./span-tags.ts";
import { RandomIds, type ActiveSpan } from "./span.ts";

export interface TracingContext {
  readonly services: Services;
  readonly stats: StatScope;
  readonly direction: "ingress" | "egress";
  /** False leaves the choice of traced requests to the tracer. */
  readonly byRequestId: boolean;
}

/** How much of a path http.url shows, without another word. */
const DEFAULT_MAX_PATH = 256;

/** A connection manager's tracing: who is traced, under which name, and what is said of it. */
export class HttpTracing {
  readonly spawnsUpstreamSpan: boolean;
  readonly #sample: Sampler;
  readonly #tracer: Tracer | undefined;
  readonly #tags: ReadonlyTags;
  readonly #maxPath: number;

  /** Throws InvalidResource. */
  constructor(
    proto: HttpConnectionManager_Tracing,
    private readonly context: TracingContext,
  ) {
    const { services, stats, byRequestId } = context;
    this.#sample = compileSampler(proto, byRequestId, stats, services.random);
    // Few meshes have a tracer: its code is loaded with the first.
    this.#tracer = proto.provider && (require("./tracers.ts") as typeof Tracers).compileTracer(proto.provider, services);
    this.#tags = compileCustomTags(proto.customTags, process.env, services.hostname);
    this.#maxPath = proto.maxPathTagLength ?? DEFAULT_MAX_PATH;
    this.spawnsUpstreamSpan = proto.spawnUpstreamSpan ?? false;
  }

  /** Decides on a request whose route is known; the span is undefined where there is no tracer. */
  begin(stream: HttpStream): void {
    const { request } = stream;
    const traced = this.#sample(request.headers);
    const tracer = this.#tracer;
    if (!tracer) return;
    const { direction, services } = this.context;
    const kind = direction === "ingress" || this.spawnsUpstreamSpan ? "server" : "client";
    const operation = stream.route?.decorator?.operation ?? "";
    const name = operation !== "" ? operation : tracer.defaultName(direction, request.authority);
    const span = tracer.start(request.headers, { name, kind, traced, startMs: stream.startTime });
    if (!span) return;
    // A caller's proxy has said what this operation is called.
    const called = direction === "ingress" ? request.headers.get("x-envoy-decorator-operation") : undefined;
    if (called !== undefined && called !== "") span.name = called;
    if (span.sampled) span.tags.push(["node_id", services.node.id], ["zone", services.node.locality?.zone ?? ""]);
    stream.span = span;
  }

  /** Begins a try at an upstream: a span of its own, where those are made. */
  attempt(stream: HttpStream, cluster: string): AttemptTrace | undefined {
    const { span } = stream;
    if (!span || !this.spawnsUpstreamSpan) return undefined;
    return new AttemptTrace(childOf(span, `router ${cluster} egress`, this.#now(stream)), stream.attempts, (attempt, trace) => {
      if (!trace.sampled) return;
      trace.endMs = this.#now(stream);
      tagAttempt(trace, stream, attempt, this.#tags);
      this.#tracer?.report(trace);
    });
  }

  /** Tells the next hop, in every try: each may have its own span. */
  inject(stream: HttpStream, attempt: AttemptTrace | undefined): void {
    const span = attempt?.span ?? stream.span;
    if (span) this.#tracer?.propagation.inject(stream.request.headers, span);
  }

  /** The request is over. */
  finish(stream: HttpStream): void {
    const { span } = stream;
    if (!span?.sampled) return;
    span.endMs = span.startMs + stream.durationMs;
    tagRequest(span, stream, this.#maxPath, this.#tags);
    this.#tracer?.report(span);
  }

  #now(stream: HttpStream): number {
    return stream.startTime + this.context.services.monotonic() - stream.startMono;
  }
}

/** One try at an upstream, under its own span. */
export class AttemptTrace implements Attempt {
  address = "";
  protocol = "HTTP/1.1";
  status = 0;
  flags = "";
  reset = "";
  cancelled = false;
  #over = false;

  constructor(
    readonly span: ActiveSpan,
    readonly number: number,
    private readonly report: (attempt: Attempt, span: ActiveSpan) => void,
  ) {}

  to(address: string, version: 1 | 2): void {
    this.address = address;
    if (version === 2) this.protocol = "HTTP/2";
  }

  failed(reason: string, flag: string): void {
    this.reset = reason;
    this.flags = flag;
    this.over(false);
  }

  over(cancelled: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.cancelled = cancelled;
    this.report(this, this.span);
  }
}

const IDS = new RandomIds();

function childOf(parent: ActiveSpan, name: string, startMs: number): ActiveSpan {
  const { traceId, sampled, traceState, singleB3 } = parent;
  return {
    traceId,
    sampled,
    traceState,
    singleB3,
    spanId: IDS.hex(8),
    parentId: parent.spanId,
    remoteParent: false,
    name,
    kind: "client",
    startMs,
    endMs: startMs,
    tags: [],
  };
}
