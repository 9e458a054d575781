import type { JsonObject } from "@bufbuild/protobuf";
import { httpFilter, typed } from "../row.ts";
import type { Dice } from "./dice.ts";
import { headerMatch, headerOps, stringMatch } from "./routes.ts";

const F = "envoy.extensions.filters.http.";

function permission(dice: Dice, depth = 0): JsonObject {
  const rule = (): JsonObject => permission(dice, depth + 1);
  return dice.one<() => JsonObject>([
    () => ({ any: true }),
    () => ({ header: headerMatch(dice) }),
    () => ({ url_path: { path: stringMatch(dice) } }),
    () => ({ url_path: { path: { prefix: "/a" } } }),
    () => ({ destination_port_range: { start: 1, end: dice.one([80, 60000]) } }),
    () => ({ destination_ip: { address_prefix: "127.0.0.0", prefix_len: 8 } }),
    () => ({ requested_server_name: { exact: "" } }),
    () => ({ metadata: { filter: "f", path: [{ key: "k" }], value: { string_match: { exact: "v" } } } }),
    ...(depth < 2 ? [() => ({ not_rule: rule() }), () => ({ and_rules: { rules: [rule(), rule()] } }), () => ({ or_rules: { rules: [rule(), rule()] } })] : []),
  ])();
}

function principal(dice: Dice, depth = 0): JsonObject {
  const id = (): JsonObject => principal(dice, depth + 1);
  return dice.one<() => JsonObject>([
    () => ({ any: true }),
    () => ({ any: true }),
    () => ({ header: headerMatch(dice) }),
    () => ({ direct_remote_ip: { address_prefix: "127.0.0.1", prefix_len: 32 } }),
    () => ({ remote_ip: { address_prefix: dice.one(["10.0.0.0", "127.0.0.0"]), prefix_len: 8 } }),
    () => ({ authenticated: {} }),
    () => ({ url_path: { path: { prefix: "/a" } } }),
    () => ({ metadata: { filter: "f", path: [{ key: "k" }], value: { string_match: { exact: "v" } } } }),
    ...(depth < 2 ? [() => ({ not_id: id() }), () => ({ and_ids: { ids: [id(), id()] } }), () => ({ or_ids: { ids: [id(), id()] } })] : []),
  ])();
}

function rbac(dice: Dice): JsonObject {
  const policies = Object.fromEntries(
    Array.from({ length: 1 + dice.below(2) }, (_, i) => [`p${i}`, { permissions: [permission(dice)], principals: [principal(dice)] }]),
  );
  const rules = { action: dice.one(["ALLOW", "DENY", "LOG"]), policies };
  return dice.chance(0.2) ? { shadow_rules: rules } : { rules };
}

const percent = (numerator: number): JsonObject => ({ numerator });
const fault = (dice: Dice): JsonObject => ({
  ...dice.one<JsonObject>([
    { abort: { http_status: dice.one([418, 503, 200]), percentage: percent(dice.one([0, 100])) } },
    { abort: { grpc_status: 5, percentage: percent(100) } },
    { abort: { header_abort: {}, percentage: percent(100) } },
    { delay: { fixed_delay: "0.01s", percentage: percent(100) } },
  ]),
  ...(dice.chance(0.3) && { headers: [headerMatch(dice)] }),
});
const cors = (dice: Dice): JsonObject => ({
  allow_origin_string_match: [dice.one<JsonObject>([{ exact: "http://allowed.test" }, { prefix: "http://" }, { safe_regex: { regex: "http://.*\\.test" } }])],
  ...dice.fields<JsonObject[string]>(0.5, {
    allow_methods: () => "GET, PUT",
    allow_headers: () => "x-a",
    expose_headers: () => "x-r",
    max_age: () => "60",
    allow_credentials: () => true,
    forward_not_matching_preflights: () => dice.chance(0.5),
  }),
});
const mutations = (dice: Dice): JsonObject => {
  const list = (direction: "request" | "response"): JsonObject[] =>
    ((headerOps(dice, direction)[`${direction}_headers_to_add`] ?? []) as JsonObject[]).map((append) => ({
      append: { ...append, append_action: append.append_action ?? "APPEND_IF_EXISTS_OR_ADD" },
    }));
  return { mutations: { request_mutations: [...list("request"), ...(dice.chance(0.3) ? [{ remove: "x-b" }] : [])], response_mutations: list("response") } };
};
const metadataRule = (dice: Dice): JsonObject => ({
  request_rules: [
    {
      header: dice.one(["x-a", "x-b"]),
      on_header_present: { metadata_namespace: "f", key: "k", ...(dice.chance(0.3) && { value: "v" }), type: dice.one(["STRING", "NUMBER"]) },
      on_header_missing: { metadata_namespace: "f", key: "k", value: "v" },
      remove: dice.chance(0.3),
    },
  ],
});
const limit = (dice: Dice): JsonObject => ({
  stat_prefix: "l",
  token_bucket: { max_tokens: dice.one([1, 100]), tokens_per_fill: 1, fill_interval: "60s" },
  filter_enabled: { default_value: percent(100) },
  filter_enforced: { default_value: percent(dice.one([0, 100])) },
  ...dice.fields<JsonObject[string]>(0.3, {
    status: () => ({ code: dice.one(["ServiceUnavailable", "TooManyRequests"]) }),
    response_headers_to_add: () => [{ header: { key: "x-limited", value: "yes" } }],
    enable_x_ratelimit_headers: () => "DRAFT_VERSION_03",
    rate_limited_as_resource_exhausted: () => true,
  }),
});

