import type { DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { AccessLogType, HTTPAccessLogEntry_HTTPVersion } from "../proto/gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { StreamAccessLogsMessageSchema } from "../proto/gen/envoy/service/accesslog/v3/als_pb.ts";
import { ExportLogsServiceRequestSchema } from "../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { echoServer } from "./test-support/backends.ts";
import { eventually, GrpcCollector } from "./test-support/collectors.ts";
import { exchange, get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, listener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** Access logs that go to a collector. What is in them is what Envoy 1.40 sends of the same requests. */

const H2: JsonObject = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: {} },
    }),
  },
};
let echo: ReturnType<typeof echoServer>;
const proxies: Sidecar[] = [];
const collectors: { stop(): void }[] = [];

beforeAll(() => {
  echo = echoServer();
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  for (const each of [echo, ...collectors]) each.stop();
});

async function collector<Desc extends DescMessage>(schema: Desc): Promise<{ collector: GrpcCollector<Desc>; port: number }> {
  const made = new GrpcCollector(schema);
  collectors.push(made);
  return { collector: made, port: await made.listen() };
}

async function start(logPort: number, made: JsonObject): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "node" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, { clusters: [cluster("echo", [echo.port]), cluster("logs", [logPort], H2)], listeners: [made] });
  return proxy;
}

const common: JsonObject = { logName: "mylog", transportApiVersion: "V3", bufferFlushInterval: "0.05s", grpcService: { envoyGrpc: { clusterName: "logs" } } };

test("the access log service gets requests with what was asked for beside", async () => {
  const { collector: als, port } = await collector(StreamAccessLogsMessageSchema);
  const accessLog: JsonValue = [
    {
      name: "als",
      typedConfig: typed("envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig", {
        commonConfig: { ...common, customTags: [{ tag: "t", literal: { value: "v" } }] },
        additionalRequestHeadersToLog: ["X-A"],
        additionalResponseHeadersToLog: ["date"],
      }),
    },
  ];
  const routes = [{ match: { prefix: "/none" }, route: { cluster: "missing" } }, forward("/", "echo", {}, { name: "rt" })];
  const proxy = await start(port, httpListener("l", { routes, hcm: { accessLog } }));
  const body = (await get(proxy.port("l"), "/a?q=1", "h", { "x-a": "1", "user-agent": "ua" })).body;
  await get(proxy.port("l"), "/none", "h");
  const entries = await eventually(() => {
    const found = als.messages.flatMap(({ logEntries }) => (logEntries.case === "httpLogs" ? logEntries.value.logEntry : []));
    return found.length === 2 && found;
  }, "two entries");
  expect(als.messages[0]?.identifier).toMatchObject({ logName: "mylog", node: { id: "node", cluster: "test" } });
  expect(entries[0]).toMatchObject({
    protocolVersion: HTTPAccessLogEntry_HTTPVersion.HTTP11,
    commonProperties: {
      upstreamCluster: "echo",
      routeName: "rt",
      upstreamRequestAttemptCount: 1,
      accessLogType: AccessLogType.DownstreamEnd,
      customTags: { t: "v" },
      upstreamRemoteAddress: { address: { value: { address: "127.0.0.1", portSpecifier: { value: echo.port } } } },
    },
    request: { authority: "h", path: "/a?q=1", userAgent: "ua", scheme: "http", requestHeaders: { "x-a": "1" } },
    response: { responseCode: 200, responseBodyBytes: BigInt(body.length), responseCodeDetails: "via_upstream" },
  });
  expect(Object.keys(entries[0]?.response?.responseHeaders ?? {})).toEqual(["date"]);
  expect(entries[1]).toMatchObject({
    commonProperties: { responseFlags: { noClusterFound: true } },
    response: { responseCode: 503, responseCodeDetails: "cluster_not_found" },
  });
  await eventually(() => proxy.metric("envoy_access_logs_grpc_access_log_logs_written") === 2, "both counted as written");
});

test("and connections", async () => {
  const { collector: als, port } = await collector(StreamAccessLogsMessageSchema);
  const accessLog: JsonValue = [
    { name: "als", typedConfig: typed("envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig", { commonConfig: common }) },
  ];
  const chain = {
    filters: [{ name: "tcp", typedConfig: typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", { statPrefix: "t", cluster: "echo", accessLog }) }],
  };
  const proxy = await start(port, listener("l", [chain]));
  const request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  await exchange(proxy.port("l"), request, { untilClose: true });
  const [entry] = await eventually(
    () => als.messages.length > 0 && als.messages.flatMap(({ logEntries }) => (logEntries.case === "tcpLogs" ? logEntries.value.logEntry : [])),
    "an entry",
  );
  expect(entry).toMatchObject({
    commonProperties: { upstreamCluster: "echo", accessLogType: AccessLogType.TcpConnectionEnd, upstreamRequestAttemptCount: 1 },
    connectionProperties: { receivedBytes: BigInt(request.length) },
  });
});

test("OpenTelemetry: a record a request, body and attributes by their formats", async () => {
  const { collector: otel, port } = await collector(ExportLogsServiceRequestSchema);
  const config: JsonObject = {
    commonConfig: common,
    body: { stringValue: "%REQ(:METHOD)% %RESPONSE_CODE%" },
    attributes: {
      values: [
        { key: "code", value: { stringValue: "%RESPONSE_CODE%" } },
        { key: "list", value: { arrayValue: { values: [{ stringValue: "x%PROTOCOL%" }] } } },
      ],
    },
  };
  const proxy = await start(
    port,
    httpListener("l", {
      routes: [forward("/", "echo")],
      hcm: { accessLog: [{ name: "otel", typedConfig: typed("envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig", config) }] },
    }),
  );
  await get(proxy.port("l"), "/", "h");
  const [message] = await eventually(() => otel.messages.length > 0 && otel.messages, "a record");
  const text = (value: string) => ({ value: { case: "stringValue", value } });
  expect(otel.calls[0]?.[":path"]).toBe("/opentelemetry.proto.collector.logs.v1.LogsService/Export");
  expect(message?.resourceLogs[0]?.resource?.attributes.map(({ key, value }) => [key, value?.value.value])).toEqual([
    ["log_name", "mylog"],
    ["zone_name", ""],
    ["cluster_name", "test"],
    ["node_name", "node"],
  ]);
  expect(message?.resourceLogs[0]?.scopeLogs[0]?.logRecords).toMatchObject([
    {
      body: text("GET 200"),
      attributes: [
        { key: "code", value: text("200") },
        { key: "list", value: { value: { case: "arrayValue", value: { values: [text("xHTTP/1.1")] } } } },
      ],
    },
  ]);
});

test("what OpenTelemetry's log cannot hold is refused", async () => {
  const config = { commonConfig: common, body: { intValue: "5" } };
  await expect(
    start(
      1,
      httpListener("l", {
        routes: [],
        hcm: { accessLog: [{ name: "otel", typedConfig: typed("envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig", config) }] },
      }),
    ),
  ).rejects.toThrow("Only string values");
});
