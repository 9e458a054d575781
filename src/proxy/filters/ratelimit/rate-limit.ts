import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HeaderValue } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import {
  RateLimit_XRateLimitHeadersRFCVersion as HeadersVersion,
  RateLimitPerRouteSchema,
  RateLimitSchema,
  type RateLimit,
} from "../../../proto/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts";
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
  type RateLimitResponse,
} from "../../../proto/gen/envoy/service/ratelimit/v3/rls_pb.ts";
import { durationMs } from "../../durations.ts";
import { grpcCluster } from "../../export/index.ts";
import type { HeaderMap } from "../../http/header-map.ts";
import type { HttpStream } from "../../http/http-stream.ts";
import { compileHeaderOps, type HeaderOps } from "../../router/header-ops.ts";
import { clusterName, type Route } from "../../router/route-table.ts";
import type { Services } from "../../services.ts";
import { InvalidResource } from "../../types.ts";
import { callGrpc } from "../../upstream/call.ts";
import type { HttpFilter, HttpFilterFactory } from "../http-filter.ts";
import { routeConfigOf, type TypedConfig } from "../typed-config.ts";
import { compileDescriptors, type Describe, type Descriptor } from "./descriptors.ts";
import { HOST_LIMITS, limitsOf } from "./route-limits.ts";

const PATH = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
/** Envoy's default. */
const DEFAULT_TIMEOUT_MS = 20;
/** gRPC's RESOURCE_EXHAUSTED. */
const RESOURCE_EXHAUSTED = 8;

/** `envoy.filters.http.ratelimit`: a service counts requests of the whole mesh, by what their routes say they count as. */
export const rateLimitFilter: HttpFilterFactory = {
  typeNames: [RateLimitSchema.typeName],
  routeTypeNames: [RateLimitPerRouteSchema.typeName],
  checkRoute: (config) => void config.read(RateLimitPerRouteSchema),
  create(config, { services, name }) {
    const proto = config.read(RateLimitSchema);
    const service = proto.rateLimitService?.grpcService;
    if (!service) throw new InvalidResource("INVALID_RATELIMIT", "ratelimit: rate_limit_service with a grpc_service is required");
    const shared: Shared = {
      ...grpcCluster(service),
      metadata: service.initialMetadata.map(({ key, value }) => [key.toLowerCase(), value] as const),
      timeoutMs: durationMs(proto.timeout) ?? DEFAULT_TIMEOUT_MS,
      proto,
      services,
      ops: compileHeaderOps({ add: proto.responseHeadersToAdd, remove: [] }, services.hostname),
    };
    return {
      forRoute(route) {
        const own = routeConfigOf(route, name);
        return own.disabled ? undefined : compile(shared, route, own.config);
      },
    };
  },
};

interface Shared {
  readonly cluster: string;
  readonly authority: string;
  readonly metadata: readonly (readonly [string, string])[];
  readonly timeoutMs: number;
  readonly proto: RateLimit;
  readonly services: Services;
  readonly ops: HeaderOps | undefined;
}

/** What the filter keeps of one request. */
interface Waiting {
  cancel?: () => void;
  headers?: readonly (readonly [string, string])[];
}

function compile(shared: Shared, route: Route | undefined, config: TypedConfig | undefined): HttpFilter | undefined {
  const own = config?.read(RateLimitPerRouteSchema);
  const describe = compileDescriptors(limitsOf(route, HOST_LIMITS[own?.vhRateLimits ?? 0] ?? "override"), shared.proto.stage);
  if (!describe) return undefined;
  return new GlobalRateLimit(shared, describe, own?.domain || shared.proto.domain);
}

class GlobalRateLimit implements HttpFilter {
  constructor(
    private readonly shared: Shared,
    private readonly describe: Describe,
    private readonly domain: string,
  ) {}

