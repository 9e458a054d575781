import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { toBinary } from "@bufbuild/protobuf";
import { OpenTelemetryAccessLogConfigSchema } from "../../proto/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.ts";
import type { AnyValue, KeyValue } from "../../proto/gen/opentelemetry/proto/common/v1/common_pb.ts";
import type { TypedConfig } from "../filters/typed-config.ts";
import { compileGrpcTarget, nanos, writeAttributes } from "../export/index.ts";
import type { Services } from "../services.ts";
import { InvalidResource } from "../types.ts";
import type { AccessLogger } from "./access-log.ts";
import { compileFormat, type FormatOptions } from "./format.ts";
import { logQueue, type LogRecord } from "./grpc-access-log.ts";
import type { StreamInfo } from "./stream-info.ts";

const PATH = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

export const OTLP_LOG_TYPE: string = OpenTelemetryAccessLogConfigSchema.typeName;

type Writer = (writer: BinaryWriter, info: StreamInfo) => void;

/** `envoy.access_loggers.open_telemetry`: each request or connection is a log record. Throws InvalidResource. */
export function compileOtlpLog(config: TypedConfig, services: Services): AccessLogger {
  const proto = config.read(OpenTelemetryAccessLogConfigSchema);
  const common = proto.commonConfig;
  if (!common?.grpcService) throw new InvalidResource("INVALID_ACCESS_LOG", "an OpenTelemetry access log needs a common_config with a grpc_service");
  const options = { missing: "-", hostname: services.hostname };
  const body = proto.body && compileValue(proto.body, options);
  const attributes = (proto.attributes?.values ?? []).map((pair) => compilePair(pair, options));
  const { node } = services;
  const builtin = proto.disableBuiltinLabels
    ? []
    : ([
        ["log_name", common.logName],
        ["zone_name", node.locality?.zone ?? ""],
        ["cluster_name", node.cluster],
        ["node_name", node.id],
      ] as const);
  const extra = (proto.resourceAttributes?.values ?? []).map(({ key, value }): [string, string] => [key, plainText(value)]);
  const deliver = compileGrpcTarget(common.grpcService, PATH);
  const key = `otlp-logs ${Buffer.from(toBinary(OpenTelemetryAccessLogConfigSchema, proto)).toString("base64")}`;
  const queue = logQueue(key, common, deliver, services, (records) => encodeRecords(records, [...builtin, ...extra]));
  return (info) => {
    const writer = new BinaryWriter();
    writer.tag(1, WireType.Bit64).fixed64(nanos(info.startTime));
    if (body) {
      writer.tag(5, WireType.LengthDelimited).fork();
      body(writer, info);
      writer.join();
    }
    for (const attribute of attributes) {
      writer.tag(6, WireType.LengthDelimited).fork();
      attribute(writer, info);
      writer.join();
    }
    const { span } = info;
    if (span)
      writer
        .tag(9, WireType.LengthDelimited)
        .bytes(Buffer.from(span.traceId.padStart(32, "0"), "hex"))
        .tag(10, WireType.LengthDelimited)
        .bytes(Buffer.from(span.spanId, "hex"));
    queue.push(writer.finish());
  };
}

/** An ExportLogsServiceRequest with one resource. */
function encodeRecords(records: readonly LogRecord[], resource: readonly (readonly [string, string])[]): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).fork();
  writeAttributes(writer, 1, resource);
  writer.join();
  writer.tag(2, WireType.LengthDelimited).fork();
  for (const record of records) writer.tag(2, WireType.LengthDelimited).bytes(record);
  writer.join().join();
  return writer.finish();
}

/** Strings are formats, as in every access log; lists and maps hold more of them. */
function compileValue({ value }: AnyValue, options: FormatOptions): Writer {
  switch (value.case) {
    case "stringValue": {
      const text = compileFormat(value.value, options);
      return (writer, info) => void writer.tag(1, WireType.LengthDelimited).string(text(info));
    }
    case "arrayValue": {
      const items = value.value.values.map((item) => compileValue(item, options));
      return (writer, info) => {
        writer.tag(5, WireType.LengthDelimited).fork();
        for (const item of items) nested(writer, 1, item, info);
        writer.join();
      };
    }
    case "kvlistValue": {
      const pairs = value.value.values.map((pair) => compilePair(pair, options));
      return (writer, info) => {
        writer.tag(6, WireType.LengthDelimited).fork();
        for (const pair of pairs) nested(writer, 1, pair, info);
        writer.join();
      };
    }
  }
  throw new InvalidResource(
    "INVALID_ACCESS_LOG",
    "Only string values, nested key value lists and array values are supported in OpenTelemetry access log format.",
  );
}

function compilePair({ key, value }: KeyValue, options: FormatOptions): Writer {
  const write = value && compileValue(value, options);
  return (writer, info) => {
    writer.tag(1, WireType.LengthDelimited).string(key);
    if (write) nested(writer, 2, write, info);
  };
}

function nested(writer: BinaryWriter, field: number, write: Writer, info: StreamInfo): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer, info);
  writer.join();
}

function plainText(value: AnyValue | undefined): string {
  if (value?.value.case !== "stringValue")
    throw new InvalidResource("INVALID_ACCESS_LOG", "resource_attributes of an OpenTelemetry access log must be strings");
  return value.value.value;
}
