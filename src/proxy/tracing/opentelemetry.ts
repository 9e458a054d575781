import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { VERSION } from "../../base/index.ts";
import type { TypedExtensionConfig } from "../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { OpenTelemetryConfigSchema, type OpenTelemetryConfig } from "../../proto/gen/envoy/config/trace/v3/opentelemetry_pb.ts";
import { EnvironmentResourceDetectorConfigSchema } from "../../proto/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb.ts";
import { StaticConfigResourceDetectorConfigSchema } from "../../proto/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector_pb.ts";
import { AlwaysOnSamplerConfigSchema } from "../../proto/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler_pb.ts";
import { compileGrpcTarget, compileHttpTarget } from "../export/index.ts";
import type { Services } from "../services.ts";
import { InvalidResource } from "../types.ts";
import { encodeSpans, type Attributes } from "./otlp-spans.ts";
import { W3C } from "./propagation.ts";
import { SpanExporter } from "./span-exporter.ts";
import { RandomIds } from "./span.ts";
import type { Tracer } from "./tracers.ts";

const EXPORT_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const SCOPE = { name: "envoy", version: VERSION };
const ids = new RandomIds();

/** `envoy.tracers.opentelemetry`: W3C's headers, spans by OTLP over gRPC or HTTP. Throws InvalidResource. */
export function openTelemetryTracer(config: OpenTelemetryConfig, services: Services): Tracer {
  const alwaysOn = readSampler(config.sampler);
  const deliver = config.grpcService
    ? compileGrpcTarget(config.grpcService, EXPORT_PATH)
    : config.httpService
      ? compileHttpTarget(config.httpService, "application/x-protobuf")
      : undefined;
  const resource = resourceOf(config, process.env);
  const key = `opentelemetry ${Buffer.from(toBinary(OpenTelemetryConfigSchema, config)).toString("base64")}`;
  const exporter = services.exporters.get(
    key,
    () => new SpanExporter("tracing.opentelemetry", (spans) => encodeSpans(spans, resource, SCOPE), deliver, services),
  );
  return {
    propagation: W3C,
    start(headers, { name, kind, traced, startMs }) {
      const parent = W3C.extract(headers);
      if (parent === "malformed") return undefined;
      // A parent that is not traced ends the trace here, and so does a decision against it.
      const sampled = alwaysOn || (traced && (parent?.sampled ?? true));
      return {
        traceId: parent?.traceId ?? ids.hex(16),
        spanId: ids.hex(8),
        parentId: parent?.spanId ?? "",
        sampled,
        traceState: parent?.traceState ?? "",
        remoteParent: parent !== undefined,
        singleB3: false,
        name,
        kind,
        startMs,
        endMs: startMs,
        tags: [],
      };
    },
    defaultName: (direction, authority) => (direction === "egress" ? `egress ${authority}` : "ingress"),
    report: (span) => exporter.report(span),
  };
}

function readSampler(sampler: TypedExtensionConfig | undefined): boolean {
  if (!sampler) return false;
  if (sampler.typedConfig?.typeUrl.endsWith(`/${AlwaysOnSamplerConfigSchema.typeName}`)) return true;
  throw new InvalidResource(
    "UNKNOWN_SAMPLER",
    `Didn't find a registered implementation for '${sampler.name}' with type URL: '${sampler.typedConfig?.typeUrl ?? ""}'`,
  );
}

/** Who reports, by configuration and by OTEL_RESOURCE_ATTRIBUTES where a detector asks for that. */
function resourceOf(config: OpenTelemetryConfig, environment: { readonly [name: string]: string | undefined }): Attributes {
  const attributes = new Map([
    ["telemetry.sdk.name", "chainmail"],
    // What the convention calls JavaScript on a server.
    ["telemetry.sdk.language", "nodejs"],
    ["telemetry.sdk.version", VERSION],
    ["service.name", config.serviceName === "" ? "unknown_service:envoy" : config.serviceName],
  ]);
  for (const { name, typedConfig } of config.resourceDetectors) {
    const type = typedConfig?.typeUrl.slice(typedConfig.typeUrl.lastIndexOf("/") + 1);
    if (type === EnvironmentResourceDetectorConfigSchema.typeName) {
      for (const pair of (environment["OTEL_RESOURCE_ATTRIBUTES"] ?? "").split(",")) {
        const equals = pair.indexOf("=");
        if (equals > 0) attributes.set(pair.slice(0, equals).trim(), pair.slice(equals + 1).trim());
      }
    } else if (type === StaticConfigResourceDetectorConfigSchema.typeName) {
      const fixed = fromBinary(StaticConfigResourceDetectorConfigSchema, typedConfig?.value ?? new Uint8Array()).attributes;
      for (const [key, value] of Object.entries(fixed)) attributes.set(key, value);
    } else throw new InvalidResource("UNKNOWN_RESOURCE_DETECTOR", `Didn't find a registered implementation for '${name}' with type URL: '${type ?? ""}'`);
  }
  return [...attributes];
}
