import { create, fromJson } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { DiscoveryResponseSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { loadRegistry } from "../../proto/index.ts";
import { statusDocument, statusTable } from "./proxy-status.ts";
import { parseBuild, versionText, versionValue, type MeshVersions } from "./version.ts";
import { printValue } from "./proxy-config/messages.ts";

const golden = (name: string): string => readFileSync(`${import.meta.dir}/../../../test/golden/istioctl/${name}`, "utf8");

test("proxy-status: table, JSON and YAML as recorded", async () => {
  const answer = fromJson(DiscoveryResponseSchema, JSON.parse(golden("proxy-status.json")), { registry: await loadRegistry() });
  expect(await statusDocument([answer], "json")).toBe(golden("proxy-status.json"));
  // The table was recorded when the gateway was connected too; the rows that both have must be the same.
  const table = statusTable([answer]).split("\n");
  const recorded = golden("proxy-status.txt").split("\n");
  expect(table[0]).toBe(recorded[0]);
  for (const line of table.slice(1)) expect(recorded).toContain(line);
  const verbose = statusTable([answer], { verbose: true });
  expect(verbose).toContain("IGNORED");
  expect(
    statusTable([answer], { namespace: "istio-system" })
      .split("\n")
      .slice(1)
      .every((line) => line === "" || /^\S+\.istio-system /.test(line)),
  ).toBeTrue();
  expect(await statusDocument([answer], "json", "nosuch")).not.toContain('"resources"');
  expect(verbose.split("\n")[0]).toMatch(/^NAME +CLUSTER +CDS +ECDS +EDS +LDS +RDS +/);
});

test("a YAML recording of another moment has the same shape", async () => {
  const answer = create(DiscoveryResponseSchema, {
    typeUrl: "istio.io/debug/syncz",
    nonce: "n",
    versionInfo: "v",
    controlPlane: { identifier: '{"ID":"istiod-1"}' },
  });
  expect(await statusDocument([answer], "yaml")).toBe(
    'controlPlane:\n  identifier: \'{"ID":"istiod-1"}\'\nnonce: "n"\ntypeUrl: istio.io/debug/syncz\nversionInfo: v\n\n',
  );
});

test("version: short text, and the recorded JSON", () => {
  const unknown = { version: "unknown", revision: "unknown", golang_version: "go1.26.8", status: "unknown", tag: "unknown" };
  const recorded = JSON.parse(golden("version.json")) as { dataPlaneVersion: MeshVersions["data"] };
  const mesh: MeshVersions = {
    control: [{ Component: "pilot", Revision: "default", Info: parseBuild("unknown-unknown-unknown") }],
    data: recorded.dataPlaneVersion,
  };
  expect(versionText(mesh, true, unknown)).toBe(golden("version.txt"));
  expect(printValue(versionValue(mesh, unknown), "json", "  ")).toBe(golden("version.json"));
  expect(versionText({ ...mesh, data: [] }, true, unknown)).toContain("data plane version: none\n");
  expect(parseBuild("1.30-alpha.1-abc-Clean")).toMatchObject({ version: "1.30-alpha.1", revision: "abc", status: "Clean", tag: "1.30-alpha.1" });
});
