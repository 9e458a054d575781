import { expect, test } from "bun:test";
import { faultText, httpMatchTexts, l4MatchText } from "./proto-text.ts";

test("faults in protobuf's text form, durations in seconds and nanoseconds", () => {
  expect(faultText({ abort: { percentage: { value: 10 }, httpStatus: 503 } })).toBe("abort:{http_status:503 percentage:{value:10}}");
  expect(faultText({ abort: { grpcStatus: "UNAVAILABLE" }, delay: { fixedDelay: "1m2.5s", percentage: { value: 0.5 } } })).toBe(
    'delay:{fixed_delay:{seconds:62 nanos:500000000} percentage:{value:0.5}} abort:{grpc_status:"UNAVAILABLE"}',
  );
  expect(faultText({ delay: { fixedDelay: "3ms" } })).toBe("delay:{fixed_delay:{nanos:3000000}}");
});

test("HTTP matches in words, one text a match", () => {
  expect(httpMatchTexts({})).toEqual([]);
  expect(
    httpMatchTexts({
      match: [{ uri: { prefix: "/api" }, ignoreUriCase: true, headers: { b: { regex: "x.*" }, a: { exact: "1" } } }, { method: { exact: "GET" } }],
    }),
  ).toEqual(['Match: /api* uncased when headers are a=1; b=regex:"x.*"', "Match:"]);
});

test("TCP matches in protobuf's text form", () => {
  expect(l4MatchText({ port: 27017, destinationSubnets: ["10.0.0.0/8"], sourceLabels: { b: "2", a: "1" }, gateways: ["mesh"] })).toBe(
    'destination_subnets:"10.0.0.0/8" port:27017 source_labels:{key:"a" value:"1"} source_labels:{key:"b" value:"2"} gateways:"mesh"',
  );
});
