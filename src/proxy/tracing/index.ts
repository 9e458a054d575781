/**
 * tracing decides which requests are traced, passes the context on in W3C's or B3's headers and reports spans to an
 * OpenTelemetry or Zipkin collector, with Envoy's tags under Envoy's names. A connection manager without tracing pays
 * nothing, one without a tracer only looks at the request id; spans leave in batches, apart from the requests.
 */
export { HttpTracing, type AttemptTrace } from "./http-tracing.ts";
export type { ActiveSpan, SpanContext } from "./span.ts";
