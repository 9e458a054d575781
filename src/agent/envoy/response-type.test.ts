import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import { typeUrlOfResponse } from "./response-type.ts";

const resource = { typeUrl: XDS_TYPES.LDS, value: new Uint8Array(70_000) };

test("the type is read behind resources of any size, in both protocols", () => {
  const sotw = create(DiscoveryResponseSchema, { versionInfo: "v", canary: true, typeUrl: XDS_TYPES.LDS, nonce: "n", resources: [resource, resource] });
  const delta = create(DeltaDiscoveryResponseSchema, {
    systemVersionInfo: "v",
    typeUrl: XDS_TYPES.CDS,
    nonce: "n",
    removedResources: ["a"],
    resources: [{ name: "x", version: "1", resource, aliases: ["y"], ttl: { seconds: 3n } }],
  });
  expect(typeUrlOfResponse(toBinary(DiscoveryResponseSchema, sotw))).toBe(XDS_TYPES.LDS);
  expect(typeUrlOfResponse(toBinary(DeltaDiscoveryResponseSchema, delta))).toBe(XDS_TYPES.CDS);
});

test("what is no response has no type, and ends", () => {
  expect(typeUrlOfResponse(new Uint8Array(0))).toBe("");
  expect(typeUrlOfResponse(Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x7f))).toBe("");
  expect(typeUrlOfResponse(Uint8Array.of(0x0b, 1, 2, 3))).toBe("");
  expect(typeUrlOfResponse(Uint8Array.of(0x22, 0x7f, 0x61))).toBe("a");
});
