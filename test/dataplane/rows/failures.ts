import type { JsonObject } from "@bufbuild/protobuf";
import { address, cluster, endpoint, get, http, port, row, route, typed, type Call, type Group, type HttpRequest, type Row, type Want } from "../row.ts";

/** When upstreams fail: flags, details, retries, time-outs, limits, and hosts that are left out. */

const up = (name: string, want: Want | readonly Want[], action: JsonObject = {}, more: HttpRequest = {}): Row =>
  row(`upstream: ${name}`, http({ routes: [route({ prefix: "/" }, action)] }), get("/", [], { want, ...more }));
const fast = { retry_back_off: { base_interval: "0.005s", max_interval: "0.01s" } };
const retry = (name: string, policy: JsonObject, want: Want | readonly Want[], more: HttpRequest = {}, action: JsonObject = {}): Row =>
  row(
    `retry: ${name}`,
    http({
      virtualHosts: [
        {
          name: "v",
          domains: ["*"],
          include_request_attempt_count: true,
          include_attempt_count_in_response: true,
          routes: [route({ prefix: "/" }, { retry_policy: { ...fast, ...policy }, ...action })],
        },
      ],
    }),
    get("/", [], { want, ...more }),
  );
const to = (name: string, clusterName: string, action: JsonObject = {}): Row =>
  row(`host: ${name}`, http({ routes: [route({ prefix: "/" }, { cluster: clusterName, ...action })] }), get());
const status = (code: number): Want => ({ status: code, body: String(code) });
const ok: Want = { body: "ok" };
const internal = { internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] } };
/** As a caller inside, who may ask for retries and time-outs by headers. */
const asked = (name: string, headers: readonly (readonly [string, string])[], want: Want | readonly Want[], action: JsonObject = {}): Row =>
  row(
    `asked: ${name}`,
    http({ hcm: internal, routes: [route({ prefix: "/" }, { retry_policy: { num_retries: 0, ...fast }, ...action })] }),
    get("/", [["x-forwarded-for", "10.0.0.1"], ...headers], { want }),
  );
const limits = (thresholds: JsonObject): JsonObject => ({ circuit_breakers: { thresholds: [thresholds] } });
const priorities = (name: string, groups: readonly (readonly string[])[], more: JsonObject = {}): JsonObject => ({
  name,
  type: "STATIC",
  connect_timeout: "1s",
  load_assignment: { cluster_name: name, endpoints: groups.map((each, priority) => ({ priority, lb_endpoints: each.map((backend) => endpoint(backend)) })) },
  ...more,
});
const slow = (ms: number): Want => ({ delay: ms, body: "slow" });
const twice = (first: Call, second: Call): Call[] => [first, second];

