import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, direct, get, http, raw, row, route, typed, type Group, type Row, type Step } from "../row.ts";

/** HTTP/1 byte by byte: what is refused, how messages are framed, what becomes of the connection. */

const plain = http();
const bytes = (name: string, ...sends: string[]): Row => row(`bytes: ${name}`, plain, raw(...sends));
const hcm = (name: string, options: JsonObject, ...sends: string[]): Row => row(`bytes: ${name}`, http({ hcm: options }), raw(...sends));
const withTrailers: JsonObject = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicit_http_config: { http_protocol_options: { enable_trailers: true } },
    }),
  },
};
const H = "host: row.test\r\n";
const GET = `GET / HTTP/1.1\r\n${H}`;
const POST = `POST / HTTP/1.1\r\n${H}`;

const CONNECT = "CONNECT other.test:443 HTTP/1.1\r\nhost: other.test:443\r\n\r\n";
const ended = (name: string, backend: string, steps: readonly Step[]): Row =>
  row(
    name,
    http({
      hcm: { upgrade_configs: [{ upgrade_type: "CONNECT" }] },
      routes: [
        route({ connect_matcher: {} }, { cluster: `ended-${backend}-${name.length}`, upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] }),
      ],
    }),
    { raw: steps },
    { clusters: [cluster(`ended-${backend}-${name.length}`, [backend])] },
  );

