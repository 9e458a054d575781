import { expect, test } from "bun:test";
import { autoscalerConversion } from "./autoscalers.ts";
import { eventConversion } from "./events.ts";

test("events: the names of both groups", () => {
  const core = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "e" },
    involvedObject: { kind: "Pod", name: "p" },
    message: "m",
    reportingComponent: "c",
    count: 2,
    source: { component: "s" },
    reason: "R",
  };
  const seen = eventConversion.fromStorage(core);
  expect(seen).toEqual({
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: "e" },
    regarding: { kind: "Pod", name: "p" },
    note: "m",
    reportingController: "c",
    deprecatedCount: 2,
    deprecatedSource: { component: "s" },
    reason: "R",
  });
  expect(eventConversion.toStorage(seen)).toEqual(core);
});

test("autoscalers: the CPU target is a field of v1, the rest is in annotations and comes back", () => {
  const metrics = [
    { type: "Pods", pods: { metric: { name: "packets" }, target: { type: "AverageValue", averageValue: "1k" } } },
    { type: "Object", object: { describedObject: { kind: "Ingress", name: "i" }, metric: { name: "rps" }, target: { type: "Value", value: "2k" } } },
    { type: "External", external: { metric: { name: "queue", selector: { matchLabels: { q: "a" } } }, target: { type: "AverageValue", averageValue: "30" } } },
    { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
  ];
  const v2 = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "h" },
    spec: { maxReplicas: 3, scaleTargetRef: { kind: "Deployment", name: "d" }, metrics, behavior: { scaleDown: { stabilizationWindowSeconds: 5 } } },
  };
  const v1 = autoscalerConversion.fromStorage(v2);
  expect(v1.spec).toEqual({ maxReplicas: 3, scaleTargetRef: { kind: "Deployment", name: "d" }, targetCPUUtilizationPercentage: 50 });
  expect(JSON.parse(v1.metadata.annotations?.["autoscaling.alpha.kubernetes.io/metrics"] ?? "")).toEqual([
    { type: "Pods", pods: { metricName: "packets", targetAverageValue: "1k" } },
    { type: "Object", object: { target: { kind: "Ingress", name: "i" }, metricName: "rps", targetValue: "2k" } },
    { type: "External", external: { metricName: "queue", metricSelector: { matchLabels: { q: "a" } }, targetAverageValue: "30" } },
  ]);
  expect(autoscalerConversion.toStorage(v1)).toEqual(v2);
});
