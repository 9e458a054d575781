import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, endpoint, fileLog, get, hcm, http, httpFilter, route, row, tcp, typed, type Call, type Group, type Row } from "../row.ts";

/** Clients that stay with their host, and named values of connections and requests. */

const F = "envoy.extensions.filters.http.";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

// ---- sessions

const by = (kind: "cookie" | "header", config: JsonObject, more: JsonObject = {}): JsonObject => ({
  session_state: {
    name: `envoy.http.stateful_session.${kind}`,
    typed_config: typed(
      `envoy.extensions.http.stateful_session.${kind}.v3.${kind === "cookie" ? "CookieBasedSessionState" : "HeaderBasedSessionState"}`,
      config,
    ),
  },
  ...more,
});
const COOKIE = by("cookie", { cookie: { name: "session", path: "/" } });
const HEADER = by("header", { name: "x-session" });
const filter = (config: JsonObject): JsonObject => httpFilter("envoy.filters.http.stateful_session", typed(`${F}stateful_session.v3.StatefulSession`, config));
const perRoute = (config: JsonObject): JsonObject => ({
  typed_per_filter_config: { "envoy.filters.http.stateful_session": typed(`${F}stateful_session.v3.StatefulSessionPerRoute`, config) },
});
const LOG = "%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_HOST%";
let clusters = 0;
function session(
  name: string,
  config: JsonObject,
  call: Call | readonly Call[],
  more: { readonly route?: JsonObject; readonly backends?: readonly string[]; readonly cluster?: JsonObject } = {},
): Row {
  const own = `sessions-${clusters++}`;
  return row(`session: ${name}`, http({ filters: [filter(config)], routes: [route({ prefix: "/" }, { cluster: own }, more.route)], log: LOG }), call, {
    clusters: [cluster(own, more.backends ?? ["echo"], more.cluster)],
  });
}
const unhealthy: JsonObject = {
  load_assignment: { cluster_name: "s", endpoints: [{ lb_endpoints: [endpoint("echo", { health_status: "DRAINING" }), endpoint("echo2")] }] },
};

const sessions: readonly Row[] = [
  session("none yet, by cookie", COOKIE, get()),
  session("none yet, by header", HEADER, get()),
  session("a host that is not there", COOKIE, get("/", [["cookie", `session=${base64("127.0.0.1:1")}`]])),
  session("a host that is not there, and no other will do", { ...COOKIE, strict: true }, get("/", [["cookie", `session=${base64("127.0.0.1:1")}`]])),
  session("by header, a host that is not there, and no other will do", { ...HEADER, strict: true }, get("/", [["x-session", base64("127.0.0.1:1")]])),
  session("another path", by("cookie", { cookie: { name: "session", path: "/shop" } }, { strict: true }), [
    get("/other", [["cookie", `session=${base64("127.0.0.1:1")}`]]),
    get("/shop/a?q", [["cookie", `session=${base64("127.0.0.1:1")}`]]),
    get("/shopping", [["cookie", `session=${base64("127.0.0.1:1")}`]]),
  ]),
  session(
    "a cookie whose time is over",
    { ...COOKIE, strict: true },
    get("/", [["cookie", `session=${Buffer.from("\n\x0b127.0.0.1:1\x10\x01").toString("base64")}`]]),
  ),
  session("no base64", { ...HEADER, strict: true }, get("/", [["x-session", "%%%"]])),
  session("off for the route", { ...COOKIE, strict: true }, get("/", [["cookie", `session=${base64("127.0.0.1:1")}`]]), {
    route: perRoute({ disabled: true }),
  }),
  session("only for the route", {}, get("/", [["x-session", base64("127.0.0.1:1")]]), { route: perRoute({ stateful_session: { ...HEADER, strict: true } }) }),
  session("draining hosts take nobody new", COOKIE, { ...get(), repeat: 3 }, { cluster: unhealthy }),
];

// ---- named values

