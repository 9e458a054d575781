import { fromBinary, fromJsonString, toBinary, toJson, type JsonValue } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../gen/envoy/config/cluster/v3/cluster_pb.ts";

/** From JSON to bytes and back: bundled and run by `lazy.test.ts`. */
export function roundTrip(json: string): { binary: string; json: JsonValue } {
  const binary = toBinary(ClusterSchema, fromJsonString(ClusterSchema, json));
  const read = fromBinary(ClusterSchema, binary);
  return { binary: Buffer.from(toBinary(ClusterSchema, read)).toString("hex"), json: toJson(ClusterSchema, read) };
}
