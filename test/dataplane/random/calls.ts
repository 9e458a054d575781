import type { Call, HttpRequest, Want } from "../row.ts";
import type { Dice } from "./dice.ts";
import { HOSTS, NAMES, PATHS, VALUES } from "./routes.ts";

const QUERIES = ["", "", "?q=1", "?q=abc&x=2", "?empty=&q", "?", "?q=1?2", "?a/b"];
/** Headers that proxies treat in ways of their own. */
const SPECIAL: readonly (readonly [string, string])[] = [
  ["x-forwarded-for", "10.0.0.1"],
  ["x-forwarded-for", "10.0.0.1, 192.168.1.1"],
  ["x-forwarded-for", "nonsense"],
  ["x-forwarded-proto", "https"],
  ["x-forwarded-host", "fwd.test"],
  ["x-request-id", "my-own-id"],
  ["x-envoy-internal", "true"],
  ["x-envoy-max-retries", "2"],
  ["x-envoy-retry-on", "5xx"],
  ["x-envoy-upstream-rq-timeout-ms", "3000"],
  ["x-envoy-expected-rq-timeout-ms", "7"],
  ["x-envoy-decorator-operation", "theirs"],
  ["x-envoy-original-path", "/orig"],
  ["x-envoy-foo", "bar"],
  ["x-forwarded-client-cert", "By=a;Hash=b"],
  ["connection", "close"],
  ["connection", "keep-alive, x-a"],
  ["te", "trailers"],
  ["te", "gzip"],
  ["expect", "100-continue"],
  ["upgrade", "h2c"],
  ["keep-alive", "timeout=5"],
  ["proxy-connection", "keep-alive"],
  ["cookie", "session=abc; x=1"],
  ["origin", "http://allowed.test"],
  ["origin", "http://evil.test"],
  ["access-control-request-method", "PUT"],
  ["accept-encoding", "gzip"],
  ["range", "bytes=0-1"],
  ["via", "1.0 before"],
  ["forwarded", "for=1.2.3.4"],
  ["x-cluster", "echo2"],
  ["x-cluster", "missing"],
  ["content-type", "application/grpc"],
  ["grpc-timeout", "1S"],
  ["authorization", "Basic am9lOjEyMzQ1Ng=="],
  ["authorization", "Bearer x.y.z"],
  ["x-envoy-fault-abort-request", "418"],
  ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
  ["x-under_score", "1"],
  ["x-empty", ""],
  ["x-real-ip", "9.9.9.9"],
  ["x-envoy-external-address", "8.8.8.8"],
  ["host", "second.test"],
  ["trailer", "x-t"],
  ["referer", "http://row.test/"],
  ["server", "mine"],
  ["date", "yesterday"],
  ["x-forwarded-port", "99"],
  ["x-envoy-attempt-count", "9"],
];

function headers(dice: Dice, h2: boolean): (readonly [string, string])[] {
  const own = dice.list(3, () => [dice.one(NAMES), dice.one(VALUES)] as const);
  const special = dice
    .some(SPECIAL, 3)
    .filter(([name]) => name !== "host" && (!h2 || !["connection", "upgrade", "keep-alive", "proxy-connection", "te", "expect"].includes(name)));
  const single = new Set<string>();
  // Two lines of what Envoy keeps in one are a difference that is known, and HTTP/2's client would not send them.
  return [...own, ...special]
    .filter(([name, value]) => !(name === "cookie" && value === ""))
    .filter(([name]) => (!h2 && ["x-a", "x-b"].includes(name)) || (!single.has(name) && single.add(name)));
}

function want(dice: Dice): Want {
  const status = dice.one([200, 200, 200, 201, 204, 301, 304, 400, 404, 409, 418, 500, 503]);
  return {
    ...(dice.chance(0.6) && { status }),
    ...(dice.chance(0.4) && {
      headers: dice.some<readonly [string, string]>(
        [
          ["x-r", "1"],
          ["server", "app"],
          ["content-type", "text/plain"],
          ["x-envoy-upstream-service-time", "99"],
          ["x-envoy-foo", "1"],
          ["set-cookie", "a=b"],
          ["set-cookie", "c=d"],
          ["cache-control", "no-store"],
          ["connection", "keep-alive"],
          ["keep-alive", "timeout=9"],
          ["x-envoy-ratelimited", "true"],
          ["location", "/moved"],
          ["date", "Tue, 01 Jan 2030 00:00:00 GMT"],
          ["via", "1.1 app"],
          ["alt-svc", 'h3=":443"'],
          ["grpc-status", "14"],
          ["x-request-id", "apps"],
        ],
        4,
      ),
    }),
    ...(dice.chance(0.3) && { body: dice.one(["", "body", "x".repeat(500)]) }),
    ...(dice.chance(0.1) && { chunks: dice.one<string[]>([["a", "bc"], [""], ["one"]]).filter((each) => each !== "") }),
    ...(dice.chance(0.04) && { end: dice.one<NonNullable<Want["end"]>>(["before", "reset-before", "after"]) }),
  };
}

