import { describe, expect, test } from "bun:test";
import { HeaderMap } from "../http/header-map.ts";
import { B3, B3_WITH_W3C, W3C, type Propagation } from "./propagation.ts";
import type { SpanContext } from "./span.ts";

const TRACE = "463ac35c9f6413ad48485a3953bb6124";
const SPAN = "a2fb4a1d1a96d312";
const CONTEXT: SpanContext = {
  traceId: TRACE,
  spanId: "00000000000000aa",
  parentId: SPAN,
  sampled: true,
  traceState: "a=b",
  remoteParent: true,
  singleB3: false,
};

function headers(entries: Record<string, string>): HeaderMap {
  return HeaderMap.from(Object.entries(entries));
}

describe("extract", () => {
  const cases: [string, Propagation, Record<string, string>, unknown][] = [
    [
      "W3C, sampled, with state",
      W3C,
      { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "a=b" },
      { traceId: TRACE, spanId: SPAN, sampled: true, traceState: "a=b" },
    ],
    ["W3C, other flags do not sample", W3C, { traceparent: `00-${TRACE}-${SPAN}-02` }, { sampled: false }],
    ["W3C, too short", W3C, { traceparent: "00-zzz" }, "malformed"],
    ["W3C, all zero", W3C, { traceparent: `00-${"0".repeat(32)}-${SPAN}-01` }, "malformed"],
    ["W3C, none", W3C, { "x-b3-traceid": TRACE }, undefined],
    [
      "B3, several headers",
      B3,
      { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "0" },
      { traceId: TRACE, spanId: SPAN, sampled: false, singleB3: false },
    ],
    ["B3, upper case and 64 bits", B3, { "x-b3-traceid": SPAN.toUpperCase(), "x-b3-spanid": SPAN }, { traceId: SPAN, sampled: undefined }],
    ["B3, debug", B3, { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-flags": "1", "x-b3-sampled": "0" }, { sampled: true }],
    ["B3, single header", B3, { b3: `${TRACE}-${SPAN}-1-0000000000000001` }, { traceId: TRACE, spanId: SPAN, sampled: true, singleB3: true }],
    ["B3, single without flag", B3, { b3: `${TRACE}-${SPAN}` }, { sampled: undefined, singleB3: true }],
    ["B3, broken", B3, { "x-b3-traceid": "1", "x-b3-spanid": SPAN }, "malformed"],
    ["both: B3 first", B3_WITH_W3C, { "x-b3-traceid": SPAN, "x-b3-spanid": SPAN, traceparent: `00-${TRACE}-${SPAN}-01` }, { traceId: SPAN }],
    ["both: W3C alone", B3_WITH_W3C, { traceparent: `00-${TRACE}-${SPAN}-01` }, { traceId: TRACE }],
  ];
  test.each(cases)("%s", (_name, propagation, entries, expected) => {
    const parent = propagation.extract(headers(entries));
    if (typeof expected === "object") expect(parent).toMatchObject(expected as object);
    else expect(parent).toBe(expected as undefined);
  });
});

test("inject writes at the end and leaves no old value", () => {
  const map = headers({ traceparent: "old", "x-b3-spanid": "old", host: "a", b3: "old" });
  W3C.inject(map, CONTEXT);
  expect([...map].slice(-2)).toEqual([
    ["traceparent", `00-${TRACE}-00000000000000aa-01`],
    ["tracestate", "a=b"],
  ]);
  B3.inject(map, CONTEXT);
  expect([...map].slice(-4)).toEqual([
    ["x-b3-traceid", TRACE],
    ["x-b3-spanid", "00000000000000aa"],
    ["x-b3-parentspanid", SPAN],
    ["x-b3-sampled", "1"],
  ]);
  B3.inject(map, { ...CONTEXT, singleB3: true, sampled: false });
  expect(map.get("b3")).toBe(`${TRACE}-00000000000000aa-0-${SPAN}`);
});
