import type { JsonObject } from "@bufbuild/protobuf";
import { packAny, type Init } from "../../../proto/index.ts";
import { ApiVersion } from "../../../proto/gen/envoy/config/core/v3/config_source_pb.ts";
import { OpenTelemetryAccessLogConfigSchema } from "../../../proto/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.ts";
import { compareText } from "../../registry/index.ts";

/** Istio's names of the peers that a proxy with its filters knows, in the order in which it lists them. */
const PEERS = ["upstream_peer", "downstream_peer", "wasm.upstream_peer", "wasm.upstream_peer_id", "wasm.downstream_peer", "wasm.downstream_peer_id"];
const LOG_NAME = "otel_envoy_accesslog";

type Formatters = NonNullable<Init<typeof OpenTelemetryAccessLogConfigSchema>["formatters"]>;

/** An access log that a collector takes by OTLP: the text is a record's body, the labels are its attributes. */
export function otelLog(options: {
  logName: string;
  target: { clusterName: string; authority: string };
  text: string;
  labels: JsonObject | undefined;
  formatters: Formatters;
}) {
  const attributes = Object.entries(options.labels ?? {}).sort(([a], [b]) => compareText(a, b));
  const text = (stringValue: unknown) => ({ value: { case: "stringValue" as const, value: typeof stringValue === "string" ? stringValue : "" } });
  return packAny(OpenTelemetryAccessLogConfigSchema, {
    commonConfig: {
      logName: options.logName || LOG_NAME,
      grpcService: { targetSpecifier: { case: "envoyGrpc", value: options.target } },
      transportApiVersion: ApiVersion.V3,
      filterStateObjectsToLog: PEERS,
    },
    disableBuiltinLabels: true,
    body: text(options.text),
    ...(attributes.length > 0 && { attributes: { values: attributes.map(([key, value]) => ({ key, value: text(value) })) } }),
    formatters: options.formatters,
  });
}
