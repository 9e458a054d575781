import { describe, expect, test } from "bun:test";
import { fromJson } from "@bufbuild/protobuf";
import { AccessLogSchema } from "../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import { loadRegistry } from "../../proto/index.ts";
import { HeaderMap } from "../http/header-map.ts";
import { ConnectionInfo } from "../net/connection-info.ts";
import type { Services } from "../services.ts";
import { compileAccessLogs } from "./access-log.ts";
import { compileFormat } from "./format.ts";
import { StreamInfo } from "./stream-info.ts";

function info(): StreamInfo {
  const made = new StreamInfo(
    new ConnectionInfo({ address: "10.0.0.1", port: 80 }, { address: "10.0.0.2", port: 4000 }),
    Date.UTC(2026, 10, 24, 6, 25, 49, 959),
    0,
  );
  made.request = {
    method: "GET",
    path: "/a?b",
    authority: "h:80",
    scheme: "http",
    protocol: "HTTP/1.1",
    headers: HeaderMap.from([
      ["user-agent", "curl/7.88.1"],
      ["x-long", "abcdef"],
    ]),
    upgrade: undefined,
  };
  made.protocol = "HTTP/1.1";
  made.responseStatus = 503;
  made.responseHeaders = HeaderMap.from([["x-r", "1"]]);
  made.addFlag("URX");
  made.addFlag("UF");
  made.addFlag("UF");
  made.durationMs = 12.7;
  made.setMetadata("filter", "key", { inner: "deep" });
  return made;
}

const format = (text: string): string => compileFormat(text, { missing: "-", hostname: "me" })(info());

describe("formats", () => {
  test("Istio's default line", () => {
    expect(
      format(
        '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DURATION% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" %UPSTREAM_CLUSTER_RAW% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%\n',
      ),
    ).toBe('[2026-11-24T06:25:49.959Z] "GET /a?b HTTP/1.1" 503 URX,UF - 12 "-" "curl/7.88.1" - 10.0.0.1:80 10.0.0.2:4000\n');
  });

  test("lengths, alternatives, times, metadata, literal percents", () => {
    expect(format("%REQ(X-LONG):3% %REQ(X-NO?X-LONG)% %RESP(X-R)% %HOSTNAME% 100%%")).toBe("abc abcdef 1 me 100%");
    expect(format("%START_TIME(%Y/%m/%d %T.%3f %s)%")).toBe("2026/11/24 06:25:49.959 1795501549");
    expect(format("%DYNAMIC_METADATA(filter:key:inner)% %DYNAMIC_METADATA(filter:key)% %DYNAMIC_METADATA(no:key)%")).toBe('deep {"inner":"deep"} -');
    expect(format("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%")).toBe("10.0.0.2 4000");
  });

  test("an unknown command is refused", () => {
    expect(() => format("%NOSUCH%")).toThrow("Not supported field in StreamInfo: NOSUCH");
    expect(() => format("%REQ(x")).toThrow("Couldn't find valid command at position 0");
  });
});

test("rarer commands: durations between moments, times of the end, what is not kept", () => {
  const made = info();
  made.requestCompleteMs = 2.5;
  made.responseStartMs = 7.25;
  made.durationMs = 12;
  const shown = (format: string): string => compileFormat(format, { missing: "-", hostname: "me" })(made);
  expect(shown("%COMMON_DURATION(DS_RX_END:DS_TX_BEG:us)% %COMMON_DURATION(DS_RX_BEG:DS_TX_END)% %COMMON_DURATION(US_CX_BEG:DS_TX_END:ms)%")).toBe("4750 12 -");
  expect(() => shown("%COMMON_DURATION(DS_RX_BEG:NEVER:ms)%")).toThrow("Invalid common duration configuration: DS_RX_BEG:NEVER:ms.");
  expect(Date.parse(shown("%EMIT_TIME%")) - Date.parse(shown("%START_TIME%"))).toBe(12);
  expect(Date.parse(shown("%START_TIME_LOCAL%"))).toBe(Date.parse(shown("%START_TIME%")));
  expect(shown("%TRACE_ID% %UPSTREAM_TLS_VERSION% %BYTES_RETRANSMITTED% %DOWNSTREAM_PEER_CERT_V_END% %ACCESS_LOG_TYPE%")).toBe("- - 0 - DownstreamEnd");
  made.request?.headers.set("x-forwarded-client-cert", 'By=a;URI=first, By=b;Subject="CN=x,O=\\"y\\"";URI=spiffe://td/ns/a/sa/b');
  expect(shown("%XFCC_VALUE(uri)% %XFCC_VALUE(Hash)% %CEL(request.method)% %CEL(response.nothing)% %CEL([response.code])% %QUERY_PARAMS%")).toBe(
    "spiffe://td/ns/a/sa/b - GET - [503] b",
  );
  expect(() => shown("%CEL(request.)%")).toThrow("Unable to parse CEL expression");
  expect(shown("%UNIQUE_ID%")).toMatch(/^[0-9a-f-]{36}$/);
});

