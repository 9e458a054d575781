import { create } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { HttpConnectionManager_TracingSchema } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { HeaderMap } from "../http/header-map.ts";
import { StatScope } from "../telemetry/stat-scope.ts";
import { compileSampler } from "./sampling.ts";

/** An id whose number is `value` modulo 10,000, with the reason's letter in its place. */
function id(value: number, letter = "4"): string {
  return `${value.toString(16).padStart(8, "0")}-8b44-${letter}c32-aab1-3c5cc51b2e40`;
}

function sample(percent: { client?: number; random?: number; overall?: number }, headers: Record<string, string>, byRequestId = true) {
  const stats = new StatScope("http.x");
  const value = (share: number | undefined) => (share === undefined ? undefined : { value: share });
  const sampler = compileSampler(
    create(HttpConnectionManager_TracingSchema, {
      clientSampling: value(percent.client),
      randomSampling: value(percent.random),
      overallSampling: value(percent.overall),
    }),
    byRequestId,
    stats,
    () => 0.5,
  );
  const map = HeaderMap.from(Object.entries(headers));
  const traced = sampler(map);
  const counted = [...stats.read()].filter(([, , count]) => count === 1).map(([name]) => name);
  return { traced, id: map.get("x-request-id"), counted: counted[0] };
}

test("random sampling goes by the id's own number, to two decimals", () => {
  expect(sample({ random: 1 }, { "x-request-id": id(99) })).toEqual({ traced: true, id: id(99, "9"), counted: "tracing.random_sampling" });
  expect(sample({ random: 1 }, { "x-request-id": id(100) })).toEqual({ traced: false, id: id(100), counted: "tracing.not_traceable" });
  expect(sample({ random: 0.01 }, { "x-request-id": id(0) }).traced).toBe(true);
  expect(sample({}, { "x-request-id": id(9999) }).traced).toBe(true);
});

test("what a proxy before has decided stands", () => {
  expect(sample({ random: 0 }, { "x-request-id": id(5, "9") })).toMatchObject({ traced: true, counted: "tracing.random_sampling" });
  expect(sample({ random: 0 }, { "x-request-id": id(5, "a") })).toMatchObject({ traced: true, counted: "tracing.service_forced" });
  expect(sample({ random: 0 }, { "x-request-id": id(5, "b") })).toMatchObject({ traced: true, counted: "tracing.client_enabled" });
});

test("a client may ask, as far as its share goes; a service may force", () => {
  expect(sample({ random: 0 }, { "x-request-id": id(5), "x-client-trace-id": "1" })).toMatchObject({ traced: true, id: id(5, "b") });
  expect(sample({ random: 0, client: 50 }, { "x-request-id": id(5), "x-client-trace-id": "1" }).traced).toBe(false);
  expect(sample({ random: 0 }, { "x-request-id": id(5), "x-envoy-force-trace": "1" })).toMatchObject({ traced: true, id: id(5, "a") });
});

test("overall sampling takes away, and says so in the id", () => {
  expect(sample({ overall: 50 }, { "x-request-id": id(149, "9") })).toMatchObject({ traced: true });
  expect(sample({ overall: 50 }, { "x-request-id": id(150, "9") })).toEqual({ traced: false, id: id(150, "4"), counted: "tracing.not_traceable" });
});

test("an id that is no UUID cannot be traced; where ids do not decide the tracer does", () => {
  expect(sample({}, { "x-request-id": "zz" })).toMatchObject({ traced: false, id: "zz" });
  expect(sample({}, {}).traced).toBe(false);
  expect(sample({ random: 0 }, { "x-request-id": id(5) }, false)).toMatchObject({ traced: true, id: id(5) });
});
