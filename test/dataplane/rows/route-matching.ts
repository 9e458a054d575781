import type { JsonObject } from "@bufbuild/protobuf";
import { direct, get, http, row, route, typed, type Call, type Group } from "../row.ts";

/** Which virtual host and which route take a request. Each route answers with its own name. */

const domains = http({
  virtualHosts: [
    { name: "exact", domains: ["exact.test", "other.test:8080"], routes: [direct({ prefix: "/" }, "exact")] },
    { name: "suffix", domains: ["*.wild.test"], routes: [direct({ prefix: "/" }, "suffix")] },
    { name: "longer", domains: ["*.deep.wild.test"], routes: [direct({ prefix: "/" }, "longer suffix")] },
    { name: "prefix", domains: ["front.*"], routes: [direct({ prefix: "/" }, "prefix")] },
    { name: "any", domains: ["*"], routes: [direct({ prefix: "/only" }, "any")] },
  ],
});

const domainRows = (
  [
    ["exact domain", "exact.test"],
    ["exact domain in capitals", "EXACT.Test"],
    ["exact domain with a port that it lacks", "exact.test:80"],
    ["exact domain with its port", "other.test:8080"],
    ["domain without its port", "other.test"],
    ["suffix wildcard", "a.wild.test"],
    ["suffix wildcard, several labels", "a.b.wild.test"],
    ["suffix wildcard needs a label", "wild.test"],
    ["suffix wildcard, nothing before the dot", ".wild.test"],
    ["the longer suffix wins", "a.deep.wild.test"],
    ["prefix wildcard", "front.example"],
    ["prefix wildcard with nothing after it", "front."],
    ["suffix before prefix", "front.wild.test"],
    ["domain of nobody, route of nobody", "nobody.test"],
  ] as const
).map(([name, host]) => row(name, domains, get("/", [], { host })));

const noDefault = http({ virtualHosts: [{ name: "one", domains: ["one.test"], routes: [direct({ prefix: "/" }, "one")] }] });
const ignorePort = http({
  virtualHosts: [{ name: "one", domains: ["one.test"], routes: [direct({ prefix: "/" }, "one")] }],
  routeConfig: { ignore_port_in_host_matching: true },
});

const exact = (value: string): JsonObject => ({ string_match: { exact: value } });
const match = (name: string, condition: JsonObject, call: Call): ReturnType<typeof row> =>
  row(name, http({ routes: [direct(condition, "matched"), direct({ prefix: "/" }, "not matched")] }), call);
const headerMatch = (name: string, header: JsonObject, headers: readonly (readonly [string, string])[]): ReturnType<typeof row> =>
  match(`header ${name}`, { prefix: "/", headers: [{ name: "x-a", ...header }] }, get("/", headers));
const template = (path_template: string): JsonObject => ({
  path_match_policy: {
    name: "envoy.path.match.uri_template.uri_template_matcher",
    typed_config: typed("envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", { path_template }),
  },
});
const query = (name: string, parameter: JsonObject, path: string): ReturnType<typeof row> =>
  match(`query ${name}`, { prefix: "/", query_parameters: [{ name: "q", ...parameter }] }, get(path));