const value = (key: string, text: string, more: JsonObject = {}): JsonObject => ({
  object_key: key,
  format_string: { text_format_source: { inline_string: text } },
  ...more,
});
const requestState = (...values: JsonObject[]): JsonObject =>
  httpFilter("envoy.filters.http.set_filter_state", typed(`${F}set_filter_state.v3.Config`, { on_request_headers: values }));
const connectionState = (...values: JsonObject[]): JsonObject => ({
  name: "envoy.filters.network.set_filter_state",
  typed_config: typed("envoy.extensions.filters.network.set_filter_state.v3.Config", { on_new_connection: values }),
});
const text = { factory_key: "envoy.string" };
const STATE = "%FILTER_STATE(my.key:PLAIN)% %FILTER_STATE(my.key)% %FILTER_STATE(my.other:TYPED)%";
const rbac = httpFilter(
  "envoy.filters.http.rbac",
  typed(`${F}rbac.v3.RBAC`, {
    rules: {
      action: "ALLOW",
      policies: { p: { permissions: [{ any: true }], principals: [{ filter_state: { key: "my.key", string_match: { prefix: "a" } } }] } },
    },
  }),
);
const hello: Call = { raw: [{ send: "hello" }, { halfClose: true }, { rest: true }] };

const states: readonly Row[] = [
  row("state: of a request", http({ filters: [requestState(value("my.key", "path %REQ(:PATH)%", text))], log: STATE }), get("/p")),
  row(
    "state: nothing",
    http({ filters: [requestState(value("my.key", "%REQ(x-none)%", text), value("my.other", "%REQ(x-none)%", { ...text, skip_if_empty: true }))], log: STATE }),
    get("/p"),
  ),
  row(
    "state: nothing is left out",
    http({
      filters: [
        requestState({
          object_key: "my.key",
          ...text,
          skip_if_empty: true,
          format_string: { text_format_source: { inline_string: "%REQ(x-none)%" }, omit_empty_values: true },
        }),
      ],
      log: STATE,
    }),
    get("/p"),
  ),
  row(
    "state: in a header",
    http({
      filters: [requestState(value("my.key", "v", text))],
      routes: [route({ prefix: "/" }, {}, { request_headers_to_add: [{ header: { key: "x-state", value: "%FILTER_STATE(my.key:PLAIN)%" } }] })],
    }),
    get("/p"),
  ),
  row(
    "state: of the route too",
    http({
      filters: [requestState(value("my.key", "filter", text))],
      log: STATE,
      routes: [
        route(
          { prefix: "/" },
          {},
          {
            typed_per_filter_config: {
              "envoy.filters.http.set_filter_state": typed(`${F}set_filter_state.v3.Config`, { on_request_headers: [value("my.key", "route", text)] }),
            },
          },
        ),
      ],
    }),
    get("/p"),
  ),
  row("state: RBAC", http({ filters: [requestState(value("my.key", "%REQ(x-a)%", text)), rbac] }), [get("/", [["x-a", "abc"]]), get("/", [["x-a", "bcd"]])]),
  row("state: of a connection", http({ before: [connectionState(value("my.key", "from %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", text))], log: STATE }), get()),
  row("state: of a TCP connection", tcp("tcp", [connectionState(value("my.key", "v", text))], { access_log: [fileLog(STATE, "tcp")] }), hello),
  row("state: the cluster of a TCP connection", tcp("echo", [connectionState(value("envoy.tcp_proxy.cluster", "tcp"))]), hello),
  row(
    "state: a connection manager behind another state",
    {
      filter_chains: [
        {
          filters: [
            connectionState(value("my.key", "c", text)),
            hcm({ filters: [requestState(value("my.other", "%FILTER_STATE(my.key:PLAIN)%r", text))], log: STATE }),
          ],
        },
      ],
    },
    get(),
  ),
];

export const sessionRows: Group = { name: "sessions", rows: [...sessions, ...states] };
