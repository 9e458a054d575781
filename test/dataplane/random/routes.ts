import type { JsonObject } from "@bufbuild/protobuf";
import { typed } from "../row.ts";
import type { Dice } from "./dice.ts";

/** Words that requests and configurations both use, so that they meet often. */
export const PATHS = [
  "/",
  "/a",
  "/a/b",
  "/a/b/c",
  "/A",
  "/ab",
  "/api/v1/items",
  "/api/v1/items/42",
  "/x.html",
  "/a%20b",
  "/a//b",
  "/a/./b",
  "/a/../b",
  "/%61",
  "/a%2Fb",
  "/a;v=1",
  "/%C3%BC",
  "*",
];
export const NAMES = ["x-a", "x-b", "x-version", "x-empty", "user-agent", "content-type", "x-forwarded-for", "cookie", "x-under_score"];
export const VALUES = ["1", "2", "abc", "ABC", "a,b", "", "42", "v1.2", "joe", "with space", "k=v; s=t"];
export const HOSTS = ["row.test", "ROW.test", "row.test:80", "api.row.test", "a.b.test", "other.example", "row.test."];

export function stringMatch(dice: Dice): JsonObject {
  const value = dice.one(VALUES.filter((each) => each !== ""));
  const match: JsonObject = dice.one<JsonObject>([
    { exact: value },
    { prefix: value[0] ?? "a" },
    { suffix: value.at(-1) ?? "a" },
    { contains: value.slice(0, 2) },
    { safe_regex: { regex: dice.one(["[a-z]+", "\\d+", ".*", "(1|2)", "[aA][bB]c", "v\\d\\.\\d"]) } },
  ]);
  return { ...match, ...(!match.safe_regex && dice.chance(0.3) && { ignore_case: true }) };
}

export function headerMatch(dice: Dice): JsonObject {
  const name = dice.one([...NAMES, ":method", ":path", ":authority", ":scheme", "host"]);
  const how = dice.one<JsonObject>([
    { string_match: stringMatch(dice) },
    { present_match: true },
    { present_match: false },
    { range_match: { start: 1, end: dice.one([2, 43, 100]) } },
  ]);
  return { name, ...how, ...(dice.chance(0.2) && { invert_match: true }), ...(dice.chance(0.15) && { treat_missing_header_as_empty: true }) };
}

export function routeMatch(dice: Dice): JsonObject {
  const path = dice.one(PATHS.filter((each) => each !== "*"));
  const by = dice.one<JsonObject>([
    { prefix: "/" },
    { prefix: "/" },
    { prefix: path },
    { path },
    { path_separated_prefix: dice.one(["/a", "/a/b", "/api", "/api/v1"]) },
    { safe_regex: { regex: dice.one(["/a.*", "/api/v[0-9]+/items", ".*\\.html", "/(a|b)/.*", "/[^/]+"]) } },
    {
      path_match_policy: {
        name: "t",
        typed_config: typed("envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", {
          path_template: dice.one(["/a/*", "/a/**", "/{x}/b", "/api/{v}/items/*"]),
        }),
      },
    },
  ]);
  return {
    ...by,
    ...((by.prefix || by.path || by.path_separated_prefix) && dice.chance(0.2) && { case_sensitive: false }),
    ...(dice.chance(0.25) && { headers: dice.list(2, () => headerMatch(dice)) }),
    ...(dice.chance(0.15) && {
      query_parameters: [{ name: dice.one(["q", "x", "empty"]), ...dice.one<JsonObject>([{ present_match: true }, { string_match: stringMatch(dice) }]) }],
    }),
    ...(dice.chance(0.05) && { grpc: {} }),
    ...(dice.chance(0.1) && { runtime_fraction: { default_value: { numerator: dice.one([0, 100]) } } }),
  };
}

const FORMATS = [
  "fixed",
  "%PROTOCOL%",
  "%REQ(x-a)%",
  "%REQ(x-none)%",
  "a %REQ(:PATH)% b",
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
  "100%%",
  "%RESPONSE_CODE%",
  "%ROUTE_NAME%",
  "%REQ(x-none?x-b)%",
  "%UPSTREAM_CLUSTER%",
  "%REQUESTED_SERVER_NAME%",
  "",
  "%RESPONSE_FLAGS%",
  "%REQ(:METHOD):2%",
  "%VIRTUAL_CLUSTER_NAME%",
  "%RESPONSE_CODE_DETAILS%",
  "%PATH(NQ)%",
  "%QUERY_PARAM(q)%",
  "%BYTES_RECEIVED%",
];

export function headerOps(dice: Dice, direction: "request" | "response"): JsonObject {
  const add = dice.list(3, () => ({
    header: {
      key: dice.one(["x-a", "x-b", "x-new", "X-Case", ...(direction === "response" ? ["content-type", "server", "x-r", "date"] : [])]),
      value: dice.one(FORMATS),
    },
    ...(dice.chance(0.7) && { append_action: dice.one(["APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS"]) }),
    ...(dice.chance(0.3) && { keep_empty_value: true }),
  }));
  const remove = dice.some(
    direction === "request"
      ? ["x-a", "X-B", "user-agent", "x-request-id", "x-forwarded-proto"]
      : ["x-r", "server", "x-envoy-upstream-service-time", "content-type", "date"],
    2,
  );
  return {
    ...(add.length > 0 && { [`${direction}_headers_to_add`]: add }),
    ...(remove.length > 0 && dice.chance(0.5) && { [`${direction}_headers_to_remove`]: remove }),
  };
}

