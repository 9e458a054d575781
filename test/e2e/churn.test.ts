import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ClusterTraces, clusterTraces } from "./cluster-traces.ts";
import { HAS_CLUSTER, ROOT, eventually, must } from "./shell.ts";

const NAMESPACE = "churn-e2e";
const PODS = 10;
const ROUNDS = 3;

const small = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "small", namespace: NAMESPACE },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: "small" } },
    template: {
      metadata: { labels: { app: "small" } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          { name: "main", image: "curlimages/curl", command: ["sleep", "100000"], readinessProbe: { exec: { command: ["true"] }, periodSeconds: 1 } },
        ],
      },
    },
  },
};

async function traces(): Promise<ClusterTraces> {
  return clusterTraces(await must(`${ROOT}/bin/chainmail status`));
}

/** Nothing of other tests may be on its way out: it would hide what stays. */
async function noneTerminating(): Promise<void> {
  const names = await must(`kubectl get pods -A -o jsonpath='{range .items[?(@.metadata.deletionTimestamp)]}{.metadata.name} {end}'`);
  if (names !== "") throw new Error(`still there: ${names}`);
}

describe.if(HAS_CLUSTER)("pods that come and go", () => {
  beforeAll(async () => {
    await must(`kubectl create namespace ${NAMESPACE} && kubectl apply -f -`, { input: JSON.stringify(small) });
  });
  afterAll(async () => {
    await must(`kubectl delete namespace ${NAMESPACE}`);
  }, 40_000);

  test("leave no process, namespace, descriptor, mount, interface or folder", async () => {
    await eventually(noneTerminating, 60_000);
    const before = await traces();
    for (let round = 0; round < ROUNDS; round++) {
      await must(`kubectl scale -n ${NAMESPACE} deploy/small --replicas=${PODS} && kubectl rollout status -n ${NAMESPACE} deploy/small --timeout=60s`);
      const during = await traces();
      expect(during.interfaces).toBeGreaterThanOrEqual(before.interfaces + PODS);
      expect(during.namespaces).toBeGreaterThanOrEqual(before.namespaces + PODS);
      expect(during.processes).toBeGreaterThanOrEqual(before.processes + PODS);
      await must(`kubectl scale -n ${NAMESPACE} deploy/small --replicas=0 && kubectl wait -n ${NAMESPACE} --for=delete pod -l app=small --timeout=60s`);
    }
    await eventually(async () => {
      const after = await traces();
      for (const [kind, count] of Object.entries(before))
        expect(`${kind} left: ${Math.max(0, after[kind as keyof ClusterTraces] - count)}`).toBe(`${kind} left: 0`);
    }, 30_000);
  }, 300_000);
});