export const failures: Group = {
  name: "failures",
  rows: [
    up("closes before the answer", { end: "before" }),
    up("resets before the answer", { end: "reset-before" }),
    up("closes in the head", { end: "in-head" }),
    up("closes in the body", { body: "0123456789", end: "in-body" }),
    up("resets in the body", { body: "0123456789", end: "reset-in-body" }),
    up("closes in the body, chunked", { chunks: ["0123456789"], end: "in-body", body: "5\r\nhel" }),
    up("garbage", { raw: "garbage\r\n\r\n" }),
    up("garbage without an end", { raw: "garbage" }),
    up("bad header", { raw: "HTTP/1.1 200 OK\r\nbad header\r\n\r\n" }),
    up("status of two digits", { raw: "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n" }),
    up("status 600", { raw: "HTTP/1.1 600 X\r\ncontent-length: 0\r\n\r\n" }),
    up("HTTP/1.0 answer", { raw: "HTTP/1.0 200 OK\r\n\r\nold", end: "after" }),
    up("no reason phrase", { raw: "HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx" }),
    up("both framings", { raw: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" }),
    up("two content-lengths", { raw: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello" }),
    up("content-length that is none", { raw: "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nhello" }),
    up("bad chunk", { raw: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n" }),
    up("101 that nobody asked for", { raw: "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n" }),
    up("more than its length", { raw: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello" }),
    up("headers too large", { raw: `HTTP/1.1 200 OK\r\nx: ${"a".repeat(70_000)}\r\ncontent-length: 0\r\n\r\n` }),
    up("101 headers", { raw: `HTTP/1.1 200 OK\r\n${Array.from({ length: 101 }, (_, i) => `x-${i}: 1\r\n`).join("")}content-length: 0\r\n\r\n` }),
    up("transfer-encoding on a 204", { raw: "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" }),
    up("connection: close", { headers: [["connection", "close"]], body: "b" }),
    up("answers before the body is there", { body: "early" }, {}, { method: "POST", body: "x".repeat(100) }),
    up("route time-out", slow(500), { timeout: "0.15s" }),
    up("route time-out in the body", { body: "0123456789", bodyDelay: 500 }, { timeout: "0.2s" }),
    up("no time-out", slow(100), { timeout: "0s" }),
    up("idle time-out of the route", slow(500), { timeout: "0s", idle_timeout: "0.15s" }),
    row(
      "upstream: stream idle time-out",
      http({ hcm: { stream_idle_timeout: "0.15s" }, routes: [route({ prefix: "/" }, { timeout: "0s" })] }),
      get("/", [], { want: slow(500) }),
    ),
    row(
      "upstream: longest stream",
      http({ hcm: { common_http_protocol_options: { max_stream_duration: "0.15s" } }, routes: [route({ prefix: "/" }, { timeout: "0s" })] }),
      get("/", [], { want: slow(500) }),
    ),
    row(
      "upstream: longest stream of the route",
      http({ routes: [route({ prefix: "/" }, { timeout: "0s", max_stream_duration: { max_stream_duration: "0.15s" } })] }),
      get("/", [], { want: slow(500) }),
    ),
    row("upstream: request time-out", http({ hcm: { request_timeout: "0.15s" } }), {
      raw: [{ send: "POST / HTTP/1.1\r\nhost: row.test\r\ncontent-length: 10\r\n\r\nhello" }, { responses: 1 }, { rest: true }],
    }),
    row("upstream: request headers time-out", http({ hcm: { request_headers_timeout: "0.15s" } }), {
      raw: [{ send: "GET / HTTP/1.1\r\nhost: row" }, { responses: 1 }, { rest: true }],
    }),
    row("upstream: idle connection", http({ hcm: { drain_timeout: "0.1s", common_http_protocol_options: { idle_timeout: "0.2s" } } }), {
      raw: [{ send: "GET / HTTP/1.1\r\nhost: row.test\r\n\r\n" }, { responses: 1 }, { wait: 1500 }, { rest: true }],
    }),
    retry("5xx", { retry_on: "5xx", num_retries: 2 }, [status(503), status(500), ok]),
    retry("5xx, given up", { retry_on: "5xx", num_retries: 2 }, status(503)),
    retry("5xx is not for 404", { retry_on: "5xx" }, [status(404), ok]),
    retry("gateway-error", { retry_on: "gateway-error" }, [status(502), ok]),
    retry("gateway-error is not for 500", { retry_on: "gateway-error" }, [status(500), ok]),
    retry("retriable-4xx", { retry_on: "retriable-4xx" }, [status(409), ok]),
    retry("retriable-status-codes", { retry_on: "retriable-status-codes", retriable_status_codes: [418] }, [status(418), ok]),
    retry("retriable-headers", { retry_on: "retriable-headers", retriable_headers: [{ name: "x-again", string_match: { exact: "yes" } }] }, [
      { headers: [["x-again", "yes"]], body: "first" },
      ok,
    ]),
    retry("retriable-headers, another value", { retry_on: "retriable-headers", retriable_headers: [{ name: "x-again", string_match: { exact: "yes" } }] }, [
      { headers: [["x-again", "no"]], body: "first" },
      ok,
    ]),
    retry("only for some requests", { retry_on: "5xx", retriable_request_headers: [{ name: "x-may", present_match: true }] }, [status(503), ok]),
    retry("for this request", { retry_on: "5xx", retriable_request_headers: [{ name: "x-may", present_match: true }] }, [status(503), ok], {
      headers: [["x-may", "1"]],
    }),
    retry("reset", { retry_on: "reset" }, [{ end: "before" }, ok]),
    retry("reset, given up", { retry_on: "reset" }, { end: "before" }),
    retry("reset-before-request", { retry_on: "reset-before-request" }, [{ end: "before" }, ok]),
    retry("connect-failure is not for resets", { retry_on: "connect-failure" }, [{ end: "before" }, ok]),
    retry("connect-failure, given up", { retry_on: "connect-failure", num_retries: 2 }, ok, {}, { cluster: "closed" }),
    retry("not after the answer has begun", { retry_on: "5xx,reset" }, [{ body: "0123456789", end: "in-body" }, ok]),
    retry("with a body", { retry_on: "5xx" }, [status(503), {}], { method: "POST", body: "hello" }),
    retry("with chunks", { retry_on: "5xx" }, [status(503), {}], { method: "POST", chunks: ["hel", "lo"] }),
    retry("per try time-out", { retry_on: "5xx", per_try_timeout: "0.15s" }, [slow(400), ok]),
    retry("per try time-out, given up", { retry_on: "5xx", per_try_timeout: "0.1s" }, slow(400)),
    retry("per try time-out, not retried", { retry_on: "reset", per_try_timeout: "0.1s" }, [slow(400), ok]),
    retry("the route's time-out ends all", { retry_on: "5xx", num_retries: 5, per_try_timeout: "0.4s" }, slow(2000), {}, { timeout: "0.6s" }),
    retry("envoy-ratelimited", { retry_on: "envoy-ratelimited" }, [{ status: 429, headers: [["x-envoy-ratelimited", "true"]], body: "r" }, ok]),
    retry("unknown condition", { retry_on: "whenever" }, [status(503), ok]),
    retry("none", { retry_on: "5xx", num_retries: 0 }, [status(503), ok]),
    row(
      "retry: policy of the virtual host",
      http({ virtualHosts: [{ name: "v", domains: ["*"], retry_policy: { retry_on: "5xx", ...fast }, routes: [route({ prefix: "/" })] }] }),
      get("/", [], { want: [status(503), ok] }),
    ),
    row(
      "retry: to another host",
      http({
        routes: [
          route(
            { prefix: "/" },
            {
              cluster: "one-closed",
              timeout: "0s",
              retry_policy: {
                retry_on: "connect-failure",
                num_retries: 4,
                ...fast,
                retry_host_predicate: [
                  {
                    name: "envoy.retry_host_predicates.previous_hosts",
                    typed_config: typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
                  },
                ],
                host_selection_retry_max_attempts: 5,
              },
            },
          ),
        ],
      }),
      { http: {}, repeat: 4 },
      { anyOrder: true, clusters: [cluster("one-closed", ["closed", "echo"])] },
    ),
    asked(
      "retries by a header",
      [
        ["x-envoy-retry-on", "5xx"],
        ["x-envoy-max-retries", "2"],
      ],
      [status(503), status(503), ok],
    ),
    asked(
      "retriable status codes",
      [
        ["x-envoy-retry-on", "retriable-status-codes"],
        ["x-envoy-retriable-status-codes", "418,419"],
        ["x-envoy-max-retries", "1"],
      ],
      [status(419), ok],
    ),
    asked("retries without a number", [["x-envoy-retry-on", "5xx"]], [status(503), ok]),
    asked("time-out by a header", [["x-envoy-upstream-rq-timeout-ms", "100"]], slow(400)),
    asked("per try time-out by a header", [["x-envoy-upstream-rq-per-try-timeout-ms", "100"]], slow(400)),
    asked("expected time-out goes on", [["x-envoy-upstream-rq-timeout-ms", "1234"]], {}),
    asked(
      "expected time-out with per try",
      [
        ["x-envoy-upstream-rq-timeout-ms", "1234"],
        ["x-envoy-upstream-rq-per-try-timeout-ms", "200"],
      ],
      {},
    ),
    asked(
      "alternative answer on a time-out",
      [
        ["x-envoy-upstream-rq-timeout-alt-response", "1"],
        ["x-envoy-upstream-rq-timeout-ms", "100"],
      ],
      slow(400),
    ),
    row(
      "asked: from outside nothing is granted",
      http({ hcm: internal, routes: [route({ prefix: "/" })] }),
      get(
        "/",
        [
          ["x-forwarded-for", "9.9.9.9"],
          ["x-envoy-retry-on", "5xx"],
          ["x-envoy-upstream-rq-timeout-ms", "100"],
        ],
        { want: slow(250) },
      ),
    ),
    to("connection refused", "closed"),
    to("no endpoint", "empty"),
    row("host: closes at once", http({ routes: [route({ prefix: "/" }, { cluster: "closes" })] }), get(), { clusters: [cluster("closes", ["close"])] }),
    row("host: TLS to plaintext", http({ routes: [route({ prefix: "/" }, { cluster: "tls-to-plain" })] }), get(), {
      clusters: [
        cluster("tls-to-plain", ["echo"], {
          transport_socket: { name: "tls", typed_config: typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext") },
        }),
      ],
    }),
    row("host: plaintext to TLS", http({ routes: [route({ prefix: "/" }, { cluster: "plain-to-tls" })] }), get(), {
      clusters: [cluster("plain-to-tls", ["tls"])],
    }),
    row("host: HTTP/2 to an HTTP/1 server", http({ routes: [route({ prefix: "/" }, { cluster: "h2-to-h1" })] }), get(), {
      clusters: [
        cluster("h2-to-h1", ["echo"], {
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
              explicit_http_config: { http2_protocol_options: {} },
            }),
          },
        }),
      ],
    }),
    row("host: HTTP/1 to an HTTP/2 server", http({ routes: [route({ prefix: "/" }, { cluster: "h1-to-h2" })] }), get(), {
      clusters: [cluster("h1-to-h2", ["h2"])],
    }),
    row("limit: no request at all", http({ routes: [route({ prefix: "/" }, { cluster: "none-allowed" })] }), get(), {
      clusters: [cluster("none-allowed", ["echo"], limits({ max_requests: 0 }))],
    }),
    row("limit: nobody may wait", http({ routes: [route({ prefix: "/" }, { cluster: "no-waiting" })] }), get(), {
      clusters: [cluster("no-waiting", ["echo"], limits({ max_pending_requests: 0 }))],
    }),
    row(
      "limit: one request at a time",
      http({ routes: [route({ prefix: "/" }, { cluster: "one-request" })] }),
      {
        h2: [
          { path: "/1", want: slow(150) },
          { path: "/2", want: slow(150) },
        ],
      },
      {
        clusters: [
          cluster("one-request", ["h2"], {
            ...limits({ max_requests: 1 }),
            typed_extension_protocol_options: {
              "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
                explicit_http_config: { http2_protocol_options: {} },
              }),
            },
          }),
        ],
      },
    ),
    row(
      "limit: no retries",
      http({ routes: [route({ prefix: "/" }, { cluster: "no-retries", retry_policy: { retry_on: "5xx", ...fast } })] }),
      get("/", [], { want: [status(503), ok] }),
      { clusters: [cluster("no-retries", ["echo"], limits({ max_retries: 0 }))] },
    ),
    row(
      "ejected after five errors, the only host stays in a panic",
      http({ routes: [route({ prefix: "/" }, { cluster: "ejecting" })] }),
      { http: { want: status(503) }, repeat: 7 },
      { clusters: [cluster("ejecting", ["echo"], { outlier_detection: { consecutive_5xx: 3, max_ejection_percent: 100 } })] },
    ),
    row(
      "ejected, no panic",
      http({ routes: [route({ prefix: "/" }, { cluster: "ejecting-2" })] }),
      { http: { want: status(503) }, repeat: 5 },
      {
        clusters: [
          cluster("ejecting-2", ["echo"], {
            common_lb_config: { healthy_panic_threshold: { value: 0 } },
            outlier_detection: { consecutive_5xx: 3, max_ejection_percent: 100 },
          }),
        ],
      },
    ),
    row(
      "ejected for gateway errors",
      http({ routes: [route({ prefix: "/" }, { cluster: "ejecting-3" })] }),
      { http: { want: status(502) }, repeat: 4 },
      {
        clusters: [
          cluster("ejecting-3", ["echo"], {
            common_lb_config: { healthy_panic_threshold: { value: 0 } },
            outlier_detection: { consecutive_5xx: 100, consecutive_gateway_failure: 2, enforcing_consecutive_gateway_failure: 100, max_ejection_percent: 100 },
          }),
        ],
      },
    ),
    row(
      "ejected for failed connections",
      http({ routes: [route({ prefix: "/" }, { cluster: "ejecting-4" })] }),
      { http: {}, repeat: 4 },
      {
        clusters: [
          cluster("ejecting-4", ["closed"], {
            common_lb_config: { healthy_panic_threshold: { value: 0 } },
            outlier_detection: { consecutive_5xx: 2, max_ejection_percent: 100 },
          }),
        ],
      },
    ),
    row(
      "the other takes over for the ejected",
      http({ routes: [route({ prefix: "/" }, { cluster: "ejecting-5" })] }),
      twice({ http: {}, repeat: 6 }, { http: {}, repeat: 4 }),
      {
        anyOrder: true,
        clusters: [priorities("ejecting-5", [["closed"], ["echo2"]], { outlier_detection: { consecutive_5xx: 2, max_ejection_percent: 100 } })],
      },
    ),
    row(
      "priority: the first is used",
      http({ routes: [route({ prefix: "/" }, { cluster: "priority-1" })] }),
      { http: {}, repeat: 3 },
      { clusters: [priorities("priority-1", [["echo"], ["echo2"]])] },
    ),
    row(
      "priority: the first is empty",
      http({ routes: [route({ prefix: "/" }, { cluster: "priority-2" })] }),
      { http: {}, repeat: 3 },
      { clusters: [priorities("priority-2", [[], ["echo2"]])] },
    ),
    row(
      "priority: the first is marked unhealthy",
      http({ routes: [route({ prefix: "/" }, { cluster: "priority-3" })] }),
      { http: {}, repeat: 3 },
      {
        clusters: [
          {
            ...priorities("priority-3", []),
            load_assignment: {
              cluster_name: "priority-3",
              endpoints: [
                { priority: 0, lb_endpoints: [endpoint("echo", { health_status: "UNHEALTHY" })] },
                { priority: 1, lb_endpoints: [endpoint("echo2")] },
              ],
            },
          },
        ],
      },
    ),
    row(
      "balance: round robin",
      http({ routes: [route({ prefix: "/" }, { cluster: "rr" })] }),
      { http: {}, repeat: 8 },
      { anyOrder: true, clusters: [cluster("rr", ["echo", "echo2", "echo3"])] },
    ),
    row(
      "balance: a weight of one host",
      http({ routes: [route({ prefix: "/" }, { cluster: "weighted-hosts" })] }),
      { http: {}, repeat: 8 },
      {
        anyOrder: true,
        clusters: [
          {
            ...cluster("weighted-hosts", []),
            load_assignment: {
              cluster_name: "weighted-hosts",
              endpoints: [{ lb_endpoints: [endpoint("echo", { load_balancing_weight: 1 }), endpoint("echo2", { load_balancing_weight: 3 })] }],
            },
          },
        ],
      },
    ),
    row(
      "balance: locality weights",
      http({ routes: [route({ prefix: "/" }, { cluster: "localities" })] }),
      { http: {}, repeat: 4 },
      {
        clusters: [
          {
            ...cluster("localities", []),
            common_lb_config: { locality_weighted_lb_config: {} },
            load_assignment: {
              cluster_name: "localities",
              endpoints: [
                { locality: { region: "a" }, load_balancing_weight: 100, lb_endpoints: [endpoint("echo")] },
                { locality: { region: "b" }, lb_endpoints: [endpoint("echo2")] },
              ],
            },
          },
        ],
      },
    ),
    row(
      "balance: draining hosts get nothing",
      http({ routes: [route({ prefix: "/" }, { cluster: "draining-host" })] }),
      { http: {}, repeat: 4 },
      {
        clusters: [
          {
            ...cluster("draining-host", []),
            load_assignment: {
              cluster_name: "draining-host",
              endpoints: [{ lb_endpoints: [endpoint("echo", { health_status: "DRAINING" }), endpoint("echo2")] }],
            },
          },
        ],
      },
    ),
    row(
      "balance: least request",
      http({ routes: [route({ prefix: "/" }, { cluster: "lr" })] }),
      { http: {}, repeat: 10 },
      { anyOrder: true, clusters: [cluster("lr", ["echo", "echo2"], { lb_policy: "LEAST_REQUEST" })] },
    ),
    row(
      "balance: random",
      http({ routes: [route({ prefix: "/" }, { cluster: "random" })] }),
      { http: {}, repeat: 14 },
      { anyOrder: true, clusters: [cluster("random", ["echo", "echo2"], { lb_policy: "RANDOM" })] },
    ),
    row("names: logical DNS", http({ routes: [route({ prefix: "/" }, { cluster: "logical" })] }), get(), {
      clusters: [
        {
          name: "logical",
          type: "LOGICAL_DNS",
          dns_lookup_family: "V4_ONLY",
          connect_timeout: "1s",
          load_assignment: {
            cluster_name: "logical",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: "localhost", port_value: port("echo") } } } }] }],
          },
        },
      ],
    }),
    row(
      "destination by a header",
      http({ routes: [route({ prefix: "/" }, { cluster: "by-header" })] }),
      get("/", [["x-envoy-original-dst-host", "127.0.0.1:1"]]),
      {
        clusters: [
          { name: "by-header", type: "ORIGINAL_DST", lb_policy: "CLUSTER_PROVIDED", connect_timeout: "1s", original_dst_lb_config: { use_http_header: true } },
        ],
      },
    ),
    row(
      "destination by a header that is none",
      http({ routes: [route({ prefix: "/" }, { cluster: "by-header-2" })] }),
      get("/", [["x-envoy-original-dst-host", "somewhere"]]),
      {
        clusters: [
          {
            name: "by-header-2",
            type: "ORIGINAL_DST",
            lb_policy: "CLUSTER_PROVIDED",
            connect_timeout: "1s",
            original_dst_lb_config: { use_http_header: true },
          },
        ],
      },
    ),
    row("IPv4 endpoint beside the same by name", http({ routes: [route({ prefix: "/" }, { cluster: "plain-address" })] }), get(), {
      clusters: [
        {
          name: "plain-address",
          type: "STATIC",
          connect_timeout: "1s",
          load_assignment: {
            cluster_name: "plain-address",
            endpoints: [{ lb_endpoints: [{ endpoint: { hostname: "named.test", address: address("echo") } }] }],
          },
        },
      ],
    }),
    row("auto host rewrite by the endpoint's name", http({ routes: [route({ prefix: "/" }, { cluster: "with-name", auto_host_rewrite: true })] }), get(), {
      clusters: [
        {
          name: "with-name",
          type: "STATIC",
          connect_timeout: "1s",
          load_assignment: { cluster_name: "with-name", endpoints: [{ lb_endpoints: [{ endpoint: { hostname: "named.test", address: address("echo") } }] }] },
        },
      ],
    }),
  ],
};
