import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { CidrRangeSchema } from "../../proto/gen/envoy/config/core/v3/address_pb.ts";
import { compileCidrs } from "./cidr.ts";

const inside = (addressPrefix: string, prefixLen: number, address: string): boolean =>
  compileCidrs([create(CidrRangeSchema, { addressPrefix, prefixLen })])(address);

test("ranges of both families, on and off byte borders", () => {
  expect(inside("10.0.0.0", 8, "10.255.1.1")).toBe(true);
  expect(inside("10.0.0.0", 8, "11.0.0.0")).toBe(false);
  expect(inside("10.0.0.128", 25, "10.0.0.129")).toBe(true);
  expect(inside("10.0.0.128", 25, "10.0.0.127")).toBe(false);
  expect(inside("0.0.0.0", 0, "8.8.8.8")).toBe(true);
  expect(inside("0.0.0.0", 0, "::1")).toBe(false);
  expect(inside("fd00:1::", 33, "fd00:1:7fff::1")).toBe(true);
  expect(inside("fd00:1::", 33, "fd00:1:8000::1")).toBe(false);
  expect(inside("10.0.0.0", 8, "::ffff:10.1.2.3")).toBe(true);
  expect(inside("10.0.0.0", 8, "name")).toBe(false);
});

test("a range that is none is refused", () => {
  expect(() => inside("10.0.0", 8, "10.0.0.0")).toThrow("invalid ip/mask combo");
  expect(() => inside("10.0.0.0", 33, "10.0.0.0")).toThrow("invalid ip/mask combo");
});
