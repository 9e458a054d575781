import { fromBinary, fromJson, toBinary, toJson, type DescFile, type DescMessage } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import * as wkt from "@bufbuild/protobuf/wkt";
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allFiles } from "../gen/all-files.ts";
import { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.ts";
import { fileDesc } from "./file-desc.ts";
import { lazyProtobuf } from "./index.ts";
import type { LazyFile } from "./lazy-file.ts";

const WELL_KNOWN = [
  wkt.file_google_protobuf_any,
  wkt.file_google_protobuf_duration,
  wkt.file_google_protobuf_empty,
  wkt.file_google_protobuf_struct,
  wkt.file_google_protobuf_timestamp,
  wkt.file_google_protobuf_wrappers,
];

/** The same file by ours, with all that it imports. */
function lazily(file: DescFile, known = new Map<DescFile, LazyFile>()): LazyFile {
  const found = known.get(file);
  if (found) return found;
  const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)).toString("base64");
  const made = fileDesc(
    bytes,
    file.dependencies.map((each) => lazily(each, known)),
  );
  known.set(file, made);
  return made;
}

const typeName = (type: { typeName: string } | undefined) => type?.typeName;

/** All that a descriptor says, as plain data. */
function described(file: DescFile): unknown {
  const enums = (list: DescFile["enums"]) =>
    list.map((each) => ({
      names: [String(each), each.kind, each.name, each.typeName, each.open, each.sharedPrefix, each.deprecated, each.parent?.typeName],
      values: each.values.map((v) => [String(v), v.kind, v.name, v.localName, v.jsonName, v.number, v.deprecated, v.parent.typeName]),
      byNumber: Object.entries(each.value).map(([number, { name }]) => [number, name]),
    }));
  const message = (m: DescMessage): unknown => ({
    text: String(m),
    names: [m.kind, m.name, m.typeName, m.deprecated, m.parent?.typeName, m.file.name, m.proto.reservedName],
    fields: m.fields.map((f) => ({
      text: [String(f), f.kind, f.name, f.localName, f.jsonName, f.parent.typeName, f.oneof?.name],
      kinds: [f.number, f.fieldKind, f.presence, f.deprecated, f.utf8Validation, f.scalar, typeName(f.message), typeName(f.enum)],
      list: [f.fieldKind === "list" && [f.listKind, f.packed], f.fieldKind === "map" && [f.mapKind, f.mapKey]],
      rest: [(f as { longAsString?: boolean }).longAsString, (f as { delimitedEncoding?: boolean }).delimitedEncoding ?? false],
      zero: f.fieldKind === "scalar" || f.fieldKind === "enum" ? [f.getDefaultValue()] : [],
    })),
    byName: Object.keys(m.field),
    members: m.members.map((each) => [each.kind, each.localName]),
    oneofs: m.oneofs.map((o) => [String(o), o.name, o.localName, o.fields.map((f) => f.name)]),
    enums: enums(m.nestedEnums),
    nested: m.nestedMessages.map(message),
  });
  return {
    file: [
      String(file),
      file.kind,
      file.name,
      file.edition,
      file.proto.name,
      file.proto.package,
      file.extensions.length,
      file.dependencies.map(({ name }) => name),
    ],
    messages: file.messages.map(message),
    enums: enums(file.enums),
    services: file.services.map((s) => [
      String(s),
      s.name,
      s.typeName,
      s.methods.map((m) => [String(m), m.name, m.localName, m.methodKind, m.input.typeName, m.output.typeName]),
      Object.keys(s.method),
    ]),
  };
}

test("lazy descriptors say of every generated type what protobuf-es says of it", () => {
  const known = new Map<DescFile, LazyFile>();
  for (const file of [...allFiles, ...WELL_KNOWN]) {
    const [ours, theirs] = [described(lazily(file, known) as unknown as DescFile), described(file)];
    // Far faster than an expectation, which then shows what differs.
    if (!Bun.deepEquals(ours, theirs)) expect(ours).toEqual(theirs);
  }
  expect(known.size).toBeGreaterThan(250);
});

test("what is no proto3 is refused, and so are cut descriptors", () => {
  expect(() => lazily(wkt.file_google_protobuf_descriptor)).toThrow('google/protobuf/descriptor.proto: syntax "proto2" where proto3 is expected');
  const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, wkt.file_google_protobuf_any.proto));
  expect(() => fileDesc(bytes.subarray(0, bytes.length - 3).toString("base64"))).toThrow(/ends within a field/);
});

test("a bundle reads and writes messages as protobuf-es does", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lazy-protobuf-"));
  try {
    const built = await Bun.build({ entrypoints: [join(import.meta.dir, "testdata/round-trip.ts")], outdir: folder, target: "bun", plugins: [lazyProtobuf] });
    expect(built.success).toBe(true);
    expect(readFileSync(join(folder, "round-trip.js"), "utf8")).not.toContain("FileDescriptorProto");
    const { roundTrip } = (await import(join(folder, "round-trip.js"))) as { roundTrip: (json: string) => { binary: string; json: unknown } };
    const text = JSON.stringify(CLUSTER);
    const ours = fromJson(ClusterSchema, JSON.parse(text));
    expect(roundTrip(text)).toEqual({
      binary: Buffer.from(toBinary(ClusterSchema, fromBinary(ClusterSchema, toBinary(ClusterSchema, ours)))).toString("hex"),
      json: toJson(ClusterSchema, ours),
    });
    expect(() => roundTrip('{"name": "c", "nonsense": 1}')).toThrow('key "nonsense" is unknown');
    expect(() => roundTrip('{"altStatName": "c", "alt_stat_name": "d"}')).toThrow("set multiple times");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Each kind of field: scalars under both names, messages, wrappers, durations, enums, lists, maps, oneofs, recursion, structs. */
const CLUSTER = {
  name: "outbound|8080||web.default.svc.cluster.local",
  alt_stat_name: "web",
  type: "EDS",
  connectTimeout: "10.5s",
  perConnectionBufferLimitBytes: 32768,
  lbSubsetConfig: {
    fallbackPolicy: "ANY_ENDPOINT",
    defaultSubset: { stage: "prod", deep: { list: [1, null, "two", { three: true }] } },
    subsetSelectors: [{ keys: ["version", "stage"] }],
  },
  loadAssignment: {
    clusterName: "web",
    endpoints: [
      {
        locality: { region: "r1" },
        lbEndpoints: [{ healthStatus: "HEALTHY", loadBalancingWeight: 3, endpoint: { address: { socketAddress: { address: "10.0.0.1", portValue: 8080 } } } }],
      },
    ],
  },
  circuitBreakers: { thresholds: [{ maxConnections: 4294967295, trackRemaining: true, retryBudget: { budgetPercent: { value: 12.5 } } }] },
  metadata: { filterMetadata: { istio: { services: [{ host: "web" }] }, __proto__: { own: "property" } } },
  typedExtensionProtocolOptions: {},
  commonLbConfig: { healthyPanicThreshold: {}, localityWeightedLbConfig: {} },
  transportSocketMatches: [{ name: "tlsMode-istio", match: { tlsMode: "istio" }, transportSocket: { name: "tls" } }],
};
