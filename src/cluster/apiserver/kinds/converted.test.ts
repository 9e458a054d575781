import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
});
afterAll(() => api.close());

const EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events";
const V1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
const V2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";

test("an event of the newer group is a core event too, in lists, selectors and watches", async () => {
  const body = {
    metadata: { name: "e" },
    eventTime: "2026-01-01T00:00:00.000000Z",
    regarding: { kind: "Pod", name: "p", namespace: "default" },
    note: "hello",
    reason: "R",
    type: "Normal",
    reportingController: "c",
    reportingInstance: "i",
    action: "A",
  };
  const created = await api.call("POST", EVENTS, { body });
  expect([created.status, created.body]).toEqual([201, expect.objectContaining({ apiVersion: "events.k8s.io/v1", note: "hello", regarding: body.regarding })]);
  expect((await api.call("GET", "/api/v1/namespaces/default/events/e")).body).toMatchObject({
    apiVersion: "v1",
    message: "hello",
    involvedObject: body.regarding,
    reportingComponent: "c",
  });
  expect((await api.call("GET", `${EVENTS}?fieldSelector=regarding.name%3Dp`)).body).toMatchObject({
    kind: "EventList",
    apiVersion: "events.k8s.io/v1",
    items: [{ note: "hello" }],
  });
  expect((await api.call("GET", `${EVENTS}?fieldSelector=regarding.name%3Dq`)).body.items).toEqual([]);
  expect((await api.call("GET", `${EVENTS}?watch=true&timeoutSeconds=1`)).body).toMatchObject({
    type: "ADDED",
    object: { apiVersion: "events.k8s.io/v1", note: "hello" },
  });
  // The registry behind both groups is the core group's, and so are its refusals.
  expect((await api.call("GET", `${EVENTS}/none`)).body.message).toBe('events "none" not found');
  const patched = await api.call("PATCH", `${EVENTS}/e`, { body: { note: "again", deprecatedCount: 2 }, type: "application/merge-patch+json" });
  expect(patched.body).toMatchObject({ note: "again", deprecatedCount: 2 });
  expect((await api.call("GET", "/api/v1/namespaces/default/events/e")).body).toMatchObject({ message: "again", count: 2 });
});

test("an autoscaler made in v1 is stored in v2; strict decoding knows v1's fields", async () => {
  const scaleTargetRef = { kind: "Deployment", name: "d", apiVersion: "apps/v1" };
  const created = await api.call("POST", V1, {
    body: { metadata: { name: "h" }, spec: { scaleTargetRef, maxReplicas: 4, targetCPUUtilizationPercentage: 60 } },
  });
  expect(created.body).toMatchObject({ apiVersion: "autoscaling/v1", spec: { minReplicas: 1, targetCPUUtilizationPercentage: 60 } });
  const metrics = [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 60 } } }];
  expect((await api.call("GET", `${V2}/h`)).body).toMatchObject({ apiVersion: "autoscaling/v2", spec: { maxReplicas: 4, metrics } });
  const applied = await api.call("PATCH", `${V1}/h?fieldManager=m&force=true`, {
    body: {
      apiVersion: "autoscaling/v1",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "h" },
      spec: { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 70 },
    },
    type: "application/apply-patch+yaml",
  });
  expect([applied.status, applied.body.spec]).toEqual([200, { minReplicas: 1, maxReplicas: 5, scaleTargetRef, targetCPUUtilizationPercentage: 70 }]);
  const wrong = await api.call("PATCH", `${V1}/h?fieldValidation=Strict`, { body: { spec: { metrics: [] } }, type: "application/merge-patch+json" });
  expect([wrong.status, wrong.body.message]).toEqual([422, expect.stringContaining('unknown field "spec.metrics"')]);
});