export const http1: Group = {
  name: "http1",
  rows: [
    bytes("no host", "GET / HTTP/1.1\r\n\r\n"),
    bytes("empty host", "GET / HTTP/1.1\r\nhost:\r\n\r\n"),
    bytes("two hosts", `GET / HTTP/1.1\r\n${H}host: other\r\n\r\n`),
    bytes("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"),
    bytes("HTTP/1.0 with host", `GET / HTTP/1.0\r\n${H}\r\n`),
    bytes("HTTP/0.9", "GET /\r\n\r\n"),
    bytes("HTTP/1.2", `GET / HTTP/1.2\r\n${H}\r\n`),
    bytes("HTTP/2.0", `GET / HTTP/2.0\r\n${H}\r\n`),
    bytes("HTTP in small letters", `GET / http/1.1\r\n${H}\r\n`),
    bytes("garbage", "\x01\x02\x03\x04garbage\r\n\r\n"),
    bytes("method in small letters", `get / HTTP/1.1\r\n${H}\r\n`),
    bytes("unknown method", `BREW / HTTP/1.1\r\n${H}\r\n`),
    bytes("method of RFC 3253", `REPORT / HTTP/1.1\r\n${H}\r\n`),
    bytes("method with a bad character", `GE(T / HTTP/1.1\r\n${H}\r\n`),
    bytes("two spaces", `GET  / HTTP/1.1\r\n${H}\r\n`),
    bytes("space before the line", ` GET / HTTP/1.1\r\n${H}\r\n`),
    bytes("tab in the line", `GET\t/ HTTP/1.1\r\n${H}\r\n`),
    bytes("empty line before", `\r\nGET / HTTP/1.1\r\n${H}\r\n`),
    bytes("bare LF", "GET / HTTP/1.1\nhost: row.test\n\n"),
    bytes("bare CR in a value", `${GET}x-a: a\rb\r\n\r\n`),
    bytes("NUL in a value", `${GET}x-a: a\0b\r\n\r\n`),
    bytes("control character in a value", `${GET}x-a: a\x01b\r\n\r\n`),
    bytes("DEL in a value", `${GET}x-a: a\x7fb\r\n\r\n`),
    bytes("byte over 127 in a value", `${GET}x-a: a\xffb\r\n\r\n`),
    bytes("tab in a value", `${GET}x-a: a\tb\r\n\r\n`),
    bytes("space around a value", `${GET}x-a:   a  \t \r\n\r\n`),
    bytes("empty value", `${GET}x-a:\r\n\r\n`),
    bytes("space before the colon", `${GET}x-a : a\r\n\r\n`),
    bytes("no colon", `${GET}x-a\r\n\r\n`),
    bytes("empty name", `${GET}: a\r\n\r\n`),
    bytes("bad character in a name", `${GET}x(a: a\r\n\r\n`),
    bytes("folded header", `${GET}x-a: a\r\n b\r\n\r\n`),
    bytes("first header folded", `GET / HTTP/1.1\r\n ${H}\r\n`),
    bytes("absolute target", "GET http://other.test/a?b HTTP/1.1\r\nhost: row.test\r\n\r\n"),
    bytes("absolute target without path", "GET http://other.test HTTP/1.1\r\nhost: row.test\r\n\r\n"),
    bytes("absolute target, https", "GET https://other.test/a HTTP/1.1\r\nhost: row.test\r\n\r\n"),
    bytes("absolute target, another scheme", "GET ftp://other.test/a HTTP/1.1\r\nhost: row.test\r\n\r\n"),
    bytes("relative target", `GET a HTTP/1.1\r\n${H}\r\n`),
    bytes("query only", `GET ?a HTTP/1.1\r\n${H}\r\n`),
    bytes("OPTIONS *", `OPTIONS * HTTP/1.1\r\n${H}\r\n`),
    bytes("GET *", `GET * HTTP/1.1\r\n${H}\r\n`),
    bytes("target with a space", `GET /a b HTTP/1.1\r\n${H}\r\n`),
    bytes("target with a byte over 127", `GET /\xe4 HTTP/1.1\r\n${H}\r\n`),
    bytes("target with a control character", `GET /\x02 HTTP/1.1\r\n${H}\r\n`),
    bytes("target with quotes and braces", `GET /"{a}|^\` HTTP/1.1\r\n${H}\r\n`),
    bytes("host with a path", "GET / HTTP/1.1\r\nhost: row.test/a\r\n\r\n"),
    bytes("host with a space", "GET / HTTP/1.1\r\nhost: row test\r\n\r\n"),
    bytes("host with user info", "GET / HTTP/1.1\r\nhost: u@row.test\r\n\r\n"),
    bytes("IPv6 host", "GET / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n"),
    bytes("content-length and chunked", `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
    bytes("chunked and content-length", `${POST}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
    bytes("two equal content-lengths", `${POST}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`),
    bytes("two different content-lengths", `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`),
    bytes("content-length list", `${POST}content-length: 5, 5\r\n\r\nhello`),
    bytes("content-length with a sign", `${POST}content-length: +5\r\n\r\nhello`),
    bytes("negative content-length", `${POST}content-length: -5\r\n\r\nhello`),
    bytes("content-length in hex", `${POST}content-length: 0x5\r\n\r\nhello`),
    bytes("content-length too large", `${POST}content-length: 99999999999999999999\r\n\r\nhello`),
    bytes("empty content-length", `${POST}content-length:\r\n\r\nhello`),
    bytes("content-length with a space inside", `${POST}content-length: 1 2\r\n\r\nhello`),
    bytes("unknown transfer-encoding", `${POST}transfer-encoding: gzip\r\n\r\n`),
    bytes("gzip, chunked", `${POST}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`),
    bytes("chunked, chunked", `${POST}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n`),
    bytes("two transfer-encodings", `${POST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
    bytes("transfer-encoding identity", `${POST}transfer-encoding: identity\r\n\r\n`),
    bytes("Chunked in capitals", `${POST}transfer-encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
    bytes("chunked GET", `${GET}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
    bytes("GET with a body", `${GET}content-length: 5\r\n\r\nhello`),
    bytes("HEAD with a body", `HEAD / HTTP/1.1\r\n${H}content-length: 5\r\n\r\nhello`),
    bytes("chunk extension", `${POST}transfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n`),
    bytes("chunk size with a space", `${POST}transfer-encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n`),
    bytes("chunk size that is none", `${POST}transfer-encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n`),
    bytes("chunk size too large", `${POST}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello`),
    bytes("chunk without its end", `${POST}transfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n`),
    bytes("chunks ended by LF", `${POST}transfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n`),
    bytes("request trailers", `${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n`),
    bytes("bad request trailers", `${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx t: 1\r\n\r\n`),
    hcm(
      "request trailers, enabled",
      { http_protocol_options: { enable_trailers: true } },
      `${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n`,
    ),
    row(
      "request trailers to a server that takes them",
      http({ hcm: { http_protocol_options: { enable_trailers: true } }, routes: [route({ prefix: "/" }, { cluster: "trailing" })] }),
      { http: { method: "POST", chunks: ["hello"], trailers: [["x-t", "1"]] } },
      { clusters: [cluster("trailing", ["echo"], withTrailers)] },
    ),
    row(
      "response trailers",
      http({ hcm: { http_protocol_options: { enable_trailers: true } }, routes: [route({ prefix: "/" }, { cluster: "trailing2" })] }),
      get("/", [], { want: { body: "b", trailers: [["x-t", "1"]] } }),
      { clusters: [cluster("trailing2", ["echo"], withTrailers)] },
    ),
    row(
      "response trailers that the server was not asked for",
      http({ hcm: { http_protocol_options: { enable_trailers: true } } }),
      get("/", [], { want: { body: "b", trailers: [["x-t", "1"]] } }),
    ),
    row(
      "response trailers that the client cannot take",
      http({ routes: [route({ prefix: "/" }, { cluster: "trailing3" })] }),
      get("/", [], { want: { body: "b", trailers: [["x-t", "1"]] } }),
      { clusters: [cluster("trailing3", ["echo"], withTrailers)] },
    ),
    hcm("HTTP/1.0 accepted", { http_protocol_options: { accept_http_10: true } }, `GET / HTTP/1.0\r\n${H}\r\n`),
    hcm(
      "HTTP/1.0 accepted, default host",
      { http_protocol_options: { accept_http_10: true, default_host_for_http_10: "default.test" } },
      "GET / HTTP/1.0\r\n\r\n",
    ),
    hcm("HTTP/1.0 accepted, no host", { http_protocol_options: { accept_http_10: true } }, "GET / HTTP/1.0\r\n\r\n"),
    hcm(
      "HTTP/1.0 keep-alive",
      { http_protocol_options: { accept_http_10: true } },
      `GET /1 HTTP/1.0\r\n${H}connection: keep-alive\r\n\r\n`,
      `GET /2 HTTP/1.0\r\n${H}\r\n`,
    ),
    hcm(
      "HTTP/1.0 chunked",
      { http_protocol_options: { accept_http_10: true } },
      `POST / HTTP/1.0\r\n${H}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    ),
    bytes("pipelined", `${GET}\r\n${GET}x-second: 1\r\n\r\n`),
    bytes("pipelined behind a body", `${POST}content-length: 5\r\n\r\nhello${GET}x-second: 1\r\n\r\n`),
    bytes("pipelined, the second is bad", `${GET}\r\nBAD\r\n\r\n`),
    bytes("more than the content-length", `${POST}content-length: 5\r\n\r\nhelloXX`),
    bytes("connection: close", `${GET}connection: close\r\n\r\n`),
    bytes("connection: Close", `${GET}connection: Close\r\n\r\n`),
    bytes("connection: close among others", `${GET}connection: x-a, close\r\nx-a: 1\r\n\r\n`),
    bytes("proxy-connection: close", `${GET}proxy-connection: close\r\n\r\n`),
    bytes("connection: keep-alive", `${GET}connection: keep-alive\r\nkeep-alive: timeout=5\r\n\r\n`),
    bytes("connection names a header", `${GET}connection: x-a\r\nx-a: 1\r\nx-b: 2\r\n\r\n`),
    bytes("connection names host", `${GET}connection: host\r\n\r\n`),
    bytes("connection names x-forwarded-for", `${GET}connection: x-forwarded-for\r\nx-forwarded-for: 1.2.3.4\r\n\r\n`),
    bytes("te: trailers", `${GET}connection: te\r\nte: trailers\r\n\r\n`),
    bytes("te: gzip, trailers", `${GET}te: gzip, trailers\r\n\r\n`),
    bytes("te: gzip", `${GET}te: gzip\r\n\r\n`),
    bytes("expect: 100-continue", `${POST}content-length: 5\r\nexpect: 100-continue\r\n\r\n`, "hello"),
    bytes("expect: something else", `${POST}content-length: 5\r\nexpect: miracle\r\n\r\nhello`),
    hcm("expect: 100-continue, proxied", { proxy_100_continue: true }, `${POST}content-length: 5\r\nexpect: 100-continue\r\n\r\nhello`),
    bytes("headers too large", `${GET}x-a: ${"a".repeat(61 * 1024)}\r\n\r\n`),
    hcm("headers over a limit of 1 KB", { max_request_headers_kb: 1 }, `${GET}x-a: ${"a".repeat(1100)}\r\n\r\n`),
    bytes("101 headers", `GET / HTTP/1.1\r\n${H}${Array.from({ length: 101 }, (_, i) => `x-${i}: 1\r\n`).join("")}\r\n`),
    hcm(
      "a limit of five headers",
      { common_http_protocol_options: { max_headers_count: 5 } },
      `GET / HTTP/1.1\r\n${H}${Array.from({ length: 5 }, (_, i) => `x-${i}: 1\r\n`).join("")}\r\n`,
    ),
    hcm(
      "just five headers",
      { common_http_protocol_options: { max_headers_count: 5 } },
      `GET / HTTP/1.1\r\n${H}${Array.from({ length: 4 }, (_, i) => `x-${i}: 1\r\n`).join("")}\r\n`,
    ),
    hcm("underscores refused", { common_http_protocol_options: { headers_with_underscores_action: "REJECT_REQUEST" } }, `${GET}x_a: 1\r\n\r\n`),
    hcm("underscores dropped", { common_http_protocol_options: { headers_with_underscores_action: "DROP_HEADER" } }, `${GET}x_a: 1\r\n\r\n`),
    bytes("underscores allowed", `${GET}x_a: 1\r\n\r\n`),
    hcm(
      "header names keep their case",
      {
        http_protocol_options: {
          header_key_format: {
            stateful_formatter: {
              name: "preserve_case",
              typed_config: { "@type": "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig" },
            },
          },
        },
      },
      `${GET}X-CamelCase: 1\r\n\r\n`,
    ),
    hcm("one request a connection", { common_http_protocol_options: { max_requests_per_connection: 1 } }, `${GET}\r\n`),
    hcm("HTTP/1 codec and an HTTP/2 preface", { codec_type: "HTTP1" }, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    row("bytes: the client hangs up halfway through its head", plain, { raw: [{ send: "GET / HTTP/1.1\r\nho" }, { halfClose: true }, { rest: true }] }),
    row("bytes: the client hangs up halfway through its body", plain, {
      raw: [{ send: `${POST}content-length: 50\r\n\r\nhello` }, { wait: 30 }, { halfClose: true }, { rest: true }],
    }),
    row("bytes: half close after the answer", http({ routes: [direct({ prefix: "/" }, "d")] }), {
      raw: [{ send: `${GET}\r\n` }, { responses: 1 }, { halfClose: true }, { rest: true }],
    }),
    row("bytes: half close while the upstream thinks", plain, {
      raw: [{ send: `${GET}x-want: {"delay":150,"body":"late"}\r\n\r\n` }, { wait: 30 }, { halfClose: true }, { rest: true }],
    }),
    row("bytes: reset while the upstream thinks", plain, {
      raw: [{ send: `${GET}x-want: {"delay":200,"body":"late"}\r\n\r\n` }, { wait: 50 }, { reset: true }, { wait: 250 }],
    }),
    row("bytes: an answer before the body is there", http({ routes: [direct({ prefix: "/" }, "early")] }), {
      raw: [{ send: `${POST}content-length: 50\r\n\r\nhello` }, { rest: true }],
    }),
    row("upgrade: websocket", http({ hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] } }), {
      raw: [
        { send: `${GET}connection: Upgrade\r\nupgrade: websocket\r\n\r\n` },
        { responses: 1 },
        { send: "ping" },
        { text: "echo:ping" },
        { halfClose: true },
        { rest: true },
      ],
    }),
    row("upgrade: not allowed", plain, raw(`${GET}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`)),
    row(
      "upgrade: another protocol",
      http({ hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] } }),
      raw(`${GET}connection: Upgrade\r\nupgrade: other\r\n\r\n`),
    ),
    row(
      "upgrade: refused by the upstream",
      http({ hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] } }),
      raw(`${GET}connection: Upgrade\r\nupgrade: websocket\r\nx-want: {"status":400,"body":"no"}\r\n\r\n`),
    ),
    row(
      "upgrade: off for the route",
      http({
        hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] },
        routes: [route({ prefix: "/" }, { upgrade_configs: [{ upgrade_type: "websocket", enabled: false }] })],
      }),
      raw(`${GET}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`),
    ),
    row(
      "upgrade: on for the route only",
      http({
        hcm: { upgrade_configs: [{ upgrade_type: "websocket", enabled: false }] },
        routes: [route({ prefix: "/" }, { upgrade_configs: [{ upgrade_type: "websocket" }] })],
      }),
      { raw: [{ send: `${GET}connection: Upgrade\r\nupgrade: websocket\r\n\r\n` }, { responses: 1 }, { send: "ping" }, { text: "echo:ping" }] },
    ),
    row("upgrade: header without connection", http({ hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] } }), raw(`${GET}upgrade: websocket\r\n\r\n`)),
    row("upgrade: h2c is ignored", plain, raw(`${GET}connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n`)),
    row("CONNECT: not allowed", plain, raw("CONNECT other.test:443 HTTP/1.1\r\nhost: other.test:443\r\n\r\n")),
    row("CONNECT: allowed", http({ hcm: { upgrade_configs: [{ upgrade_type: "CONNECT" }] }, routes: [route({ connect_matcher: {} })] }), {
      raw: [{ send: "CONNECT other.test:443 HTTP/1.1\r\nhost: other.test:443\r\n\r\n" }, { responses: 1 }, { send: "ping" }, { text: "echo:ping" }],
    }),
    row("upgrade: the server hangs up", http({ hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] } }), {
      raw: [{ send: `${GET}connection: Upgrade\r\nupgrade: websocket\r\n\r\n` }, { responses: 1 }, { send: "bye" }, { rest: true }],
    }),
    row("upgrade: with a body", http({ hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] } }), {
      raw: [{ send: `${POST}connection: Upgrade\r\nupgrade: websocket\r\ncontent-length: 5\r\n\r\nhello` }, { responses: 1 }, { rest: true }],
    }),
    ended("CONNECT: ended here, bytes to the cluster", "tcp", [{ send: CONNECT }, { responses: 1 }, { send: "ping" }, { text: "ping" }]),
    ended("CONNECT: ended here, the server speaks first", "banner", [{ send: CONNECT }, { text: "220" }]),
    ended("CONNECT: ended here, bytes with the head", "tcp", [{ send: `${CONNECT}early` }, { text: "early" }]),
    ended("CONNECT: ended here, the server hangs up", "close", [{ send: CONNECT }, { rest: true }]),
    ended("CONNECT: ended here, nobody is there", "closed", [{ send: CONNECT }, { responses: 1 }]),
    row(
      "CONNECT: a target without port",
      http({ hcm: { upgrade_configs: [{ upgrade_type: "CONNECT" }] }, routes: [route({ connect_matcher: {} })] }),
      raw("CONNECT other.test HTTP/1.1\r\nhost: other.test\r\n\r\n"),
    ),
    row("keep-alive over three requests", plain, { http: [{ path: "/1" }, { path: "/2", method: "POST", body: "b" }, { path: "/3" }] }),
    row("a large body goes through", plain, get("/", [], { method: "POST", body: "x".repeat(300_000) })),
  ],
};
