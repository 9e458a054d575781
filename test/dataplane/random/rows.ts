import type { JsonObject } from "@bufbuild/protobuf";
import { http, http2Upstream, cluster, LOG, type Row } from "../row.ts";
import { randomCall, type CallKind } from "./calls.ts";
import { Dice } from "./dice.ts";
import { perRoute, randomFilters } from "./filters.ts";
import { headerOps, randomRoute } from "./routes.ts";

/**
 * Listeners and calls by chance: configurations that are valid, put together from all that routes, header operations,
 * connection managers and filters can say, and requests that meet them. The same seed makes the same rows.
 */
export function randomRows(seed: number, count: number): Row[] {
  return Array.from({ length: count }, (_, index) => randomRow(seed * 100_000 + index));
}

/** What differs without meaning: when a second is over, and how a connection ends of which bytes are left unread. */
export function withoutChance<T>(result: T): T {
  return JSON.parse(
    JSON.stringify(result ?? null)
      .replace(/"x-ratelimit-reset":"\d+"/g, '"x-ratelimit-reset":""')
      .replaceAll('"end":"reset"', '"end":"fin"'),
  ) as T;
}

/** Each row has a kind of its own, so that a difference tells where to look. */
export function randomRow(seed: number): Row {
  const dice = new Dice(seed);
  const kind = dice.one<CallKind>(["http", "http", "http", "h2", "bytes"]);
  const own = `random-${seed}`;
  const clusters = [...dice.one([["echo"], ["echo", "echo2"], ["echo", "closed", "empty"], ["echo", "nowhere"], ["h2"], [own]])];
  const filters = dice.chance(0.4) ? randomFilters(dice) : [];
  const routes = (): JsonObject[] =>
    Array.from({ length: 1 + dice.below(3) }, () => randomRoute(dice, clusters, () => (dice.chance(0.3) ? perRoute(dice, filters) : {})));
  const virtualHosts: JsonObject[] = [{ name: "all", domains: ["*"], routes: routes(), ...hostOptions(dice) }];
  if (dice.chance(0.4))
    virtualHosts.push({
      name: "some",
      domains: [dice.one(["row.test", "*.test", "row.*", "*.row.test", "api.row.test:80"])],
      routes: routes(),
      ...hostOptions(dice),
    });
  const calls = Array.from({ length: 1 + dice.below(3) }, () => randomCall(dice, kind));
  return {
    name: `random ${seed}: ${kind}`,
    listener: http({
      virtualHosts,
      routeConfig: {
        validate_clusters: false,
        ...(dice.chance(0.2) && headerOps(dice, "request")),
        ...(dice.chance(0.2) && headerOps(dice, "response")),
        ...dice.fields<JsonObject[string]>(0.1, { most_specific_header_mutations_wins: () => true, ignore_port_in_host_matching: () => true }),
      },
      filters,
      hcm: managerOptions(dice),
      log: `${LOG} ${dice.some(OPERATORS, 4).join(" ")}`,
    }),
    clusters: clusters.includes(own)
      ? [cluster(own, ["echo", "echo"].slice(0, 1), { ...(dice.chance(0.3) && http2Upstream), ...clusterOptions(dice) })].map((each) =>
          each.typed_extension_protocol_options ? { ...each, load_assignment: cluster(own, ["h2"]).load_assignment as JsonObject } : each,
        )
      : [],
    calls,
  };
}

const OPERATORS = [
  "%RESPONSE_FLAGS_LONG%",
  "%VIRTUAL_CLUSTER_NAME%",
  "%GRPC_STATUS%",
  "%REQ(x-a)%",
  "%RESP(x-r)%",
  "%TRAILER(x-t)%",
  "%UPSTREAM_PROTOCOL%",
  "%UPSTREAM_HOST_NAME%",
  "%PATH(WQ:ORIG)%",
  "%RESP(server?x-r):3%",
  "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
  "%FILTER_CHAIN_NAME%",
  "%REQ(x-forwarded-proto)%",
  "%UPSTREAM_CLUSTER_RAW%",
  "%GRPC_STATUS_NUMBER%",
  "%REQ(:SCHEME)%",
  "%DOWNSTREAM_TLS_VERSION%",
  "%ACCESS_LOG_TYPE%",
  "%LOCAL_REPLY_BODY%",
  "%QUERY_PARAMS%",
];

