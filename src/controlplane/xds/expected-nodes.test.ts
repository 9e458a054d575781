import { expect, test } from "bun:test";
import type { KubeObject } from "../../resources/index.ts";
import { snapshotOf } from "../registry/index.ts";
import { expectedNodes } from "./expected-nodes.ts";

test("a sidecar is expected as its container will describe it", () => {
  const env = [
    { name: "PROXY_CONFIG", value: '{"concurrency":1}\n' },
    { name: "ISTIO_META_CLUSTER_ID", value: "east" },
    { name: "ISTIO_META_DNS_CAPTURE", value: "true" },
    { name: "INSTANCE_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
  ];
  const [node] = expectedNodes(snapshotOf([pod("web", "shop", { initContainers: [{ name: "istio-proxy", args: ["proxy", "sidecar"], env }] })]), 5);
  expect(node).toMatchObject({
    type: "sidecar",
    podName: "web",
    namespace: "shop",
    clusterId: "east",
    dialect: "istio",
    addresses: ["10.0.0.1"],
    labels: { app: "web" },
  });
  expect(node?.metadata).toMatchObject({ PROXY_CONFIG: { concurrency: 1 }, DNS_CAPTURE: "true", CHAINMAIL_PROXY: "true", INTERCEPTION_MODE: "REDIRECT" });
});

test("a pod's proxy that is a plain Envoy is expected to say so", () => {
  const [node] = expectedNodes(
    snapshotOf([
      pod("web", "shop", {
        containers: [
          {
            name: "istio-proxy",
            env: [
              { name: "CHAINMAIL_PROXY", value: "envoy" },
              { name: "PROXY_CONFIG", value: "a: [yaml" },
            ],
          },
        ],
      }),
    ]),
    5,
  );
  expect(node?.dialect).toBe("envoy");
});

test("one of each namespace, and none of pods without a sidecar, of gateways, or beyond the limit", () => {
  const sidecar = { containers: [{ name: "istio-proxy" }] };
  const objects = [
    pod("job", "batch", { containers: [{ name: "job" }] }),
    pod("edge", "ingress", { containers: [{ name: "istio-proxy", args: ["proxy", "router"] }] }),
    ...["a", "b", "c"].flatMap((namespace) => [pod("one", namespace, sidecar), pod("two", namespace, sidecar)]),
  ];
  const named = (limit: number) => expectedNodes(snapshotOf(objects), limit).map(({ podName, namespace }) => `${namespace}/${podName}`);
  expect(named(9)).toEqual(["a/one", "b/one", "c/one"]);
  expect(named(2)).toEqual(["a/one", "b/one"]);
});

function pod(name: string, namespace: string, spec: object): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app: name } },
    spec,
    status: { podIP: "10.0.0.1", phase: "Running" },
  } as KubeObject;
}
