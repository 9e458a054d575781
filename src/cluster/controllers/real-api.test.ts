import { expect, test } from "bun:test";
import { createLogger, systemClock } from "../../base/index.ts";
import { createClient } from "../../kube/index.ts";
import type { Deployment, EndpointSlice, KubeObject, Service } from "../../resources/index.ts";
import { startTestServer } from "../apiserver/testing.ts";
import { startControllers } from "./index.ts";
import { NODE, startFakeNode } from "./testing/fake-node.ts";

test("on the cluster's own API server: an app comes up, is rolled, and goes with its namespace", async () => {
  const api = await startTestServer();
  const client = createClient(api.server.transport("controllers"));
  const controllers = startControllers({
    client,
    clock: systemClock,
    log: createLogger("test", { level: "none" }),
    loopbackAddress: "127.0.0.1",
    caPem: "CA",
    random: Math.random,
  });
  const node = startFakeNode(client);
  const get = async <T extends KubeObject>(path: string) => (await api.call("GET", path)).body as unknown as T;
  const post = async (path: string, body: unknown) => expect((await api.call("POST", path, { body })).status).toBe(201);
  const until = async <T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> => {
    for (const end = Date.now() + 4000; Date.now() < end; await Bun.sleep(5)) {
      const found = await look();
      if (found) return found;
    }
    throw new Error(`never happened: ${what}`);
  };
  try {
    await post("/api/v1/nodes", NODE);
    await post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "lab" } });
    const template = {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "c", image: "x:1", ports: [{ containerPort: 8081, name: "web" }] }] },
    };
    await post("/apis/apps/v1/namespaces/lab/deployments", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template },
    });
    await post("/api/v1/namespaces/lab/services", {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { type: "LoadBalancer", selector: { app: "web" }, ports: [{ port: 80, targetPort: "web" }] },
    });
    const deployment = () => get<Deployment>("/apis/apps/v1/namespaces/lab/deployments/web");
    await until("available", async () => (await deployment()).status?.availableReplicas === 2);
    const slices = async () => (await get<KubeObject & { items: EndpointSlice[] }>("/apis/discovery.k8s.io/v1/namespaces/lab/endpointslices")).items;
    await until("endpoints", async () =>
      (await slices()).some((slice) => slice.endpoints.filter((endpoint) => endpoint.conditions?.ready).length === 2 && slice.ports?.[0]?.port === 8081),
    );
    await until("address", async () => (await get<Service>("/api/v1/namespaces/lab/services/web")).status?.loadBalancer?.ingress?.[0]?.ip === "127.0.0.1");
    const patch = { spec: { template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": "now" } } } } };
    await api.call("PATCH", "/apis/apps/v1/namespaces/lab/deployments/web", { body: patch, type: "application/strategic-merge-patch+json" });
    await until("rolled", async () => {
      const { metadata, status } = await deployment();
      return (
        metadata.annotations?.["deployment.kubernetes.io/revision"] === "2" &&
        status?.updatedReplicas === 2 &&
        status.replicas === 2 &&
        status.observedGeneration === metadata.generation
      );
    });
    expect((await api.call("DELETE", "/api/v1/namespaces/lab")).status).toBe(200);
    await until("namespace gone", async () => (await api.call("GET", "/api/v1/namespaces/lab")).status === 404);
  } finally {
    controllers.stop();
    node.stop();
    await api.close();
  }
}, 20_000);
