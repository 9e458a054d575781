import { create, toBinary } from "@bufbuild/protobuf";
import { NodeSchema, type Node } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { CommonGrpcAccessLogConfigSchema, HttpGrpcAccessLogConfigSchema, TcpGrpcAccessLogConfigSchema, type CommonGrpcAccessLogConfig } from "../../proto/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts";
import { StreamAccessLogsMessageSchema } from "../../proto/gen/envoy/service/accesslog/v3/als_pb.ts";
import type { TypedConfig } from "../filters/typed-config.ts";
import { BatchQueue, compileGrpcTarget, type Deliver } from "../export/index.ts";
import { durationMs } from "../durations.ts";
import type { Services } from "../services.ts";
import { compileCustomTags } from "../tracing/custom-tags.ts";
import { InvalidResource } from "../types.ts";
import type { AccessLogger } from "./access-log.ts";
import { httpEntry, tcpEntry, type HttpEntry, type TcpEntry } from "./grpc-log-entry.ts";

const PATH = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";
/** Envoy's default of buffer_flush_interval. */
const DEFAULT_FLUSH_MS = 1000;
/** So many entries leave at once: some 16 KB, Envoy's buffer_size_bytes. */
const BATCH = 32;
/** Some megabytes, while a collector does not answer. */
const LIMIT = 4096;

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
    return (info) => queue.push(httpEntry(info, shown));
  }
  const proto = config.read(TcpGrpcAccessLogConfigSchema);
  const queue = queueFor("tcp", proto.commonConfig, services);
  const tags = compileCustomTags(proto.commonConfig?.customTags ?? [], process.env, services.hostname);
  return (info) => queue.push(tcpEntry(info, tags));
}

function queueFor(kind: "http", common: CommonGrpcAccessLogConfig | undefined, services: Services): BatchQueue<HttpEntry>;
function queueFor(kind: "tcp", common: CommonGrpcAccessLogConfig | undefined, services: Services): BatchQueue<TcpEntry>;
function queueFor(kind: "http" | "tcp", common: CommonGrpcAccessLogConfig | undefined, services: Services): BatchQueue<HttpEntry> | BatchQueue<TcpEntry> {
  if (!common?.grpcService) throw new InvalidResource("INVALID_ACCESS_LOG", "a gRPC access log needs a common_config with a grpc_service");
  const deliver = compileGrpcTarget(common.grpcService, PATH, { answersNothing: true });
  const key = `als ${kind} ${Buffer.from(toBinary(CommonGrpcAccessLogConfigSchema, common)).toString("base64")}`;
  const identifier = { logName: common.logName, node: nodeMessage(services) };
  if (kind === "http") return logQueue<HttpEntry>(key, common, deliver, services, (logEntry) => toBinary(StreamAccessLogsMessageSchema, create(StreamAccessLogsMessageSchema, { identifier, logEntries: { case: "httpLogs", value: { logEntry: [...logEntry] } } })));
  return logQueue<TcpEntry>(key, common, deliver, services, (logEntry) => toBinary(StreamAccessLogsMessageSchema, create(StreamAccessLogsMessageSchema, { identifier, logEntries: { case: "tcpLogs", value: { logEntry: [...logEntry] } } })));
}

/**
 * A queue of log records, shared by all who are configured alike. Each batch is a call of its own, which names the sender:
 * a stream that stays open would have to be watched, and servers take both.
 */
export function logQueue<T>(key: string, common: CommonGrpcAccessLogConfig, deliver: Deliver, services: Services, encode: (records: readonly T[]) => Uint8Array): BatchQueue<T> {
  return services.exporters.get(key, () => {
    const stats = services.core.scope("access_logs.grpc_access_log");
    const written = stats.counter("logs_written");
    const dropped = stats.counter("logs_dropped");
    return new BatchQueue<T>({
      batchSize: BATCH,
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