  onRequest(stream: HttpStream): "continue" | "stop" {
    const { requestType } = this.shared.proto;
    const internal = stream.request.headers.get("x-envoy-internal") === "true";
    if ((requestType === "internal" && !internal) || (requestType === "external" && internal)) return "continue";
    const descriptors = this.describe(stream);
    if (descriptors.length === 0) return "continue";
    const waiting: Waiting = {};
    (stream.filterState ??= new Map()).set(this, waiting);
    const cancel = this.#ask(descriptors, (response) => {
      delete waiting.cancel;
      if (!stream.done) this.#decide(stream, response, waiting);
    });
    if (!stream.decided(this)) waiting.cancel = cancel;
    return stream.decided(this) ? "continue" : "stop";
  }

  onReset(stream: HttpStream): void {
    (stream.filterState?.get(this) as Waiting | undefined)?.cancel?.();
  }

  onResponse(stream: HttpStream): "continue" {
    const headers = (stream.filterState?.get(this) as Waiting | undefined)?.headers;
    for (const [name, value] of headers ?? []) stream.responseHeaders?.append(name, value);
    return "continue";
  }

  #ask(descriptors: readonly Descriptor[], done: (response: RateLimitResponse | undefined) => void): () => void {
    const { cluster, authority, metadata, timeoutMs, services } = this.shared;
    const request = create(RateLimitRequestSchema, {
      domain: this.domain,
      descriptors: descriptors.map((entries) => ({ entries: entries.map(([key, value]) => ({ key, value })) })),
    });
    return callGrpc({ cluster, authority, path: PATH, message: toBinary(RateLimitRequestSchema, request), metadata, timeoutMs }, services, (result) =>
      done(result.kind === "message" ? read(result.bytes) : undefined),
    );
  }

  #decide(stream: HttpStream, response: RateLimitResponse | undefined, waiting: Waiting): void {
    const { proto } = this.shared;
    const count = (stat: string): void => this.#count(stream, stat);
    if (!response || response.overallCode === Code.UNKNOWN) {
      count("error");
      if (proto.failureModeDeny) {
        stream.localReply({ status: proto.statusOnError?.code || 500, body: "", details: "rate_limiter_error", flag: "RLSE" });
        return;
      }
      count("failure_mode_allowed");
    } else {
      const told = [
        ...headersOf(response.responseHeadersToAdd),
        ...(proto.enableXRatelimitHeaders === HeadersVersion.DRAFT_VERSION_03 ? limitHeaders(response) : []),
      ];
      if (response.overallCode === Code.OVER_LIMIT) {
        count("over_limit");
        this.#refuse(stream, response, told);
        return;
      }
      count("ok");
      waiting.headers = told;
      for (const [name, value] of headersOf(response.requestHeadersToAdd)) stream.request.headers.append(name, value);
    }
    stream.proceed(this);
  }

  #refuse(stream: HttpStream, response: RateLimitResponse, told: readonly (readonly [string, string])[]): void {
    const { proto, ops } = this.shared;
    const status = proto.rateLimitedStatus?.code ?? 0;
    stream.localReply({
      // As Envoy: below 400 a status would not tell the client anything.
      status: status >= 400 ? status : 429,
      body: Buffer.from(response.rawBody).toString("latin1"),
      details: "request_rate_limited",
      flag: "RL",
      headers: [...(proto.disableXEnvoyRatelimitedHeader ? [] : [["x-envoy-ratelimited", "true"] as const]), ...told],
      modify: ops && ((headers: HeaderMap) => ops(headers, stream)),
      ...(proto.rateLimitedAsResourceExhausted && { grpcStatus: RESOURCE_EXHAUSTED }),
    });
  }

  /** Envoy counts under the cluster that the request was going to. */
  #count(stream: HttpStream, stat: string): void {
    const name = stream.route && clusterName(stream.route.action, stream.request);
    const { statPrefix } = this.shared.proto;
    if (name !== undefined)
      this.shared.services.clusters
        .get(name)
        ?.stats.counter(`ratelimit.${statPrefix === "" ? "" : `${statPrefix}.`}${stat}`)
        .inc();
  }
}

function read(bytes: Uint8Array): RateLimitResponse | undefined {
  try {
    return fromBinary(RateLimitResponseSchema, bytes);
  } catch {
    // What is no answer is a failure of the service, and counted as one.
    return undefined;
  }
}

/** What a service says may come from anywhere: names and values that cannot stand in a header are left out. */
function headersOf(headers: readonly HeaderValue[]): [string, string][] {
  return headers.flatMap(({ key, value }): [string, string][] => {
    const name = key.toLowerCase();
    return /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) && name !== "host" && !/[\0\r\n]/.test(value)
      ? [[name, Buffer.from(value, "utf8").toString("latin1")]]
      : [];
  });
}

const SECONDS: Partial<Record<Unit, number>> = {
  [Unit.SECOND]: 1,
  [Unit.MINUTE]: 60,
  [Unit.HOUR]: 3600,
  [Unit.DAY]: 86_400,
  [Unit.MONTH]: 2_592_000,
  [Unit.YEAR]: 31_536_000,
};

/** The draft's headers (draft-polli-ratelimit-headers-03): of the limit that is nearest, with all others beside it. */
function limitHeaders({ statuses }: RateLimitResponse): [string, string][] {
  const limited = statuses.filter(({ currentLimit }) => currentLimit !== undefined);
  const nearest = limited.reduce<(typeof limited)[number] | undefined>(
    (least, each) => (least === undefined || each.limitRemaining < least.limitRemaining ? each : least),
    undefined,
  );
  if (!nearest) return [];
  const all = limited.map(
    ({ currentLimit }) =>
      `, ${currentLimit?.requestsPerUnit ?? 0};w=${SECONDS[currentLimit?.unit ?? Unit.UNKNOWN] ?? 0}${currentLimit?.name ? `;name="${currentLimit.name.replace(/[^\x20-\x7e]|["\\]/g, "")}"` : ""}`,
  );
  return [
    ["x-ratelimit-limit", `${nearest.currentLimit?.requestsPerUnit ?? 0}${all.join("")}`],
    ["x-ratelimit-remaining", String(nearest.limitRemaining)],
    ["x-ratelimit-reset", String(nearest.durationUntilReset?.seconds ?? 0n)],
  ];
}
