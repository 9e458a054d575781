import { afterAll, beforeAll, expect, test } from "bun:test";
import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { StatsConfigSchema } from "../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import { StatNaming } from "./telemetry/stat-names.ts";
import { closedPort, echoServer } from "./test-support/backends.ts";
import { exchange, get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, tcpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** Names and values as Envoy 1.40 has them after the same calls. */

let echo: ReturnType<typeof echoServer>;
const proxies: Sidecar[] = [];
beforeAll(() => {
  echo = echoServer();
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  echo.stop();
});

async function start(listeners: readonly JsonObject[], clusters: readonly JsonObject[], statsConfig?: JsonObject): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "n", ...(statsConfig && { statsConfig: fromJson(StatsConfigSchema, statsConfig) }) });
  proxies.push(proxy);
  await configure(proxy.dataPlane, { clusters, listeners });
  return proxy;
}

test("counts of clusters, connection managers, listeners and TCP proxies", async () => {
  const retry = { retryPolicy: { retryOn: "5xx,connect-failure", numRetries: 1, retryBackOff: { baseInterval: "0.001s" } } };
  const proxy = await start(
    [
      httpListener("web", {
        routes: [
          forward("/dead", "dead", retry),
          forward("/retry", "echo", retry),
          { match: { prefix: "/direct" }, directResponse: { status: 204 } },
          forward("/none", "nosuch"),
          forward("/", "echo"),
        ],
        listener: { statPrefix: "l" },
      }),
      tcpListener("tcp", "echo"),
    ],
    [cluster("echo", [echo.port], { circuitBreakers: { thresholds: [{ maxRetries: 7, trackRemaining: true }] } }), cluster("dead", [closedPort()])],
  );
  const web = proxy.port("web");
  expect((await get(web, "/a", "h")).status).toBe(200);
  await get(web, "/a", "h", { "x-want-status": "404" });
  await get(web, "/retry", "h", { "x-want-status": "500" });
  await get(web, "/dead", "h");
  await get(web, "/direct", "h");
  await get(web, "/none", "h");
  await exchange(proxy.port("tcp"), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", { untilClose: true });
  const lines = proxy.dataPlane.prometheus().split("\n");
  const value = (series: string): number =>
    Number(
      lines
        .find((line) => line.startsWith(`${series} `))
        ?.split(" ")
        .pop(),
    );
  const echoed = (stat: string): number => value(`envoy_cluster_${stat}{envoy_cluster_name="echo"}`);
  expect(value('envoy_cluster_upstream_rq{envoy_response_code="404",envoy_cluster_name="echo"}')).toBe(1);
  expect(value('envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="echo"}')).toBe(1);
  expect(value('envoy_cluster_retry_upstream_rq{envoy_response_code="500",envoy_cluster_name="echo"}')).toBe(1);
  expect(value('envoy_cluster_external_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="echo"}')).toBe(1);
  expect([echoed("upstream_rq_completed"), echoed("upstream_rq_retry"), echoed("upstream_rq_retry_limit_exceeded"), echoed("membership_healthy")]).toEqual([
    3, 1, 1, 1,
  ]);
  expect([echoed("upstream_rq_total"), echoed("upstream_rq_active"), echoed("circuit_breakers_default_remaining_retries")]).toEqual([5, 0, 7]);
  expect(echoed("upstream_rq_time_count")).toBe(3);
  expect(echoed("upstream_cx_rx_bytes_total")).toBeGreaterThan(300);
  const dead = (stat: string): number => value(`envoy_cluster_${stat}{envoy_cluster_name="dead"}`);
  expect([dead("upstream_cx_connect_fail"), dead("upstream_rq_pending_failure_eject"), dead("upstream_cx_total"), dead("upstream_rq_total")]).toEqual([
    2, 2, 2, 0,
  ]);
  expect(value('envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="dead"}')).toBe(1);
  const http = (stat: string): number => value(`envoy_http_${stat}{envoy_http_conn_manager_prefix="web"}`);
  expect([
    http("downstream_rq_total"),
    http("rq_direct_response"),
    http("no_cluster"),
    http("downstream_rq_active"),
    http("downstream_cx_http1_total"),
  ]).toEqual([6, 1, 1, 0, 6]);
  expect(value('envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="web"}')).toBe(3);
  expect(value('envoy_tcp_downstream_cx_total{envoy_tcp_prefix="tcp"}')).toBe(1);
  expect(lines).toContain("# TYPE envoy_cluster_circuit_breakers_default_cx_open gauge");
  const dotted = new Map(proxy.dataPlane.dottedStats().lines.map((line) => [line.name, line.value]));
  expect([
    dotted.get("cluster.echo.upstream_rq_404"),
    dotted.get("listener.l.downstream_cx_total"),
    dotted.get("cluster.echo.circuit_breakers.default.rq_open"),
  ]).toEqual(["1", "6", "0"]);
});

test("what a bootstrap does not ask for is not shown; authorization is, with labels as Istio's bootstrap makes them", async () => {
  const policy = (action: string): JsonObject => ({
    action,
    policies: { p: { permissions: [{ any: true }], principals: [{ header: { name: "x-deny", presentMatch: true } }] } },
  });
  const rbac = {
    name: "envoy.filters.http.rbac",
    typedConfig: typed("envoy.extensions.filters.http.rbac.v3.RBAC", {
      rules: policy("DENY"),
      shadowRules: policy("DENY"),
      shadowRulesStatPrefix: "istio_dry_run_deny_",
    }),
  };
  const tags = [
    ["cluster_name", "^cluster(\\.(.+);)"],
    ["http_conn_manager_prefix", "^http\\.(((?:[_.[:digit:]\\w]*|[_\\[\\]aAbBcCdDeEfF[:digit:]\\w\\:]*));\\.)"],
    ["authz_enforce_result", "rbac(\\.(allowed|denied))"],
    ["authz_dry_run_action", "(\\.istio_dry_run_(allow|deny)_)"],
    ["authz_dry_run_result", "(\\.shadow_(allowed|denied))"],
  ].map(([tagName, regex]) => ({ tagName, regex }) as JsonObject);
  const proxy = await start([httpListener("inbound_0.0.0.0_8080;", { filters: [rbac], routes: [forward("/", "echo")] })], [cluster("echo", [echo.port])], {
    useAllDefaultTags: false,
    statsTags: tags,
    statsMatcher: { inclusionList: { patterns: [{ suffix: "rbac.denied" }, { suffix: "shadow_denied" }] } },
  });
  await get(proxy.port("inbound_0.0.0.0_8080;"), "/", "h", { "x-deny": "1" });
  const shown = proxy.dataPlane
    .prometheus()
    .split("\n")
    .filter((line) => /^envoy_(http|cluster_up|listener_d)/.test(line));
  expect(shown).toEqual([
    'envoy_http_rbac{authz_enforce_result="denied",http_conn_manager_prefix="inbound_0.0.0.0_8080"} 1',
    'envoy_http_rbac{authz_dry_run_action="deny",authz_dry_run_result="denied",http_conn_manager_prefix="inbound_0.0.0.0_8080"} 1',
  ]);
});

test("names lose what becomes a label", () => {
  const naming = new StatNaming(create(StatsConfigSchema, {}));
  expect(naming.name("cluster.outbound|80||a.upstream_rq_503")).toEqual({
    family: "envoy_cluster_upstream_rq",
    labels: [
      ["envoy_response_code", "503"],
      ["envoy_cluster_name", "outbound|80||a"],
    ],
  });
  expect(naming.name("listener.0.0.0.0_8080.http.in.downstream_rq_2xx")).toEqual({
    family: "envoy_listener_http_downstream_rq_xx",
    labels: [
      ["envoy_response_code_class", "2"],
      ["envoy_http_conn_manager_prefix", "in"],
      ["envoy_listener_address", "0.0.0.0_8080"],
    ],
  });
  expect(naming.name("x.http_local_rate_limit.ok").family).toBe("envoy_http_local_rate_limit_ok");
});

test("a bootstrap's own tags have the syntax of std::regex: assertions, and classes of POSIX", () => {
  const statsTags = [
    {
      tagName: "listener_prefix",
      tagValue: { case: "regex" as const, value: "^listener(?=\\.).*?\\.http\\.(((?:[_.[:digit:]]*|[_\\[\\]aAbBcCdDeEfF[:digit:]]*))\\.)" },
    },
  ];
  const naming = new StatNaming(create(StatsConfigSchema, { useAllDefaultTags: false, statsTags }));
  expect(naming.name("listener.x.http.10.0.0.1_80.downstream_rq")).toEqual({
    family: "envoy_listener_x_http_downstream_rq",
    labels: [["listener_prefix", "10.0.0.1_80"]],
  });
  expect(() => new StatNaming(create(StatsConfigSchema, { statsTags: [{ tagName: "t", tagValue: { case: "regex", value: "(" } }] }))).toThrow(
    "Invalid regex '('",
  );
});
