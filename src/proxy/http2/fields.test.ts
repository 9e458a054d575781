import { describe, expect, test } from "bun:test";
import { HeaderMap, type RequestHead } from "../http/header-map.ts";
import { readRequestFields, readStatus, validTrailers } from "./fields.ts";

const GET = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "a"],
] as const;
const CONNECT = [[":method", "CONNECT"]] as const;

function read(fields: readonly (readonly [string, string])[]): RequestHead | undefined {
  return readRequestFields(HeaderMap.from(fields));
}

function replaced(name: string, value: string): (readonly [string, string])[] {
  return GET.map((field) => (field[0] === name ? [name, value] : field));
}

describe("request fields", () => {
  test("that an HTTP/1 server would read as two requests are refused", () => {
    const smuggled = "a\r\n\r\nGET /admin HTTP/1.1\r\nhost: a";
    for (const [name] of GET) expect(read(replaced(name, smuggled))).toBeUndefined();
    expect(read([...GET, ["x", smuggled]])).toBeUndefined();
    expect(read([...GET, [smuggled, "x"]])).toBeUndefined();
    expect(read([...CONNECT, [":authority", `${smuggled} HTTP/1.1`]])).toBeUndefined();
    expect(read([...CONNECT, [":authority", "a:1 HTTP/1.1"]])).toBeUndefined();
    expect(read([...GET.slice(0, 3), ["host", smuggled]])).toBeUndefined();
  });

  test("name one host, once", () => {
    expect(read([...GET, ["host", "a"]])).toMatchObject({ authority: "a", headers: { names: [] } });
    expect(read([...GET, ["host", "b"]])).toBeUndefined();
    expect(read([...GET, ["host", "a"], ["host", "a"]])).toBeUndefined();
    expect(read([...CONNECT, [":authority", "a:1"], ["host", "b"]])).toBeUndefined();
    expect(read([...GET.slice(0, 3), ["host", "b"]])).toMatchObject({ authority: "b" });
    for (const bad of ["a\u0001", "a\u007f", "a b"]) expect(read(replaced(":authority", bad))).toBeUndefined();
  });

  test("of one connection are no part of a request", () => {
    for (const field of [
      ["transfer-encoding", "chunked"],
      ["connection", "close"],
      ["upgrade", "x"],
      ["te", "gzip"],
    ] as const)
      expect(read([...GET, field])).toBeUndefined();
    expect(read([...GET, ["te", "trailers"]])).toBeDefined();
  });
});

test("trailers hold what heads may hold, without pseudo-fields", () => {
  const trailers = (name: string, value: string): boolean => validTrailers(HeaderMap.from([[name, value]]));
  expect(trailers("grpc-status", "0")).toBe(true);
  expect(trailers("x", "a\r\n\r\nGET / HTTP/1.1")).toBe(false);
  expect(trailers("x\r\ny", "a")).toBe(false);
  expect(trailers("X", "a")).toBe(false);
  expect(trailers(":path", "/")).toBe(false);
  expect(trailers("transfer-encoding", "chunked")).toBe(false);
});

test("a response's status has three digits and comes first", () => {
  expect(
    readStatus(
      HeaderMap.from([
        [":status", "200"],
        ["a", "b"],
      ]),
    ),
  ).toBe(200);
  for (const fields of [
    [[":status", "20"]],
    [
      ["a", "b"],
      [":status", "200"],
    ],
    [
      [":status", "200"],
      [":status", "200"],
    ],
    [
      [":status", "200"],
      ["a", "b\r\nc"],
    ],
  ] as const) {
    expect(readStatus(HeaderMap.from(fields))).toBeUndefined();
  }
});