describe("access logs", () => {
  const lines = async (config: unknown, change: (info: StreamInfo) => void = () => {}): Promise<string[]> => {
    const written: string[] = [];
    const json = {
      name: "file",
      typedConfig: {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        path: "/dev/stdout",
        ...(config as { log?: object }).log,
      },
      ...(config as { filter?: object }),
    };
    delete (json as { log?: unknown }).log;
    const log = fromJson(AccessLogSchema, json as never, { registry: await loadRegistry() });
    const made = info();
    change(made);
    compileAccessLogs([log], {
      accessLog: () => ({ write: (line: string) => void written.push(line) }),
      hostname: "me",
      random: () => 0.5,
    } as unknown as Services)?.(made);
    return written;
  };

  test("as JSON keep numbers as numbers and missing values as null", async () => {
    const log = {
      logFormat: {
        jsonFormat: {
          code: "%RESPONSE_CODE%",
          path: "%REQ(:PATH)%",
          none: "%REQ(X-NO)%",
          mixed: "%REQ(:METHOD)% %REQ(X-NO)%",
          nested: { duration: "%DURATION%" },
        },
      },
    };
    expect(JSON.parse((await lines({ log }))[0] ?? "")).toEqual({ code: 503, path: "/a?b", none: null, mixed: "GET -", nested: { duration: 12 } });
  });

  test("are filtered by status, duration, flags, header and more", async () => {
    const log = { logFormat: { textFormatSource: { inlineString: "x" } } };
    const shows = async (filter: object): Promise<boolean> => (await lines({ log, filter })).length > 0;
    expect(await shows({ statusCodeFilter: { comparison: { op: "GE", value: { defaultValue: 500, runtimeKey: "x" } } } })).toBe(true);
    expect(await shows({ statusCodeFilter: { comparison: { op: "LE", value: { defaultValue: 499, runtimeKey: "x" } } } })).toBe(false);
    expect(await shows({ responseFlagFilter: { flags: ["NR", "UF"] } })).toBe(true);
    expect(await shows({ responseFlagFilter: { flags: ["NR"] } })).toBe(false);
    expect(
      await shows({ andFilter: { filters: [{ responseFlagFilter: {} }, { headerFilter: { header: { name: "x-long", stringMatch: { prefix: "abc" } } } }] } }),
    ).toBe(true);
    expect(await shows({ grpcStatusFilter: { statuses: ["UNAVAILABLE"] } })).toBe(true);
    expect(await shows({ grpcStatusFilter: { statuses: ["UNAVAILABLE"], exclude: true } })).toBe(false);
    expect(await shows({ runtimeFilter: { runtimeKey: "x", percentSampled: { numerator: 51 } } })).toBe(true);
    expect(await shows({ runtimeFilter: { runtimeKey: "x", percentSampled: { numerator: 50 } } })).toBe(false);
    expect(await shows({ traceableFilter: {} })).toBe(false);
    expect(
      await shows({ metadataFilter: { matcher: { filter: "f", path: [{ key: "k" }], value: { stringMatch: { exact: "v" } } }, matchIfKeyNotFound: false } }),
    ).toBe(false);
    expect(await shows({ logTypeFilter: { types: ["DownstreamEnd"] } })).toBe(true);
    expect(await shows({ logTypeFilter: { types: ["DownstreamEnd"], exclude: true } })).toBe(false);
    expect(
      await shows({
        orFilter: {
          filters: [{ responseFlagFilter: { flags: ["NR"] } }, { durationFilter: { comparison: { op: "GE", value: { defaultValue: 100, runtimeKey: "x" } } } }],
        },
      }),
    ).toBe(false);
  });
});
