import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, direct, get, http, port, row, route, type Group, type HttpRequest, type Row } from "../row.ts";

/** What a route does: redirects, rewrites, answers, header operations, weights, mirrors, host names. */

const redirect = (name: string, action: JsonObject, path: string, more: HttpRequest = {}, match: JsonObject = { prefix: "/" }): Row =>
  row(`redirect: ${name}`, http({ routes: [{ match, redirect: action }] }), { http: { path, ...more } });
const rewrite = (name: string, match: JsonObject, action: JsonObject, path: string, more: HttpRequest = {}): Row =>
  row(`rewrite: ${name}`, http({ routes: [route(match, action)] }), { http: { path, ...more } });

const add = (key: string, value: string, action?: string): JsonObject => ({ header: { key, value }, ...(action && { append_action: action }) });
const requestOps = (name: string, options: JsonObject, headers: readonly (readonly [string, string])[] = []): Row =>
  row(`request headers: ${name}`, http({ routes: [route({ prefix: "/" }, {}, options)] }), get("/p?q=1", headers));
const responseOps = (name: string, options: JsonObject, headers: readonly (readonly [string, string])[] = [["x-up", "1"]]): Row =>
  row(`response headers: ${name}`, http({ routes: [route({ prefix: "/" }, {}, options)] }), get("/", [], { want: { headers, body: "b" } }));
const format = (name: string, value: string, more: HttpRequest = {}): Row => requestOpsWith(`format ${name}`, value, more);
const requestOpsWith = (name: string, value: string, more: HttpRequest): Row =>
  row(
    `request headers: ${name}`,
    http({
      routes: [route({ prefix: "/" }, {}, { name: "r1", request_headers_to_add: [add("x-new", value)], metadata: { filter_metadata: { m: { k: "v" } } } })],
    }),
    { http: { path: "/p?q=1", headers: [["x-a", "abcdef"]], ...more } },
  );

const levels = (wins: boolean): JsonObject =>
  http({
    routeConfig: {
      most_specific_header_mutations_wins: wins,
      request_headers_to_add: [add("x-l", "table"), add("x-o", "table", "OVERWRITE_IF_EXISTS_OR_ADD")],
      response_headers_to_add: [add("x-o", "table", "OVERWRITE_IF_EXISTS_OR_ADD")],
    },
    virtualHosts: [
      {
        name: "v",
        domains: ["*"],
        request_headers_to_add: [add("x-l", "host"), add("x-o", "host", "OVERWRITE_IF_EXISTS_OR_ADD")],
        response_headers_to_add: [add("x-o", "host", "OVERWRITE_IF_EXISTS_OR_ADD")],
        routes: [
          route(
            { prefix: "/" },
            {},
            {
              request_headers_to_add: [add("x-l", "route"), add("x-o", "route", "OVERWRITE_IF_EXISTS_OR_ADD")],
              response_headers_to_add: [add("x-o", "route", "OVERWRITE_IF_EXISTS_OR_ADD")],
            },
          ),
        ],
      },
    ],
  });

const weighted = (weights: readonly JsonObject[]): JsonObject =>
  http({ routes: [{ match: { prefix: "/" }, route: { weighted_clusters: { clusters: [...weights] } } }] });

/** `/recall` is not mirrored: it asks what was. */
const mirrored = (policies: readonly JsonObject[]): JsonObject =>
  http({ routeConfig: { validate_clusters: false }, routes: [route({ path: "/recall" }), route({ prefix: "/" }, { request_mirror_policies: [...policies] })] });

