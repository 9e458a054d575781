import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { WorkloadSchema } from "../../proto/gen/istio/workload/workload_pb.ts";
import type { Pod } from "../../resources/index.ts";
import { snapshotOf } from "../registry/snapshot.ts";
import { changesWorkloads, workloadResources } from "./workload-names.ts";

const pod = (name: string, podIP: string, more: { hostNetwork?: boolean; phase?: "Running" | "Succeeded"; labels?: Record<string, string> } = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    namespace: "a",
    generateName: "web-5d4f-",
    labels: { "pod-template-hash": "5d4f", "service.istio.io/canonical-name": "web", "service.istio.io/canonical-revision": "v1", ...more.labels },
    ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-5d4f", uid: "u", controller: true }],
  },
  spec: { containers: [], serviceAccountName: "web", nodeName: "n1", ...(more.hostNetwork && { hostNetwork: true }) },
  status: { phase: more.phase ?? "Running", podIP },
});

test("a name is answered with the workload of the pod at that address", () => {
  const snapshot = snapshotOf([pod("web-5d4f-x", "10.0.0.1")]);
  const [only, ...rest] = workloadResources(snapshot, ["/10.0.0.1", "/10.0.0.2"]);
  expect(rest).toEqual([]);
  expect(only?.name).toBe("/10.0.0.1");
  expect(fromBinary(WorkloadSchema, only?.value ?? new Uint8Array(0))).toMatchObject({
    uid: "Kubernetes//Pod/a/web-5d4f-x",
    name: "web-5d4f-x",
    namespace: "a",
    addresses: [Uint8Array.of(10, 0, 0, 1)],
    serviceAccount: "web",
    node: "n1",
    canonicalName: "web",
    canonicalRevision: "v1",
    workloadName: "web",
    clusterId: "Kubernetes",
  });
});

test("addresses that several pods share, or that a finished pod had, are nobody's", () => {
  const snapshot = snapshotOf([pod("one", "10.0.0.1", { hostNetwork: true }), pod("two", "10.0.0.2", { phase: "Succeeded" })]);
  expect(workloadResources(snapshot, ["/10.0.0.1", "/10.0.0.2", "nonsense", ""])).toEqual([]);
});

test("the version follows the content", () => {
  const version = (labels: Record<string, string>): string | undefined =>
    workloadResources(snapshotOf([pod("x", "10.0.0.1", { labels })]), ["/10.0.0.1"])[0]?.version;
  expect(version({})).toBe(version({ other: "label" }) ?? "");
  expect(version({})).not.toBe(version({ "service.istio.io/canonical-name": "shop" }) ?? "");
  const change = { kinds: new Set(["Pod"] as const), keys: new Set<string>(), endpoints: new Set<string>(), identities: new Set<string>() };
  expect(changesWorkloads(change)).toBe(true);
  expect(changesWorkloads({ ...change, kinds: new Set(["Service"] as const) })).toBe(false);
});
