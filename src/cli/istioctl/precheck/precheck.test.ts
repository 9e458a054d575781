import { expect, test } from "bun:test";
import type { GroupVersionResource, KubeClient } from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import type { KubeAccess } from "../kube-access.ts";
import { changesSince, clusterFindings } from "./run.ts";

interface Cluster {
  readonly minor?: string;
  /** Resources that may not be created. */
  readonly forbidden?: readonly string[];
  readonly objects?: Readonly<Record<string, readonly KubeObject[]>>;
}

/** Just what a precheck asks for. */
function access({ minor = "33", forbidden = [], objects = {} }: Cluster): KubeAccess {
  const transport = async (path: string, init: RequestInit = {}): Promise<Response> => {
    if (path === "/version") return Response.json({ gitVersion: `v1.${minor}.0`, minor });
    const { resource } = (JSON.parse(String(init.body)) as { spec: { resourceAttributes: { resource: string } } }).spec.resourceAttributes;
    return Response.json({ status: { allowed: !forbidden.includes(resource), reason: forbidden.includes(resource) ? "not for you" : "" } });
  };
  const items = (gvr: GroupVersionResource): readonly KubeObject[] => objects[gvr.resource] ?? [];
  const client = {
    transport,
    list: async (gvr: GroupVersionResource) => ({ items: items(gvr) }),
    find: async (gvr: GroupVersionResource, name: string) => items(gvr).find(({ metadata }) => metadata.name === name),
  };
  return {
    client: client as unknown as KubeClient,
    namespace: "default",
    istioNamespace: "istio-system",
    connect: () => Promise.reject(new Error("not here")),
    request: () => Promise.reject(new Error("not here")),
  };
}

const texts = async (cluster: Cluster, namespace?: string): Promise<string[]> =>
  (await clusterFindings(access(cluster), namespace)).map(({ code, message }) => `${code} ${message}`);

test("a cluster that can take the mesh has no findings", async () => {
  expect(await texts({})).toEqual([]);
});

test("an old cluster, missing rights, old definitions of the Gateway API", async () => {
  const definition = (kind: string, ...served: string[]): KubeObject => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "",
    metadata: { name: kind },
    spec: { group: "gateway.networking.k8s.io", names: { kind }, versions: served.map((name) => ({ name, served: true })) },
  });
  expect(
    await texts({
      minor: "25+",
      forbidden: ["configmaps"],
      objects: {
        customresourcedefinitions: [definition("Gateway", "v1alpha2"), definition("HTTPRoute", "v1", "v1beta1"), definition("GRPCRoute", "v1alpha2")],
      },
    }),
  ).toEqual([
    'IST0142 The Kubernetes Version "v1.25+.0" is lower than the minimum version: 1.32',
    "IST0141 Missing required permission to create resource configmaps (not for you)",
    "IST0156 The Gateway API CRD version v1alpha2 is lower than the minimum version: v1beta1",
    "IST0172 The Gateway API CRD version v1alpha2 is lower than the minimum version: v1",
    "IST0172 The Gateway API CRD version v1alpha2 is lower than the minimum version: v1",
  ]);
});

test("annotations that may change are told of the namespace that was asked about", async () => {
  const pod = (namespace: string): KubeObject => ({
    apiVersion: "v1",
    kind: "",
    metadata: { name: "p", namespace, annotations: { "sidecar.istio.io/agentLogLevel": "debug" } },
  });
  const cluster = { objects: { pods: [pod("a"), pod("b")] } };
  expect(await texts(cluster)).toHaveLength(2);
  expect(await texts(cluster, "a")).toHaveLength(1);
});

test("what changed since a version; versions that are none are refused", async () => {
  const zipkin = { objects: { services: [{ apiVersion: "v1", kind: "", metadata: { name: "zipkin", namespace: "istio-system" } }] } };
  expect((await changesSince(access(zipkin), "1.20")).map(({ code }) => code)).toEqual(["IST0169"]);
  expect(await changesSince(access(zipkin), "1.22")).toEqual([]);
  expect(await changesSince(access({}), "1.20")).toEqual([]);
  for (const [version, reason] of [
    ["2", "invalid version 2"],
    ["2.0", "expected major version 1"],
    ["1.x", "minor version is not a number: x"],
    ["1.2.3", "minor version is not a number: 2.3"],
  ] as const)
    expect(changesSince(access({}), version)).rejects.toThrow(reason);
});