export const routeMatching: Group = {
  name: "route matching",
  rows: [
    ...domainRows,
    row("no virtual host at all", noDefault, get("/", [], { host: "two.test" })),
    row("no virtual host, with a body", noDefault, get("/", [], { host: "two.test", method: "POST", body: "hello" })),
    row("port ignored in domains", ignorePort, get("/", [], { host: "one.test:99" })),
    match("prefix", { prefix: "/a" }, get("/abc")),
    match("prefix, case", { prefix: "/a" }, get("/Abc")),
    match("prefix without case", { prefix: "/a", case_sensitive: false }, get("/Abc")),
    match("prefix does not see the query", { prefix: "/a?b" }, get("/a?b")),
    match("path", { path: "/a" }, get("/a?b=c")),
    match("path, longer", { path: "/a" }, get("/ab")),
    match("path without case", { path: "/a", case_sensitive: false }, get("/A")),
    match("separated prefix itself", { path_separated_prefix: "/a" }, get("/a?x")),
    match("separated prefix, below", { path_separated_prefix: "/a" }, get("/a/b")),
    match("separated prefix, a longer name", { path_separated_prefix: "/a" }, get("/ab")),
    match("regex, whole path", { safe_regex: { regex: "/a[0-9]+" } }, get("/a12?x=y")),
    match("regex, at the border of a word", { safe_regex: { regex: "/a\\b.*" } }, get("/a/b")),
    match("regex, not at the border of a word", { safe_regex: { regex: "/a\\b.*" } }, get("/ab")),
    match("regex, within a word", { safe_regex: { regex: "/a\\B.*" } }, get("/ab")),
    match("regex, in quotes", { safe_regex: { regex: "/\\Qa.b*\\E+" } }, get("/a.b**")),
    match("regex, not what quotes look like", { safe_regex: { regex: "/\\Qa.b*\\E" } }, get("/axbbb")),
    match("regex, no letter", { safe_regex: { regex: "/[[:^alpha:]]+" } }, get("/12-")),
    match("regex, a letter", { safe_regex: { regex: "/[[:^alpha:]]+" } }, get("/1a")),
    match("regex, lines", { safe_regex: { regex: "(?m)^/a$" } }, get("/a")),
    match("regex, both cases", { safe_regex: { regex: "/(?i:ab)c" } }, get("/aBc")),
    match("regex, not both cases", { safe_regex: { regex: "/(?i:ab)c" } }, get("/aBC")),
    match("regex, bytes are characters", { safe_regex: { regex: "/.." } }, { http: { path: "/\u00c3\u00a9" } }),
    match("regex, tried in many ways", { safe_regex: { regex: "/(a+)+b" } }, get(`/${"a".repeat(60)}`)),
    match("regex, not a part", { safe_regex: { regex: "/a[0-9]+" } }, get("/a12/b")),
    match("uri template", template("/a/{x}/*"), get("/a/b/c?q")),
    match("uri template, too deep", template("/a/{x}/*"), get("/a/b/c/d")),
    match("uri template, the rest", template("/a/**"), get("/a/b/c/d")),
    match("CONNECT matcher and a GET", { connect_matcher: {} }, get("/")),
    match("fraction of nothing", { prefix: "/", runtime_fraction: { default_value: { numerator: 0 } } }, get("/")),
    match("fraction of everything", { prefix: "/", runtime_fraction: { default_value: { numerator: 100 } } }, get("/")),
    match("gRPC routes are not for others", { prefix: "/", grpc: {} }, get("/")),
    match("gRPC route", { prefix: "/", grpc: {} }, get("/", [["content-type", "application/grpc+proto"]])),
    match("method", { prefix: "/", headers: [{ name: ":method", ...exact("POST") }] }, get("/", [], { method: "POST" })),
    match("authority header", { prefix: "/", headers: [{ name: ":authority", string_match: { prefix: "row" } }] }, get("/")),
    match("host is authority", { prefix: "/", headers: [{ name: "host", ...exact("row.test") }] }, get("/")),
    match(
      "two headers, one missing",
      {
        prefix: "/",
        headers: [
          { name: "x-a", ...exact("1") },
          { name: "x-b", ...exact("2") },
        ],
      },
      get("/", [["x-a", "1"]]),
    ),
    headerMatch("exact", exact("one"), [["x-a", "one"]]),
    headerMatch("exact, other", exact("one"), [["x-a", "One"]]),
    headerMatch("exact without case", { string_match: { exact: "one", ignore_case: true } }, [["x-a", "ONE"]]),
    headerMatch("exact, two values", exact("one,two"), [
      ["x-a", "one"],
      ["x-a", "two"],
    ]),
    headerMatch("exact, the first of two", exact("one"), [
      ["x-a", "one"],
      ["x-a", "two"],
    ]),
    headerMatch("exact, the second of two", exact("two"), [
      ["x-a", "one"],
      ["x-a", "two"],
    ]),
    headerMatch("inverted, one of two", { ...exact("two"), invert_match: true }, [
      ["x-a", "one"],
      ["x-a", "two"],
    ]),
    headerMatch("contains, across two", { string_match: { contains: "e,t" } }, [
      ["x-a", "one"],
      ["x-a", "two"],
    ]),
    headerMatch("exact, a list in one", exact("one,two"), [["x-a", "one,two"]]),
    headerMatch("prefix", { string_match: { prefix: "on" } }, [["x-a", "one"]]),
    headerMatch("suffix", { string_match: { suffix: "ne" } }, [["x-a", "one"]]),
    headerMatch("contains", { string_match: { contains: "n" } }, [["x-a", "one"]]),
    headerMatch("regex", { string_match: { safe_regex: { regex: "o.e" } } }, [["x-a", "one"]]),
    headerMatch("regex, a part", { string_match: { safe_regex: { regex: "o." } } }, [["x-a", "one"]]),
    headerMatch("present", { present_match: true }, [["x-a", ""]]),
    headerMatch("present, absent", { present_match: true }, []),
    headerMatch("absent", { present_match: false }, []),
    headerMatch("inverted", { ...exact("one"), invert_match: true }, [["x-a", "two"]]),
    headerMatch("inverted, absent", { ...exact("one"), invert_match: true }, []),
    headerMatch("missing as empty", { string_match: { exact: "" }, treat_missing_header_as_empty: true }, []),
    headerMatch("inverted, missing as empty", { ...exact("one"), invert_match: true, treat_missing_header_as_empty: true }, []),
    headerMatch("absent, missing as empty", { present_match: false, treat_missing_header_as_empty: true }, []),
    headerMatch("absent, inverted, missing as empty", { present_match: false, invert_match: true, treat_missing_header_as_empty: true }, []),
    headerMatch("range", { range_match: { start: "1", end: "10" } }, [["x-a", "9"]]),
    headerMatch("range, its end", { range_match: { start: "1", end: "10" } }, [["x-a", "10"]]),
    headerMatch("range, no number", { range_match: { start: "1", end: "10" } }, [["x-a", "9x"]]),
    query("exact", exact("v"), "/?q=v"),
    query("exact, other", exact("v"), "/?q=w"),
    query("the first of two counts", exact("v"), "/?q=v&q=w"),
    query("present", { present_match: true }, "/?a=b&q"),
    query("absent", { present_match: true }, "/?a=b"),
    query("encoded value", exact("a b"), "/?q=a%20b"),
    query("encoded value as it is", exact("a%20b"), "/?q=a%20b"),
    query("with a fragment", exact("v"), "/?q=v#x"),
    row("the first match wins", http({ routes: [direct({ prefix: "/" }, "first"), direct({ path: "/a" }, "second")] }), get("/a")),
    row("no route", http({ routes: [direct({ path: "/a" }, "a")] }), get("/b")),
    row("no route, HTTP/2", http({ routes: [direct({ path: "/a" }, "a")] }), { h2: { path: "/b" } }),
    row("route name in the log", http({ routes: [route({ prefix: "/" }, {}, { name: "the-route" })] }), get("/")),
  ],
};
