import type { Tracing_Http } from "../../proto/gen/envoy/config/trace/v3/http_tracer_pb.ts";
import { OpenTelemetryConfigSchema } from "../../proto/gen/envoy/config/trace/v3/opentelemetry_pb.ts";
import { ZipkinConfigSchema } from "../../proto/gen/envoy/config/trace/v3/zipkin_pb.ts";
import { TypedConfig } from "../filters/typed-config.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { Services } from "../services.ts";
import { InvalidResource } from "../types.ts";
import type { Propagation } from "./propagation.ts";
import { openTelemetryTracer } from "./opentelemetry.ts";
import type { ActiveSpan } from "./span.ts";
import { zipkinTracer } from "./zipkin.ts";

export interface SpanStart {
  readonly name: string;
  readonly kind: "server" | "client";
  /** What the sampling says. */
  readonly traced: boolean;
  readonly startMs: number;
}

/** A tracing system: how contexts travel, and where spans go. */
export interface Tracer {
  readonly propagation: Propagation;
  /** Undefined when the caller's context cannot be read: then nothing is said, and nothing passed on. */
  start(headers: HeaderMap, start: SpanStart): ActiveSpan | undefined;
  /** What a span is called that no route has a name for. */
  defaultName(direction: "ingress" | "egress", authority: string): string;
  /** Takes a finished span; never waits. */
  report(span: ActiveSpan): void;
}

/** Throws InvalidResource for tracers that are not known. */
export function compileTracer(provider: Tracing_Http, services: Services): Tracer {
  const any = provider.configType.case === "typedConfig" ? provider.configType.value : undefined;
  const config = any && TypedConfig.open(any);
  switch (config?.typeName) {
    case OpenTelemetryConfigSchema.typeName:
      return openTelemetryTracer(config.read(OpenTelemetryConfigSchema), services);
    case ZipkinConfigSchema.typeName:
      return zipkinTracer(config.read(ZipkinConfigSchema), services);
  }
  throw new InvalidResource("UNKNOWN_TRACER", `Didn't find a registered implementation for '${provider.name}' with type URL: '${config?.typeName ?? ""}'`);
}
