import { toBinary } from "@bufbuild/protobuf";
import {
  ZipkinConfig_CollectorEndpointVersion,
  ZipkinConfig_TraceContextOption,
  ZipkinConfigSchema,
  type ZipkinConfig,
} from "../../proto/gen/envoy/config/trace/v3/zipkin_pb.ts";
import { compileHttpTarget, httpTarget, type Deliver } from "../export/index.ts";
import type { Services } from "../services.ts";
import { InvalidResource } from "../types.ts";
import { B3, B3_WITH_W3C } from "./propagation.ts";
import { SpanExporter } from "./span-exporter.ts";
import { RandomIds } from "./span.ts";
import type { Tracer } from "./tracers.ts";
import { encodeZipkinSpans } from "./zipkin-spans.ts";

/** As Envoy's `tracing.zipkin.request_timeout`. */
const TIMEOUT_MS = 5000;
const ids = new RandomIds();

/** `envoy.tracers.zipkin`: B3's headers, spans as JSON by HTTP. Throws InvalidResource. */
export function zipkinTracer(config: ZipkinConfig, services: Services): Tracer {
  const deliver = target(config);
  const propagation = config.traceContextOption === ZipkinConfig_TraceContextOption.USE_B3_WITH_W3C_PROPAGATION ? B3_WITH_W3C : B3;
  const endpoint = { serviceName: services.node.cluster, ...ownAddress(services), port: 0 };
  const key = `zipkin ${Buffer.from(toBinary(ZipkinConfigSchema, config)).toString("base64")}`;
  const exporter = services.exporters.get(key, () => new SpanExporter("tracing.zipkin", (spans) => encodeZipkinSpans(spans, endpoint), deliver, services));
  // A server's span may be the very one that the client had begun.
  const shared = config.sharedSpanContext ?? true;
  return {
    propagation,
    start(headers, { name, kind, traced, startMs }) {
      const parent = propagation.extract(headers);
      if (parent === "malformed") return undefined;
      const own = ids.hex(8);
      const joins = parent !== undefined && shared && kind === "server";
      return {
        // The first span's id is the end of its trace's, as Zipkin's own libraries have it.
        traceId: parent?.traceId ?? (config.traceId128bit ? ids.hex(8) + own : own),
        spanId: joins ? parent.spanId : own,
        parentId: joins ? "" : (parent?.spanId ?? ""),
        sampled: parent?.sampled ?? traced,
        traceState: parent?.traceState ?? "",
        remoteParent: parent !== undefined,
        singleB3: parent?.singleB3 ?? false,
        name,
        kind,
        startMs,
        endMs: startMs,
        tags: [],
      };
    },
    defaultName: (_direction, authority) => authority,
    report: (span) => exporter.report(span),
  };
}

function target(config: ZipkinConfig): Deliver {
  const version = config.collectorEndpointVersion;
  if (version !== ZipkinConfig_CollectorEndpointVersion.HTTP_JSON) {
    throw new InvalidResource(
      "UNSUPPORTED_ZIPKIN",
      `zipkin: collector_endpoint_version ${ZipkinConfig_CollectorEndpointVersion[version] ?? version} is not supported, only HTTP_JSON`,
    );
  }
  if (config.collectorService) return compileHttpTarget(config.collectorService, "application/json");
  if (config.collectorCluster === "" || config.collectorEndpoint === "")
    throw new InvalidResource("INVALID_ZIPKIN", "zipkin needs a collector_cluster and a collector_endpoint, or a collector_service");
  return httpTarget({
    cluster: config.collectorCluster,
    authority: config.collectorHostname || config.collectorCluster,
    path: config.collectorEndpoint,
    timeoutMs: TIMEOUT_MS,
    headers: [["content-type", "application/json"]],
  });
}

/** The pod's address, which Istio's node ids and metadata tell. */
function ownAddress({ node }: Services): { ipv4?: string; ipv6?: string } {
  const address = node.id.split("~")[1] ?? "";
  if (address === "") return {};
  return address.includes(":") ? { ipv6: address } : { ipv4: address };
}