function retryPolicy(dice: Dice): JsonObject {
  return {
    retry_on: dice.one([
      "5xx",
      "gateway-error",
      "reset",
      "connect-failure",
      "retriable-4xx",
      "5xx,connect-failure",
      "retriable-status-codes",
      "retriable-headers",
      "reset-before-request",
      "refused-stream",
      "unavailable",
      "envoy-ratelimited",
    ]),
    num_retries: dice.one([0, 1, 2, 3]),
    retry_back_off: { base_interval: "0.001s", max_interval: "0.005s" },
    ...dice.fields<JsonObject[string]>(0.25, {
      retriable_status_codes: () => dice.one<number[]>([[418], [404, 409], [200]]),
      retriable_headers: () => [{ name: "x-r", present_match: true }],
      retriable_request_headers: () => [headerMatch(dice)],
      retry_host_predicate: () => [
        { name: "envoy.retry_host_predicates.previous_hosts", typed_config: typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate") },
      ],
    }),
  };
}

export function routeAction(dice: Dice, clusters: readonly string[], match: JsonObject): JsonObject {
  const name = (): string => dice.one(clusters);
  const target = dice.one<() => JsonObject>([
    () => ({ cluster: name() }),
    () => ({ cluster: name() }),
    () => ({ cluster: name() }),
    () => ({ cluster_header: dice.one(["x-a", "x-cluster"]) }),
    () => ({
      weighted_clusters: {
        clusters: [
          { name: name(), weight: 0 },
          {
            name: name(),
            weight: 1,
            ...headerOps(dice, "request"),
            ...headerOps(dice, "response"),
            ...(dice.chance(0.2) && { host_rewrite_literal: "weighted.test" }),
          },
        ],
      },
    }),
  ])();
  // Only what was matched by a prefix or whole has a prefix.
  const path = dice.one<JsonObject>([
    {},
    {},
    match.path_match_policy ? {} : { prefix_rewrite: dice.one(["/", "/new", "/new/"]) },
    { regex_rewrite: { pattern: { regex: dice.one(["/a", "^/([^/]+)", "[0-9]+", "b*"]) }, substitution: dice.one(["/z", "/\\1", "", "-\\0-"]) } },
  ]);
  const host = dice.one<JsonObject>([
    {},
    {},
    { host_rewrite_literal: "literal.test" },
    { host_rewrite_header: "x-a" },
    { auto_host_rewrite: true },
    { host_rewrite_path_regex: { pattern: { regex: "^/([a-z]+).*" }, substitution: "\\1.test" } },
  ]);
  return {
    ...target,
    ...path,
    ...host,
    ...dice.fields<JsonObject[string]>(0.12, {
      timeout: () => dice.one(["0s", "5s"]),
      retry_policy: () => retryPolicy(dice),
      append_x_forwarded_host: () => true,
      cluster_not_found_response_code: () => dice.one(["NOT_FOUND", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"]),
      hash_policy: () => [
        dice.one<JsonObject>([{ header: { header_name: "x-a" } }, { query_parameter: { name: "q" } }, { connection_properties: { source_ip: true } }]),
      ],
      max_grpc_timeout: () => "0s",
      upgrade_configs: () => [{ upgrade_type: "websocket" }],
      priority: () => "HIGH",
      idle_timeout: () => "3s",
    }),
  };
}

function redirect(dice: Dice, match: JsonObject): JsonObject {
  return {
    ...dice.fields<JsonObject[string]>(0.3, {
      host_redirect: () => dice.one(["other.test", "other.test:81"]),
      port_redirect: () => dice.one([443, 80, 8080]),
      strip_query: () => true,
      response_code: () => dice.one(["FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT", "PERMANENT_REDIRECT"]),
    }),
    ...dice.one<JsonObject>([
      {},
      { path_redirect: dice.one(["/new", "/new?x=1", "/"]) },
      match.path_match_policy ? {} : { prefix_rewrite: "/p" },
      { regex_rewrite: { pattern: { regex: "/a" }, substitution: "/r" } },
    ]),
    ...dice.one<JsonObject>([{}, { https_redirect: true }, { scheme_redirect: "https" }, { scheme_redirect: "http" }]),
  };
}

export function randomRoute(dice: Dice, clusters: readonly string[], perFilter: () => JsonObject): JsonObject {
  const match = routeMatch(dice);
  const action = dice.one<() => JsonObject>([
    () => ({ route: routeAction(dice, clusters, match) }),
    () => ({ route: routeAction(dice, clusters, match) }),
    () => ({ route: routeAction(dice, clusters, match) }),
    () => ({ route: routeAction(dice, clusters, match) }),
    () => ({ redirect: redirect(dice, match) }),
    () => ({
      direct_response: {
        status: dice.one([200, 201, 404, 503]),
        ...(dice.chance(0.7) && { body: { inline_string: dice.one(["direct", "", "d\u00fcrect"]) } }),
      },
    }),
  ])();
  const name = dice.one(["", "r1", "r2"]);
  return {
    match,
    ...action,
    ...(name && { name }),
    ...(dice.chance(0.4) && headerOps(dice, "request")),
    ...(dice.chance(0.4) && headerOps(dice, "response")),
    ...(dice.chance(0.1) && { decorator: { operation: dice.one(["op", "op two"]), ...(dice.chance(0.3) && { propagate: false }) } }),
    ...perFilter(),
  };
}
