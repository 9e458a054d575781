import { expect, test } from "bun:test";
import { jsonSyntaxProblem } from "../../base/index.ts";
import { durationProblem } from "./go-duration.ts";
import { checkPatchValue } from "./index.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

test("where Go's reader stops", () => {
  const problems = ["", "abc", "nulx", "-x", "1.", "1s", "*", "{x", "[", "é"].map(jsonSyntaxProblem);
  expect(problems).toEqual([
    "unexpected end of JSON input",
    "invalid character 'a' looking for beginning of value",
    "invalid character 'x' in literal null (expecting 'l')",
    "invalid character 'x' in numeric literal",
    "unexpected end of JSON input",
    "invalid character 's' after top-level value",
    "invalid character '*' looking for beginning of value",
    "invalid character 'x' looking for beginning of object key string",
    "unexpected end of JSON input",
    "invalid character 'Ã' looking for beginning of value",
  ]);
});

test("durations as Go reads them", () => {
  expect(["1h2m3.5s", "-1ms", "0", "+.5s", "5us"].map(durationProblem)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(["", "5", "5x", "s", "é"].map(durationProblem)).toEqual([
    'time: invalid duration ""',
    'time: missing unit in duration "5"',
    'time: unknown unit "x" in duration "5x"',
    'time: invalid duration "s"',
    'time: invalid duration "\\xc3\\xa9"',
  ]);
});

test("values of patches: what cannot be read is an error, what nobody has a warning", () => {
  expect(checkPatchValue("CLUSTER", { connect_timeout: "5s", transportSocket: { name: "tls", typed_config: { "@type": TLS, sni: "a" } } })).toEqual({
    warnings: [],
  });
  expect(checkPatchValue("CLUSTER", { connect_timeout: 5 }).error).toBe("Envoy filter: json: cannot unmarshal number into Go value of type string");
  expect(checkPatchValue("CLUSTER", { nope: 5 }).warnings).toEqual(['Envoy filter: unknown field "nope" in envoy.config.cluster.v3.Cluster']);
  expect(checkPatchValue("HTTP_FILTER", { name: "envoy.lua" }).warnings).toEqual(["using deprecated types by name without typed_config; envoy.lua"]);
  expect(checkPatchValue("HTTP_FILTER", { name: "a", typed_config: {} }).error).toBe("Envoy filter: Any JSON doesn't have '@type'");
  expect(checkPatchValue("HTTP_FILTER", { name: "a", typed_config: { "@type": TLS, sni: 1 } }).error).toBe(
    `Envoy filter: can't unmarshal Any nested proto ${TLS}: json: cannot unmarshal number into Go value of type string`,
  );
  expect(checkPatchValue("HTTP_FILTER", { name: "a", typed_config: { "@type": "x.com/envoy.api.v2.Cluster" } }).error).toBe(
    "referenced type unknown (hint: try using the v3 XDS API): Envoy filter: could not resolve Any message type: x.com/envoy.api.v2.Cluster",
  );
  expect(checkPatchValue("HTTP_FILTER", { name: "a", typed_config: { "@type": "nope" } }).error).toBe(
    "referenced type unknown: Envoy filter: could not resolve Any message type: nope",
  );
});

test("what Envoy has and the generated messages do not is taken as it is", () => {
  expect(
    checkPatchValue("HTTP_FILTER", { name: "a", typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.brand_new.v3.Config", x: 1 } }),
  ).toEqual({ warnings: [] });
  const proc = {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
    processing_mode: { request_body_mode: "FULL_DUPLEX_STREAMED" },
  };
  expect(checkPatchValue("HTTP_FILTER", { name: "a", typed_config: proc })).toEqual({ warnings: [] });
  expect(checkPatchValue("ROUTE_CONFIGURATION", { vhost_header: "x" })).toEqual({ warnings: [] });
});
