import { expect, test } from "bun:test";
import { fromBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { joinLists } from "../xds/joined-list.ts";
import type { XdsResource } from "../xds/types.ts";
import { encodeDelta, encodeSotw } from "./responses.ts";

const HEAD = { typeUrl: "type", version: "v", nonce: "n" };

test("a list that goes out again is the same bytes, in fewer pieces", () => {
  const shared = resources("shared", 100);
  const [one, other] = [joinLists([shared, resources("one", 2)]), joinLists([shared, resources("other", 2)])];
  const names = (list: readonly XdsResource[]) =>
    fromBinary(DeltaDiscoveryResponseSchema, encodeDelta(HEAD, list, ["gone"]).bytes()).resources.map(({ name }) => name);
  const first = encodeDelta(HEAD, one, ["gone"]).bytes();
  expect(names(one)).toEqual(one.map(({ name }) => name));
  expect(names(other)).toEqual(other.map(({ name }) => name));
  expect(encodeDelta(HEAD, one, ["gone"]).bytes()).toEqual(first);
  // One of it by itself still is what it was.
  expect(names([shared[7]!])).toEqual(["shared-7"]);
  const sotw = encodeSotw(HEAD, one).bytes();
  expect([encodeSotw(HEAD, other), encodeSotw(HEAD, one)].map((response) => response.bytes())[1]).toEqual(sotw);
  expect(fromBinary(DiscoveryResponseSchema, sotw).resources.map(({ value }) => value)).toEqual(one.map(({ value }) => value));
});

function resources(prefix: string, count: number): XdsResource[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${prefix}-${index}`,
    typeUrl: "type",
    version: String(index),
    value: Uint8Array.of(index, count),
  }));
}