function request(dice: Dice, h2: boolean): HttpRequest {
  const method = dice.one(["GET", "GET", "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"]);
  const path = dice.one(PATHS);
  const body = method !== "GET" && method !== "HEAD" && dice.chance(0.7) ? dice.one(["", "hello", "b".repeat(400)]) : undefined;
  return {
    method: path === "*" ? "OPTIONS" : method,
    path: path === "*" ? "*" : path + dice.one(QUERIES),
    host: dice.one(HOSTS),
    headers: headers(dice, h2),
    ...(body !== undefined &&
      (h2 || dice.chance(0.6)
        ? { body }
        : { chunks: [body, "tail"].filter((each) => each !== ""), ...(dice.chance(0.4) && { trailers: [["x-t", "1"]] as const }) })),
    ...(dice.chance(0.8) && { want: dice.chance(0.2) ? [want(dice), want(dice), {}] : want(dice) }),
  };
}

const LINES = [
  "GET / HTTP/1.1",
  "GET /a HTTP/1.0",
  "get / HTTP/1.1",
  "GET / http/1.1",
  "GET / HTTP/2.0",
  "GET http://abs.test/p HTTP/1.1",
  "GET /a#frag HTTP/1.1",
  "GET a HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "CONNECT row.test:80 HTTP/1.1",
  "POST / HTTP/1.1",
  "FOO / HTTP/1.1",
  "GET /\x80 HTTP/1.1",
  "PRI * HTTP/2.0",
  "GET https://abs.test HTTP/1.1",
  "GET //a HTTP/1.1",
  'GET /?"<> HTTP/1.1',
  "TRACE / HTTP/1.1",
];
const FIELDS = [
  "Host : row.test",
  "X-A: 1",
  "X-A:\t1 ",
  "x-a",
  ": v",
  "X A: 1",
  "X-A: \x01",
  "X-A: \xe9",
  "Content-Length: 3",
  "Content-Length: 3, 3",
  "Content-Length: +3",
  "Content-Length: 0",
  "Content-Length: x",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip",
  "Transfer-Encoding: Chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: gzip, chunked",
  "Connection: close",
  "Connection: upgrade",
  "Upgrade: websocket",
  "Expect: 100-continue",
  "Expect: other",
  "X-\xff: 1",
  "X-A: ",
  "X-Long: " + "l".repeat(300),
  "Cookie: a=1",
];
const BODIES = [
  "",
  "abc",
  "3\r\nabc\r\n0\r\n\r\n",
  "3;ext=1\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
  "zz\r\n",
  "3\r\nabcd\r\n0\r\n\r\n",
  "0\r\n\r\n",
  "00003\r\nabc\r\n000\r\n\r\n",
  "abcGET /second HTTP/1.1\r\nHost: row.test\r\n\r\n",
  "0x3\r\nabc\r\n0\r\n\r\n",
  "3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
  "-1\r\n\r\n",
];

function bytes(dice: Dice): Call {
  const own = dice.list(3, () => dice.one(FIELDS));
  const text = `${dice.one(LINES)}\r\n${[...(dice.chance(0.85) ? ["Host: row.test"] : []), ...own].map((line) => `${line}\r\n`).join("")}\r\n${dice.one(BODIES)}`;
  const cut = dice.chance(0.3) ? dice.below(text.length) : 0;
  const sends = cut > 0 ? [{ send: text.slice(0, cut) }, { wait: 15 }, { send: text.slice(cut) }] : [{ send: text }];
  return { raw: [...sends, { rest: true }] };
}

export type CallKind = "http" | "h2" | "bytes";

export function randomCall(dice: Dice, kind: CallKind): Call {
  if (kind === "bytes") return bytes(dice);
  if (kind === "h2") return { h2: request(dice, true) };
  return { http: request(dice, false) };
}