/** A filter's name without its prefix, its configuration by chance, and what a route may say of it. */
const KINDS: readonly {
  readonly name: string;
  readonly type: string;
  readonly make: (dice: Dice) => JsonObject;
  readonly route?: { readonly type: string; readonly make: (dice: Dice) => JsonObject };
}[] = [
  {
    name: "rbac",
    type: "rbac.v3.RBAC",
    make: rbac,
    route: { type: "rbac.v3.RBACPerRoute", make: (dice): JsonObject => (dice.chance(0.3) ? {} : { rbac: rbac(dice) }) },
  },
  { name: "fault", type: "fault.v3.HTTPFault", make: fault, route: { type: "fault.v3.HTTPFault", make: fault } },
  { name: "cors", type: "cors.v3.Cors", make: () => ({}), route: { type: "cors.v3.CorsPolicy", make: cors } },
  {
    name: "header_mutation",
    type: "header_mutation.v3.HeaderMutation",
    make: mutations,
    route: { type: "header_mutation.v3.HeaderMutationPerRoute", make: mutations },
  },
  { name: "header_to_metadata", type: "header_to_metadata.v3.Config", make: metadataRule },
  { name: "local_ratelimit", type: "local_ratelimit.v3.LocalRateLimit", make: limit, route: { type: "local_ratelimit.v3.LocalRateLimit", make: limit } },
  {
    name: "buffer",
    type: "buffer.v3.Buffer",
    make: () => ({ max_request_bytes: 1000 }),
    route: { type: "buffer.v3.BufferPerRoute", make: () => ({ disabled: true }) },
  },
  { name: "csrf", type: "csrf.v3.CsrfPolicy", make: (dice) => ({ filter_enabled: { default_value: percent(dice.one([0, 100])) } }) },
  { name: "basic_auth", type: "basic_auth.v3.BasicAuth", make: () => ({ users: { inline_string: "joe:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=" } }) },
  { name: "health_check", type: "health_check.v3.HealthCheck", make: (dice) => ({ pass_through_mode: dice.chance(0.5), headers: [headerMatch(dice)] }) },
  { name: "grpc_web", type: "grpc_web.v3.GrpcWeb", make: () => ({}) },
  { name: "grpc_stats", type: "grpc_stats.v3.FilterConfig", make: () => ({ emit_filter_state: true }) },
];

export function randomFilters(dice: Dice): JsonObject[] {
  return dice.some(KINDS, 3).map(({ name, type, make }) => ({
    ...httpFilter(`envoy.filters.http.${name}`, typed(F + type, make(dice))),
    ...(dice.chance(0.05) && { disabled: true }),
  }));
}

/** What a route says of the listener's filters. */
export function perRoute(dice: Dice, filters: readonly JsonObject[]): JsonObject {
  const configs = filters.flatMap(({ name }) => {
    const kind = KINDS.find((each) => `envoy.filters.http.${each.name}` === name);
    if (dice.chance(0.1)) return [[name as string, typed("envoy.config.route.v3.FilterConfig", { disabled: true })] as const];
    return kind?.route && dice.chance(0.6) ? [[name as string, typed(F + kind.route.type, kind.route.make(dice))] as const] : [];
  });
  return configs.length === 0 ? {} : { typed_per_filter_config: Object.fromEntries(configs) };
}
