import { create } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { DiscoveryResponseSchema, type DiscoveryResponse } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { debugText } from "./internal-debug.ts";

const answer = (id: string, page: string): DiscoveryResponse =>
  create(DiscoveryResponseSchema, {
    controlPlane: { identifier: JSON.stringify({ ID: id }) },
    resources: [{ typeUrl: "type.googleapis.com/google.protobuf.StringValue", value: Buffer.from(page) }],
  });

test("pages that are JSON are indented, others come as they are; those of all replicas are one document", () => {
  expect(debugText([answer("istiod-1", '{"a":[1]}')], false)).toBe('{\n  "a": [\n    1\n  ]\n}\n');
  expect(debugText([answer("istiod-1", "plain text")], false)).toBe("plain text\n");
  expect(JSON.parse(debugText([answer("istiod-1", '{"a":1}'), answer("istiod-2", "plain")], true))).toEqual({ "istiod-1": { a: 1 }, "istiod-2": "plain" });
});
