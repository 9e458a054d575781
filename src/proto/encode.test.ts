import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { StructSchema, TimestampSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "bun:test";
import { encode, encoded, packAny } from "./index.ts";
import { ClusterSchema } from "./gen/envoy/config/cluster/v3/cluster_pb.ts";
import { MetadataSchema } from "./gen/envoy/config/core/v3/base_pb.ts";
import { VirtualHostSchema } from "./gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteConfigurationSchema } from "./gen/envoy/config/route/v3/route_pb.ts";
import { HttpConnectionManagerSchema } from "./gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { AnyValueSchema } from "./gen/opentelemetry/proto/common/v1/common_pb.ts";
import { SpanSchema } from "./gen/opentelemetry/proto/trace/v1/trace_pb.ts";

function same<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): void {
  const expected = toBinary(schema, create(schema, init));
  expect(Buffer.from(encode(schema, init)).toString("hex")).toBe(Buffer.from(expected).toString("hex"));
  // A finished message gives the same as what it was made from.
  expect(encode(schema, create(schema, init))).toEqual(new Uint8Array(expected));
}

test("nested messages, oneofs, lists, maps, wrappers and numbers give the library's bytes", () => {
  same(ClusterSchema, {
    name: "outbound|80||ä€😀.local",
    altStatName: "x".repeat(300),
    clusterDiscoveryType: { case: "type", value: 3 },
    connectTimeout: { seconds: 10n, nanos: -5 },
    perConnectionBufferLimitBytes: 0,
    maxRequestsPerConnection: 7,
    healthChecks: [
      { timeout: { seconds: -1n }, healthChecker: { case: "httpHealthCheck", value: { path: "/", expectedStatuses: [{ start: 200n, end: 300n }] } } },
    ],
    typedExtensionProtocolOptions: { a: packAny(HttpConnectionManagerSchema, { statPrefix: "s" }), "": { typeUrl: "t", value: new Uint8Array([1, 2, 255]) } },
    lbSubsetConfig: {
      fallbackPolicy: 1,
      defaultSubset: { a: "b", n: 1.5, t: true, z: null, l: [1, "x", { y: [] }], o: {} },
      subsetSelectors: [{ keys: ["k", ""] }, {}],
    },
    commonLbConfig: { healthyPanicThreshold: { value: 0 }, localityConfigSpecifier: { case: "localityWeightedLbConfig", value: {} } },
    filters: [{ name: "f" }, { name: "" }],
    respectDnsTtl: true,
    lbPolicy: 6,
  });
});

test("wrappers inside oneofs, zeros that were set, and proto3's optional fields are written", () => {
  same(RouteConfigurationSchema, {
    name: "80",
    validateClusters: false,
    virtualHosts: [
      {
        name: "v",
        domains: ["*", "a.b"],
        routes: [
          {
            match: { pathSpecifier: { case: "prefix", value: "" }, caseSensitive: false, runtimeFraction: { defaultValue: { numerator: 0, denominator: 2 } } },
            action: {
              case: "route",
              value: {
                clusterSpecifier: { case: "cluster", value: "c" },
                timeout: { seconds: 0n },
                retryPolicy: { retriableStatusCodes: [503, 1, 300], numRetries: 2 },
                hostRewriteSpecifier: { case: "autoHostRewrite", value: { value: true } },
              },
            },
          },
        ],
      },
    ],
  });
  same(SpanSchema, { startTimeUnixNano: 2n ** 64n - 1n, traceId: new Uint8Array([0, 1]), flags: 2 ** 32 - 1 });
  same(AnyValueSchema, { value: { case: "doubleValue", value: -0 } });
  same(AnyValueSchema, { value: { case: "intValue", value: -(2n ** 63n) } });
});

test("google.protobuf.Struct is JSON as a field, and a message by itself", () => {
  same(MetadataSchema, { filterMetadata: { istio: { services: [{ host: "a", name: "b" }], deep: { n: null, f: false } }, empty: {} } });
  same(StructSchema, { fields: { a: { kind: { case: "stringValue", value: "b" } } } });
  same(ValueSchema, { kind: { case: "structValue", value: { fields: { a: { kind: { case: "boolValue", value: false } } } } } });
});

test("fields that nobody knows are kept", () => {
  const bytes = new Uint8Array([0x0a, 1, 0x63, 0xfa, 0x7f, 2, 9, 9]);
  const cluster = fromBinary(ClusterSchema, bytes);
  expect(encode(ClusterSchema, cluster)).toEqual(bytes);
});

test("more than the buffer holds at first", () => {
  same(RouteConfigurationSchema, { virtualHosts: Array.from({ length: 800 }, (_, index) => ({ name: `host-${index}`, domains: [`é${index}`.repeat(40)] })) });
});

test("what does not fit is refused by the field's name", () => {
  expect(() => encode(ClusterSchema, { name: 5 as unknown as string })).toThrow("envoy.config.cluster.v3.Cluster.name");
  expect(() => encode(TimestampSchema, { nanos: 2 ** 31 })).toThrow("google.protobuf.Timestamp.nanos");
  expect(() => encode(ClusterSchema, { connectTimeout: "1s" as never })).toThrow("envoy.config.cluster.v3.Cluster.connect_timeout");
});

test("what is encoded already is part of others as it is, where its type fits", () => {
  const host = { name: "v", domains: ["a", "b"], routes: [{ name: "r" }] };
  const shared = encoded(VirtualHostSchema, host);
  const expected = encode(RouteConfigurationSchema, { name: "80", virtualHosts: [host, { name: "w" }, host] });
  expect(encode(RouteConfigurationSchema, { name: "80", virtualHosts: [shared, { name: "w" }, shared] })).toEqual(expected);
  expect(encode(RouteConfigurationSchema, create(RouteConfigurationSchema, { name: "80", virtualHosts: [shared, { name: "w" }, shared] }))).toEqual(expected);
  expect(() => encode(ClusterSchema, { connectTimeout: shared as never })).toThrow("does not fit");
});

test("an encoded message by itself is its own bytes, and no other type's", () => {
  const metadata = encoded(MetadataSchema, { filterMetadata: { a: { b: 1 } } });
  expect(encode(MetadataSchema, metadata)).toEqual(encode(MetadataSchema, { filterMetadata: { a: { b: 1 } } }));
  expect(() => encode(ClusterSchema, metadata as never)).toThrow("an encoded envoy.config.core.v3.Metadata does not fit");
});
