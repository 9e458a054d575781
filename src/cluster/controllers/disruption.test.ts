import { afterAll, beforeAll, test } from "bun:test";
import type { DisruptionBudget } from "./disruption.ts";
import { start, type Harness } from "./testing/harness.ts";

let world: Harness;
beforeAll(async () => {
  world = await start();
});
afterAll(() => world.stop());

const budget = (name: string, spec: object) => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name, namespace: "default" },
  spec: { selector: { matchLabels: { app: "web" } }, ...spec },
});
const numbers = (name: string) => {
  const status = (world.api.all("poddisruptionbudgets") as DisruptionBudget[]).find(({ metadata }) => metadata.name === name)?.status;
  return status && [status.expectedPods, status.currentHealthy, status.desiredHealthy, status.disruptionsAllowed, status.conditions?.[0]?.reason].join(" ");
};

test("a budget's status follows the pods that it counts", async () => {
  const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "x:1" }] } };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: { replicas: 3, selector: { matchLabels: { app: "web" } }, template },
  };
  await world.api.apply(
    budget("least", { minAvailable: 2 }),
    budget("half", { minAvailable: "50%" }),
    budget("one", { maxUnavailable: 1 }),
    budget("all", { maxUnavailable: 0 }),
    deployment,
  );
  const settled: Record<string, string> = {
    least: "3 3 2 1 SufficientPods",
    half: "3 3 2 1 SufficientPods",
    one: "3 3 2 1 SufficientPods",
    all: "3 3 3 0 InsufficientPods",
  };
  for (const [name, expected] of Object.entries(settled)) await world.until(`${name}: ${expected}`, () => numbers(name) === expected);
  await world.api.apply(budget("others", { minAvailable: 1, selector: { matchLabels: { app: "none" } } }));
  await world.until("a budget of no pods", () => numbers("others") === "0 0 1 0 InsufficientPods");
});