export const routeActions: Group = {
  name: "route actions",
  rows: [
    redirect("host", { host_redirect: "new.test" }, "/a?b=c"),
    redirect("host with a port", { host_redirect: "new.test:8080" }, "/a"),
    redirect("https", { https_redirect: true }, "/a"),
    redirect("https drops port 80", { https_redirect: true }, "/a", { host: "row.test:80" }),
    redirect("https keeps another port", { https_redirect: true }, "/a", { host: "row.test:8080" }),
    redirect("scheme", { scheme_redirect: "ftp" }, "/a"),
    redirect("port", { port_redirect: 8443 }, "/a", { host: "row.test:81" }),
    redirect("path", { path_redirect: "/new" }, "/a?b=c"),
    redirect("path with a query of its own", { path_redirect: "/new?x=y" }, "/a?b=c"),
    redirect("path without query", { path_redirect: "/new", strip_query: true }, "/a?b=c"),
    redirect("prefix", { prefix_rewrite: "/new" }, "/old/a?b=c", {}, { prefix: "/old" }),
    redirect("prefix of an exact path", { prefix_rewrite: "/new" }, "/old?b=c", {}, { path: "/old" }),
    redirect("prefix without query", { prefix_rewrite: "/new", strip_query: true }, "/old/a?b=c", {}, { prefix: "/old" }),
    redirect("regex", { regex_rewrite: { pattern: { regex: "^/(\\w+)/(\\w+)" }, substitution: "/\\2/\\1" } }, "/one/two/three?q"),
    redirect("302", { host_redirect: "new.test", response_code: "FOUND" }, "/"),
    redirect("303", { host_redirect: "new.test", response_code: "SEE_OTHER" }, "/"),
    redirect("307", { host_redirect: "new.test", response_code: "TEMPORARY_REDIRECT" }, "/"),
    redirect("308", { host_redirect: "new.test", response_code: "PERMANENT_REDIRECT" }, "/"),
    redirect("of a POST", { host_redirect: "new.test" }, "/", { method: "POST", body: "hello" }),
    redirect("of a HEAD", { host_redirect: "new.test" }, "/", { method: "HEAD" }),
    redirect("x-forwarded-proto says https", { host_redirect: "new.test" }, "/", { headers: [["x-forwarded-proto", "https"]] }),
    row(
      "redirect: response headers of the route",
      http({ routes: [{ match: { prefix: "/" }, redirect: { host_redirect: "n.test" }, response_headers_to_add: [add("x-r", "1")] }] }),
      get(),
    ),
    row("TLS required", http({ virtualHosts: [{ name: "v", domains: ["*"], require_tls: "ALL", routes: [direct({ prefix: "/" }, "d")] }] }), get("/a?b")),
    row(
      "TLS required, and there by its header",
      http({ virtualHosts: [{ name: "v", domains: ["*"], require_tls: "ALL", routes: [direct({ prefix: "/" }, "d")] }] }),
      get("/a?b", [["x-forwarded-proto", "https"]]),
    ),
    row(
      "TLS required of external callers",
      http({ virtualHosts: [{ name: "v", domains: ["*"], require_tls: "EXTERNAL_ONLY", routes: [direct({ prefix: "/" }, "d")] }] }),
      get("/a?b"),
    ),
    row("direct: status and body", http({ routes: [direct({ prefix: "/" }, "gone", {}, 410)] }), get()),
    row("direct: no body", http({ routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] }), get()),
    row("direct: HEAD", http({ routes: [direct({ prefix: "/" }, "body")] }), get("/", [], { method: "HEAD" })),
    row("direct: POST", http({ routes: [direct({ prefix: "/" }, "body")] }), get("/", [], { method: "POST", body: "x" })),
    row("direct: 204", http({ routes: [{ match: { prefix: "/" }, direct_response: { status: 204 } }] }), get()),
    row("direct: UTF-8", http({ routes: [direct({ prefix: "/" }, "grüße")] }), get()),
    row(
      "direct: content type by the route",
      http({ routes: [direct({ prefix: "/" }, "{}", { response_headers_to_add: [add("content-type", "application/json", "OVERWRITE_IF_EXISTS_OR_ADD")] })] }),
      get(),
    ),
    row("direct: keeps the connection", http({ routes: [direct({ prefix: "/" }, "d")] }), { http: [{ path: "/1" }, { path: "/2" }] }),
    row("non-forwarding action", http({ routes: [{ match: { prefix: "/" }, non_forwarding_action: {} }] }), get()),
    rewrite("prefix", { prefix: "/a" }, { prefix_rewrite: "/b" }, "/a/c?q=1"),
    rewrite("prefix to root", { prefix: "/a/" }, { prefix_rewrite: "/" }, "/a/c?q=1"),
    rewrite("prefix of a separated prefix", { path_separated_prefix: "/a" }, { prefix_rewrite: "/b" }, "/a/c"),
    rewrite("prefix without case", { prefix: "/a", case_sensitive: false }, { prefix_rewrite: "/b" }, "/A/c"),
    rewrite("exact path", { path: "/a" }, { prefix_rewrite: "/b" }, "/a?q=1"),
    rewrite("all of a regex", { safe_regex: { regex: "/a.*" } }, { prefix_rewrite: "/b" }, "/abc?q=1"),
    rewrite(
      "regex",
      { prefix: "/" },
      { regex_rewrite: { pattern: { regex: "^/service/([^/]+)(/.*)$" }, substitution: "\\2/instance/\\1" } },
      "/service/foo/v1/api?q=1",
    ),
    rewrite("regex, every match", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "one" }, substitution: "two" } }, "/xxx/one/yyy/one/zzz"),
    rewrite("regex, no match", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "^/none" }, substitution: "two" } }, "/a"),
    rewrite("regex, groups that have no part", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "/(a)?(b)?" }, substitution: "/[\\1\\2]" } }, "/b/a/x"),
    rewrite("regex, empty matches", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "x*" }, substitution: "-" } }, "/axxb"),
    rewrite("regex, empty after another", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "b*$" }, substitution: "!" } }, "/abb"),
    rewrite("regex, as few as possible", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "/(.*?)/(.*)" }, substitution: "/\\2/\\1" } }, "/a/b/c"),
    rewrite("regex, words", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "\\b(\\w)" }, substitution: "_\\1" } }, "/ab/cd-e"),
    rewrite("regex, the last of a repeated group", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "(?:/(\\w+))+" }, substitution: "/\\1" } }, "/a/b/c"),
    rewrite("regex, backslash", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "b" }, substitution: "\\\\\\0" } }, "/abc"),
    rewrite("regex, a group that is not there", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "/(a)" }, substitution: "/\\2" } }, "/abc"),
    rewrite("regex, an escape that is none", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "/(a)" }, substitution: "/x\\q" } }, "/abc"),
    rewrite("regex without case", { prefix: "/" }, { regex_rewrite: { pattern: { regex: "(?i)/aa" }, substitution: "/b" } }, "/AAx"),
    rewrite("host", { prefix: "/" }, { host_rewrite_literal: "other.test" }, "/"),
    rewrite("host, x-forwarded-host", { prefix: "/" }, { host_rewrite_literal: "other.test", append_x_forwarded_host: true }, "/"),
    rewrite("host to the same", { prefix: "/" }, { host_rewrite_literal: "row.test", append_x_forwarded_host: true }, "/"),
    rewrite("host by a header", { prefix: "/" }, { host_rewrite_header: "x-host" }, "/", { headers: [["x-host", "h.test"]] }),
    rewrite("host by a header that is missing", { prefix: "/" }, { host_rewrite_header: "x-host" }, "/"),
    rewrite("host by the path", { prefix: "/" }, { host_rewrite_path_regex: { pattern: { regex: "^/([^/]+)/.*$" }, substitution: "\\1.test" } }, "/abc/d?q"),
    row("rewrite: host of the endpoint", http({ routes: [route({ prefix: "/" }, { cluster: "named", auto_host_rewrite: true })] }), get(), {
      clusters: [
        {
          name: "named",
          type: "STRICT_DNS",
          connect_timeout: "1s",
          dns_lookup_family: "V4_ONLY",
          load_assignment: {
            cluster_name: "named",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: "localhost", port_value: port("echo") } } } }] }],
          },
        },
      ],
    }),
    requestOps("add", { request_headers_to_add: [add("x-new", "1")] }),
    requestOps("append to what is there", { request_headers_to_add: [add("x-a", "2")] }, [["x-a", "1"]]),
    requestOps("overwrite", { request_headers_to_add: [add("x-a", "2", "OVERWRITE_IF_EXISTS_OR_ADD")] }, [
      ["x-a", "1"],
      ["x-a", "1b"],
    ]),
    requestOps("add if absent, present", { request_headers_to_add: [add("x-a", "2", "ADD_IF_ABSENT")] }, [["x-a", "1"]]),
    requestOps("add if absent", { request_headers_to_add: [add("x-a", "2", "ADD_IF_ABSENT")] }),
    requestOps("overwrite if there, absent", { request_headers_to_add: [add("x-a", "2", "OVERWRITE_IF_EXISTS")] }),
    requestOps("overwrite if there", { request_headers_to_add: [add("x-a", "2", "OVERWRITE_IF_EXISTS")] }, [["x-a", "1"]]),
    requestOps("old append flag", { request_headers_to_add: [{ header: { key: "x-a", value: "2" }, append: false }] }, [["x-a", "1"]]),
    requestOps("remove", { request_headers_to_remove: ["x-a", "user-agent"] }, [
      ["x-a", "1"],
      ["X-A", "2"],
      ["user-agent", "u"],
    ]),
    requestOps("remove and add", { request_headers_to_remove: ["x-a"], request_headers_to_add: [add("x-a", "new")] }, [["x-a", "1"]]),
    requestOps("empty value", { request_headers_to_add: [add("x-a", "%REQ(none)%")] }),
    requestOps("empty value kept", { request_headers_to_add: [{ header: { key: "x-a", value: "%REQ(none)%" }, keep_empty_value: true }] }),
    format("path and method", "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)%"),
    format("cut", "%REQ(X-A):3%"),
    format("alternative", "%REQ(X-NONE?X-A)%"),
    format("missing", "[%REQ(X-NONE)%]"),
    format("percent sign", "100%%"),
    format("addresses", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
    format("protocol and route", "%PROTOCOL% %ROUTE_NAME% %RESPONSE_CODE%"),
    format("upstream host before it is chosen", "[%UPSTREAM_HOST%]"),
    format("cluster", "%UPSTREAM_CLUSTER%"),
    format("start time", "%START_TIME(%Y)%"),
    row("request headers: three levels", levels(false), get()),
    row("request headers: three levels, the most specific wins", levels(true), get()),
    responseOps("add", { response_headers_to_add: [add("x-new", "1"), add("x-up", "2")] }),
    responseOps("overwrite", { response_headers_to_add: [add("x-up", "2", "OVERWRITE_IF_EXISTS_OR_ADD")] }),
    responseOps("remove", { response_headers_to_remove: ["x-up"] }),
    responseOps("formats", {
      response_headers_to_add: [add("x-new", "%RESPONSE_CODE% %RESP(x-up)% %UPSTREAM_HOST% %REQ(:path)% %PROTOCOL% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS%")],
    }),
    responseOps("server cannot be kept", { response_headers_to_add: [add("server", "mine", "OVERWRITE_IF_EXISTS_OR_ADD")] }),
    responseOps("content-length cannot be lied about", { response_headers_to_remove: ["date"] }, [
      ["x-up", "1"],
      ["date", "yesterday"],
    ]),
    row(
      "response headers: on an error of the proxy",
      http({ routes: [route({ prefix: "/" }, { cluster: "empty" }, { response_headers_to_add: [add("x-new", "%RESPONSE_CODE%")] })] }),
      get(),
    ),
    row(
      "weights: all to one",
      weighted([
        { name: "echo", weight: 0 },
        { name: "echo2", weight: 100 },
      ]),
      get(),
    ),
    row(
      "weights: both get some",
      weighted([
        { name: "echo", weight: 50 },
        { name: "echo2", weight: 50 },
      ]),
      { http: {}, repeat: 30 },
      { anyOrder: true },
    ),
    row(
      "response headers: on a refused connection",
      http({ routes: [route({ prefix: "/" }, { cluster: "closed" }, { response_headers_to_add: [add("x-new", "%RESPONSE_CODE%")] })] }),
      get(),
    ),
    row(
      "response headers: on a time-out",
      http({ routes: [route({ prefix: "/" }, { timeout: "0.1s" }, { response_headers_to_add: [add("x-new", "%RESPONSE_CODE%")] })] }),
      get("/", [], { want: { delay: 400 } }),
    ),
    row(
      "response headers: on a direct response",
      http({ routes: [direct({ prefix: "/" }, "d", { response_headers_to_add: [add("x-new", "%RESPONSE_CODE% %ROUTE_NAME%")], name: "n" })] }),
      get(),
    ),
    row(
      "response headers: on an unknown cluster",
      http({
        routes: [
          route({ prefix: "/" }, { cluster: undefined as never, cluster_header: "x-c" }, { response_headers_to_add: [add("x-new", "%RESPONSE_CODE%")] }),
        ],
      }),
      get("/", [["x-c", "no"]]),
    ),
    row("response headers: on no route", http({ routeConfig: { response_headers_to_add: [add("x-new", "1")] }, routes: [direct({ path: "/x" }, "x")] }), get()),
    row(
      "weights: headers of the chosen",
      weighted([
        {
          name: "echo2",
          weight: 1,
          request_headers_to_add: [add("x-w", "req")],
          response_headers_to_add: [add("x-w", "resp")],
          request_headers_to_remove: ["x-a"],
        },
      ]),
      get("/", [["x-a", "1"]]),
    ),
    row("weights: host of the chosen", weighted([{ name: "echo2", weight: 1, host_rewrite_literal: "w.test" }]), get()),
    row(
      "weights: cluster by a header",
      http({ routes: [{ match: { prefix: "/" }, route: { weighted_clusters: { clusters: [{ cluster_header: "x-c", weight: 1 }] } } }] }),
      get("/", [["x-c", "echo2"]]),
    ),
    row("cluster by a header", http({ routes: [{ match: { prefix: "/" }, route: { cluster_header: "x-c" } }] }), get("/", [["x-c", "echo2"]])),
    row("cluster by a header that is missing", http({ routes: [{ match: { prefix: "/" }, route: { cluster_header: "x-c" } }] }), get()),
    row(
      "cluster by a header that nobody knows",
      http({ routes: [{ match: { prefix: "/" }, route: { cluster_header: "x-c" } }] }),
      get("/", [["x-c", "nobody"]]),
    ),
    row(
      "unknown cluster, 404",
      http({ routes: [{ match: { prefix: "/" }, route: { cluster_header: "x-c", cluster_not_found_response_code: "NOT_FOUND" } }] }),
      get("/", [["x-c", "nobody"]]),
    ),
    row(
      "unknown cluster, 500",
      http({ routes: [{ match: { prefix: "/" }, route: { cluster_header: "x-c", cluster_not_found_response_code: "INTERNAL_SERVER_ERROR" } }] }),
      get("/", [["x-c", "nobody"]]),
    ),
    row(
      "attempt count",
      http({
        virtualHosts: [
          { name: "v", domains: ["*"], include_request_attempt_count: true, include_attempt_count_in_response: true, routes: [route({ prefix: "/" })] },
        ],
      }),
      get(),
    ),
    row(
      "attempt count over a client's own",
      http({ virtualHosts: [{ name: "v", domains: ["*"], include_request_attempt_count: true, routes: [route({ prefix: "/" })] }] }),
      get("/", [["x-envoy-attempt-count", "7"]]),
    ),
    row("decorator", http({ routes: [route({ prefix: "/" }, {}, { decorator: { operation: "op" } })] }), get()),
    row(
      "mirror: the answer is the first's",
      http({ routes: [route({ prefix: "/" }, { request_mirror_policies: [{ cluster: "echo2" }] })] }),
      get("/", [], { method: "POST", body: "m" }),
    ),
    row("mirror: what the shadow is asked", mirrored([{ cluster: "echo2" }]), [
      get("/a?b", [["x-key", "plain"]], { method: "POST", body: "m" }),
      { after: 150, http: { path: "/recall", want: { recall: "plain" } } },
    ]),
    row("mirror: a host with a port", mirrored([{ cluster: "echo2" }]), [
      get("/", [["x-key", "port"]], { host: "row.test:8080" }),
      { after: 150, http: { path: "/recall", want: { recall: "port" } } },
    ]),
    row("mirror: none of the requests", mirrored([{ cluster: "echo2", runtime_fraction: { default_value: { numerator: 0 } } }]), [
      get("/", [["x-key", "none"]]),
      { after: 150, http: { path: "/recall", want: { recall: "none" } } },
    ]),
    row("mirror: to a cluster that nobody knows", mirrored([{ cluster: "nobody" }]), get()),
    row("mirror: to a cluster that is not there", mirrored([{ cluster: "closed" }]), get()),
    row("cluster without endpoints", http({ routes: [route({ prefix: "/" }, { cluster: "empty" })] }), get()),
    row(
      "hash: header",
      http({ routes: [route({ prefix: "/" }, { cluster: "ring", hash_policy: [{ header: { header_name: "x-k" } }] })] }),
      { http: [{ headers: [["x-k", "a"]] }, { headers: [["x-k", "a"]] }] },
      { anyOrder: false, clusters: [cluster("ring", ["echo"], { lb_policy: "RING_HASH" })] },
    ),
    row(
      "hash: cookie is made",
      http({ routes: [route({ prefix: "/" }, { cluster: "ring-c", hash_policy: [{ cookie: { name: "c", ttl: "60s", path: "/p" } }] })] }),
      get("/", [], { want: { body: "b" } }),
      { clusters: [cluster("ring-c", ["echo"], { lb_policy: "RING_HASH" })] },
    ),
    row(
      "hash: cookie is there",
      http({ routes: [route({ prefix: "/" }, { cluster: "ring-d", hash_policy: [{ cookie: { name: "c", ttl: "60s" } }] })] }),
      get("/", [["cookie", "c=1"]]),
      { clusters: [cluster("ring-d", ["echo"], { lb_policy: "MAGLEV" })] },
    ),
  ],
};
