import { afterAll, expect, test } from "bun:test";
import { createLogger, FakeClock } from "../base/index.ts";
import type { Deployment, KubeObject } from "../resources/index.ts";
import { meshManifests } from "./install/index.ts";
import { startIstiod, type Istiod } from "./istiod.ts";
import { FakeApi } from "./testing/fake-api.ts";
import { FakeMesh } from "./testing/fake-mesh.ts";

const ROOT = "/api/v1/namespaces/istio-system/configmaps/istio-ca-root-cert";
const api = new FakeApi();
const mesh = new FakeMesh();
const clock = new FakeClock(Date.parse("2026-11-24T06:00:00Z"));
const running: Istiod[] = [];
afterAll(() => Promise.all(running.map((istiod) => istiod.stop(0))));

async function start(podName: string): Promise<Istiod> {
  const istiod = await startIstiod({
    client: api.client,
    registry: mesh.registry,
    generator: mesh.generator,
    validate: () => ({ error: undefined, warnings: [] }),
    namespace: "istio-system",
    revision: "default",
    podName,
    clusterId: "Kubernetes",
    clock,
    log: createLogger("test", { level: "none" }),
    hostname: "127.0.0.1",
    ports: { plaintext: 0, secure: 0, webhook: 0, monitoring: 0, readiness: 0 },
  });
  running.push(istiod);
  return istiod;
}

async function eventually(holds: () => boolean): Promise<boolean> {
  for (let i = 0; i < 200 && !holds(); i++) await Bun.sleep(2);
  return holds();
}

test("of two istiods one writes; both serve; the other goes on when it ends", async () => {
  const deployment = meshManifests().find((object) => object.kind === "Deployment" && object.metadata.name === "istiod") as Deployment;
  const two: KubeObject = { ...deployment, spec: { ...deployment.spec, replicas: 2 } } as KubeObject;
  api.put("/apis/apps/v1/namespaces/istio-system/deployments", two);
  mesh.objects.set("Deployment/istio-system/istiod", two);
  for (const object of meshManifests()) if (object.kind === "Namespace") api.put("/api/v1/namespaces", object);
  api.review("tokenreviews", (review) => ({ ...review, status: { authenticated: false } }));
  const first = await start("istiod-1");
  const second = await start("istiod-2");
  expect([first.leads(), second.leads()]).toEqual([true, false]);
  for (const { ports } of [first, second]) expect((await fetch(`http://127.0.0.1:${ports.readiness}/ready`)).status).toBe(200);

  const root = api.at(ROOT) as KubeObject & { data: Record<string, string> };
  const writes = (): number => api.requests.filter((request) => request === `PATCH ${ROOT}`).length;
  api.put(ROOT.slice(0, ROOT.lastIndexOf("/")), { ...root, data: {} } as KubeObject);
  expect(await eventually(() => writes() > 0)).toBe(true);
  await Bun.sleep(10);
  expect(writes()).toBe(1);

  await first.stop(0);
  clock.advance(5_000);
  expect(await eventually(() => second.leads())).toBe(true);
  api.put(ROOT.slice(0, ROOT.lastIndexOf("/")), { ...root, data: {} } as KubeObject);
  expect(await eventually(() => (api.at(ROOT) as typeof root).data["root-cert.pem"] === root.data["root-cert.pem"])).toBe(true);
});
