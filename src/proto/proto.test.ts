import { create, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { loadRegistry, packAny, unpackAny, XDS_TYPES } from "./index.ts";
import { ClusterSchema } from "./gen/envoy/config/cluster/v3/cluster_pb.ts";
import { FilterConfigSchema } from "./gen/istio/alpn/config_pb.ts";
import { NameTableSchema } from "./gen/istio/nds/nds_pb.ts";
import { PluginConfigSchema } from "./gen/stats/config_pb.ts";

test("the patched field dns_jitter survives the wire under its number 58", () => {
  const bytes = toBinary(ClusterSchema, create(ClusterSchema, { name: "c", dnsJitter: { seconds: 1n } }));
  expect([...bytes].join(",")).toContain("210,3,2,8,1");
  expect(fromBinary(ClusterSchema, bytes).dnsJitter?.seconds).toBe(1n);
});

test("an Any round-trips and another type is not taken for it", () => {
  const any = packAny(PluginConfigSchema, { disableHostHeaderFallback: true });
  expect(any.typeUrl).toBe("type.googleapis.com/stats.PluginConfig");
  expect(unpackAny(PluginConfigSchema, any)?.disableHostHeaderFallback).toBe(true);
  expect(unpackAny(FilterConfigSchema, any)).toBeUndefined();
});

test("the registry knows Istio's own types and expands an Any in JSON", async () => {
  const registry = await loadRegistry();
  for (const type of ["istio.networking.nds.v1.NameTable", "istio.v1.auth.IstioCertificateRequest", "udpa.type.v1.TypedStruct"]) {
    expect(registry.getMessage(type)).toBeDefined();
  }
  expect(`type.googleapis.com/${NameTableSchema.typeName}`).toBe(XDS_TYPES.NDS);
  const json = {
    name: "c",
    filters: [
      {
        name: "istio.metadata_exchange",
        typedConfig: { "@type": "type.googleapis.com/udpa.type.v1.TypedStruct", typeUrl: "type.googleapis.com/x", value: { a: true } },
      },
    ],
  };
  expect(toJson(ClusterSchema, fromJson(ClusterSchema, json, { registry }), { registry })).toEqual(json);
});