function hostOptions(dice: Dice): JsonObject {
  return {
    ...(dice.chance(0.2) && headerOps(dice, "request")),
    ...(dice.chance(0.2) && headerOps(dice, "response")),
    ...dice.fields<JsonObject[string]>(0.1, {
      include_request_attempt_count: () => true,
      include_attempt_count_in_response: () => true,
      require_tls: () => dice.one(["NONE", "ALL", "EXTERNAL_ONLY"]),
      retry_policy: () => ({ retry_on: "5xx", num_retries: 1, retry_back_off: { base_interval: "0.001s" } }),
    }),
  };
}

function managerOptions(dice: Dice): JsonObject {
  return dice.fields<JsonObject[string]>(0.08, {
    normalize_path: () => true,
    merge_slashes: () => true,
    path_with_escaped_slashes_action: () => dice.one(["KEEP_UNCHANGED", "REJECT_REQUEST", "UNESCAPE_AND_REDIRECT", "UNESCAPE_AND_FORWARD"]),
    strip_matching_host_port: () => true,
    strip_trailing_host_dot: () => true,
    server_header_transformation: () => dice.one(["APPEND_IF_ABSENT", "PASS_THROUGH"]),
    server_name: () => "mine",
    via: () => "proxy",
    use_remote_address: () => true,
    xff_num_trusted_hops: () => 1,
    skip_xff_append: () => true,
    internal_address_config: () => ({
      cidr_ranges: [
        { address_prefix: "127.0.0.0", prefix_len: 8 },
        { address_prefix: "10.0.0.0", prefix_len: 8 },
      ],
    }),
    generate_request_id: () => false,
    preserve_external_request_id: () => true,
    always_set_request_id_in_response: () => true,
    proxy_100_continue: () => true,
    add_user_agent: () => true,
    max_request_headers_kb: () => 1,
    forward_client_cert_details: () => dice.one(["FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"]),
    upgrade_configs: () => [{ upgrade_type: "websocket" }],
    http_protocol_options: () =>
      dice.fields<JsonObject[string]>(0.4, {
        accept_http_10: () => true,
        default_host_for_http_10: () => "ten.test",
        enable_trailers: () => true,
        allow_absolute_url: () => dice.chance(0.5),
        allow_chunked_length: () => true,
        header_key_format: () => ({ proper_case_words: {} }),
        send_fully_qualified_url: () => false,
      }),
    common_http_protocol_options: () =>
      dice.fields<JsonObject[string]>(0.4, {
        headers_with_underscores_action: () => dice.one(["ALLOW", "REJECT_REQUEST", "DROP_HEADER"]),
        max_requests_per_connection: () => 1,
      }),
    scheme_header_transformation: () => dice.one<JsonObject>([{ scheme_to_overwrite: "https" }, { match_upstream: true }]),
    local_reply_config: () => ({ body_format: { text_format_source: { inline_string: "%RESPONSE_CODE%: %LOCAL_REPLY_BODY%" } } }),
    append_x_forwarded_port: () => true,
    append_local_overload: () => true,
    stream_error_on_invalid_http_message: () => true,
    represent_ipv4_remote_address_as_ipv4_mapped_ipv6: () => true,
  });
}

function clusterOptions(dice: Dice): JsonObject {
  return dice.fields<JsonObject[string]>(0.2, {
    lb_policy: () => dice.one(["LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"]),
    alt_stat_name: () => "alternative",
    circuit_breakers: () => ({
      thresholds: [dice.one<JsonObject>([{ max_requests: 1 }, { max_pending_requests: 1 }, { max_connections: 1 }, { max_retries: 0 }])],
    }),
    max_requests_per_connection: () => 1,
    outlier_detection: () => ({ consecutive_5xx: 1, max_ejection_percent: 100, base_ejection_time: "60s" }),
    metadata: () => ({ filter_metadata: { m: { k: "v" } } }),
  });
}
