import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { NodeSchema, type Node } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import {
  CommonGrpcAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  type CommonGrpcAccessLogConfig,
} from "../../proto/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts";
import { HTTPAccessLogEntrySchema, TCPAccessLogEntrySchema } from "../../proto/gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { StreamAccessLogsMessageSchema } from "../../proto/gen/envoy/service/accesslog/v3/als_pb.ts";
import type { TypedConfig } from "../filters/typed-config.ts";
import { BatchQueue, compileGrpcTarget, type Deliver } from "../export/index.ts";
import { durationMs } from "../durations.ts";
import type { Services } from "../services.ts";
import { compileCustomTags } from "../tracing/custom-tags.ts";
import { InvalidResource } from "../types.ts";
import type { AccessLogger } from "./access-log.ts";
import { httpEntry, tcpEntry } from "./grpc-log-entry.ts";

const PATH = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";
/** Envoy's default of buffer_flush_interval. */
const DEFAULT_FLUSH_MS = 1000;
/** Envoy's default of buffer_size_bytes. */
const DEFAULT_BUFFER = 16_384;
/** Some megabytes, while a collector does not answer. */
const LIMIT = 4096;

/** A record as it is sent: its bytes without the field's tag. */
export type LogRecord = Uint8Array;

export const GRPC_LOG_TYPES: readonly string[] = [HttpGrpcAccessLogConfigSchema.typeName, TcpGrpcAccessLogConfigSchema.typeName];

/** Envoy's access log service, of HTTP requests or TCP connections. Throws InvalidResource. */
export function compileGrpcLog(config: TypedConfig, services: Services): AccessLogger {
  if (config.typeName === HttpGrpcAccessLogConfigSchema.typeName) {
    const proto = config.read(HttpGrpcAccessLogConfigSchema);
    const queue = queueFor("http", proto.commonConfig, services);
    const shown = {
      request: proto.additionalRequestHeadersToLog.map((name) => name.toLowerCase()),
      response: proto.additionalResponseHeadersToLog.map((name) => name.toLowerCase()),
      trailers: proto.additionalResponseTrailersToLog.map((name) => name.toLowerCase()),
      tags: compileCustomTags(proto.commonConfig?.customTags ?? [], process.env, services.hostname),
    };
    return (info) => queue.push(toBinary(HTTPAccessLogEntrySchema, create(HTTPAccessLogEntrySchema, httpEntry(info, shown))));
  }
  const proto = config.read(TcpGrpcAccessLogConfigSchema);
  const queue = queueFor("tcp", proto.commonConfig, services);
  const tags = compileCustomTags(proto.commonConfig?.customTags ?? [], process.env, services.hostname);
  return (info) => queue.push(toBinary(TCPAccessLogEntrySchema, create(TCPAccessLogEntrySchema, tcpEntry(info, tags))));
}

/** Fields of StreamAccessLogsMessage, and of the lists in it. */
const FIELDS = { http: 2, tcp: 3 } as const;
const LOG_ENTRY = 1;

function queueFor(kind: keyof typeof FIELDS, common: CommonGrpcAccessLogConfig | undefined, services: Services): BatchQueue<LogRecord> {
  if (!common?.grpcService) throw new InvalidResource("INVALID_ACCESS_LOG", "a gRPC access log needs a common_config with a grpc_service");
  const deliver = compileGrpcTarget(common.grpcService, PATH, { answersNothing: true });
  const key = `als ${kind} ${Buffer.from(toBinary(CommonGrpcAccessLogConfigSchema, common)).toString("base64")}`;
  const head = toBinary(
    StreamAccessLogsMessageSchema,
    create(StreamAccessLogsMessageSchema, { identifier: { logName: common.logName, node: nodeMessage(services) } }),
  );
  return logQueue(key, common, deliver, services, (records) => {
    const writer = new BinaryWriter().raw(head);
    writer.tag(FIELDS[kind], WireType.LengthDelimited).fork();
    for (const record of records) writer.tag(LOG_ENTRY, WireType.LengthDelimited).bytes(record);
    return writer.join().finish();
  });
}

/**
 * A queue of log records, shared by all who are configured alike. Each batch is a call of its own, which names the sender:
 * a stream that stays open would have to be watched, and servers take both.
 */
export function logQueue(
  key: string,
  common: CommonGrpcAccessLogConfig,
  deliver: Deliver,
  services: Services,
  encode: (records: readonly LogRecord[]) => Uint8Array,
): BatchQueue<LogRecord> {
  return services.exporters.get(key, () => {
    const stats = services.core.scope("access_logs.grpc_access_log");
    const written = stats.counter("logs_written");
    const dropped = stats.counter("logs_dropped");
    return new BatchQueue<LogRecord>({
      weigh: (record) => record.length,
      batchWeight: common.bufferSizeBytes ?? DEFAULT_BUFFER,
      intervalMs: durationMs(common.bufferFlushInterval) ?? DEFAULT_FLUSH_MS,
      limit: LIMIT,
      clock: services.clock,
      send: (records, done) =>
        deliver(encode(records), services, (delivered) => {
          if (delivered) written.inc(records.length);
          done(delivered);
        }),
      onDropped: (count) => dropped.inc(count),
    });
  });
}

function nodeMessage({ node }: Services): Node {
  const { id, cluster, locality } = node;
  return create(NodeSchema, { id, cluster, userAgentName: "envoy", ...(locality && { locality: { ...locality } }) });
}
