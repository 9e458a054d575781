import { expect, test } from "bun:test";
import type { Clock } from "../../../base/index.ts";
import type { KubeClient } from "../../../kube/index.ts";
import type { Deployment } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { deploymentReady, waitUntilReady } from "./wait.ts";

const deployment = (status: object, generation = 2): Deployment =>
  ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "istiod", namespace: "istio-system", generation },
    spec: { replicas: 1, selector: { matchLabels: { app: "istiod" } }, template: {} },
    status,
  }) as unknown as Deployment;
const READY = { observedGeneration: 2, updatedReplicas: 1, availableReplicas: 1 };

test("a deployment is ready when pods of its newest template are", () => {
  expect(deploymentReady(deployment(READY))).toBeTrue();
  expect(deploymentReady(deployment({ ...READY, observedGeneration: 1 }))).toBeFalse();
  expect(deploymentReady(deployment({ ...READY, updatedReplicas: 0 }))).toBeFalse();
  expect(deploymentReady(deployment({}))).toBeFalse();
});

/** Time that goes on as it is waited for. */
function jumpingClock(): Clock {
  let now = 0;
  const after = (ms: number, then: () => void): (() => void) => {
    now += ms;
    queueMicrotask(then);
    return () => {};
  };
  return { now: () => now, after } as Clock;
}

async function wait(found: () => KubeObject, pods: KubeObject[] = []): Promise<string[][]> {
  const seen: string[][] = [];
  const client = { find: async () => found(), list: async () => ({ items: pods }) } as unknown as KubeClient;
  await waitUntilReady([deployment({})], {
    client,
    clock: jumpingClock(),
    timeoutMs: 1000,
    timeoutText: "1s",
    waiting: (resources) => void seen.push(resources),
  });
  return seen;
}

test("waiting tells for what, and ends when it is there", async () => {
  let asked = 0;
  expect(await wait(() => deployment(++asked > 2 ? READY : {}))).toEqual([["Deployment/istio-system/istiod"], ["Deployment/istio-system/istiod"]]);
});

test("when the time is over, what holds the pod up is told", async () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    status: { containerStatuses: [{ name: "discovery", state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } } }] },
  } as unknown as KubeObject;
  const failure = wait(() => deployment({}), [pod]);
  expect(failure).rejects.toThrow(
    "resources not ready after 1s: context deadline exceeded\n  Deployment/istio-system/istiod (container failed to start: ImagePullBackOff: no such image)",
  );
  await failure.catch(() => undefined);
});
