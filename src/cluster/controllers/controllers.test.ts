import { afterEach, expect, test } from "bun:test";
import type { ConfigMap, Deployment, Endpoints, EndpointSlice, Event, KubeObject, Namespace, Pod, ReplicaSet, Service } from "../../resources/index.ts";
import { type Harness, start } from "./testing/harness.ts";

let harness: Harness | undefined;
afterEach(() => harness?.stop());

const deployment = (name: string, spec: Partial<NonNullable<Deployment["spec"]>> = {}, image = "x:1"): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default", annotations: { note: "kept" } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image, ports: [{ name: "web", containerPort: 8081 }] }] } },
    ...spec,
  },
});
const pods = (api: Harness["api"]) => api.all("pods") as Pod[];
const sets = (api: Harness["api"]) => api.all("replicasets") as ReplicaSet[];
const deploymentOf = (api: Harness["api"], name: string) => api.get("deployments", name, "default") as Deployment | undefined;
const condition = (object: Deployment | undefined, type: string) => object?.status?.conditions?.find((one) => one.type === type);

test("a deployment becomes pods on the node, with status, revision, events", async () => {
  harness = await start();
  const { api, until } = harness;
  await api.apply(deployment("web"));
  const done = await until("rollout", () => {
    const now = deploymentOf(api, "web");
    return condition(now, "Progressing")?.reason === "NewReplicaSetAvailable" && now?.status?.availableReplicas === 2 && now;
  });
  expect(done.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("1");
  expect(done.status).toMatchObject({ observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 });
  expect(condition(done, "Available")).toMatchObject({ status: "True", reason: "MinimumReplicasAvailable", message: "Deployment has minimum availability." });
  const [set] = sets(api);
  expect(set?.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
  expect(condition(done, "Progressing")?.message).toBe(`ReplicaSet "${set?.metadata.name}" has successfully progressed.`);
  expect(set?.metadata.annotations).toEqual({
    note: "kept",
    "deployment.kubernetes.io/revision": "1",
    "deployment.kubernetes.io/desired-replicas": "2",
    "deployment.kubernetes.io/max-replicas": "3",
  });
  for (const pod of pods(api)) {
    expect(pod.metadata.name).toStartWith(`${set?.metadata.name}-`);
    expect(pod.metadata.labels?.["pod-template-hash"]).toBe(set?.metadata.labels?.["pod-template-hash"] ?? "?");
    expect(pod.metadata.ownerReferences?.[0]).toMatchObject({ kind: "ReplicaSet", name: set?.metadata.name, controller: true, blockOwnerDeletion: true });
    expect(pod.spec?.nodeName).toBe("node-1");
  }
  expect(pods(api).length).toBe(2);
  const reasons = await until("events", () => {
    const found = (api.all("events") as Event[]).map((event) => event.reason);
    return found.filter((reason) => reason === "Scheduled").length === 2 && found.sort();
  });
  expect(reasons).toEqual(["ScalingReplicaSet", "Scheduled", "Scheduled", "SuccessfulCreate", "SuccessfulCreate"]);
});

test("a new template rolls without falling below what must be available; undo brings the old set back", async () => {
  harness = await start();
  const { api, until } = harness;
  await api.apply(deployment("web", { replicas: 4 }));
  await until("first rollout", () => deploymentOf(api, "web")?.status?.availableReplicas === 4);
  let fewest = 4;
  let most = 4;
  const watch = setInterval(() => {
    const active = pods(api).filter((pod) => !pod.metadata.deletionTimestamp);
    fewest = Math.min(fewest, active.filter((pod) => pod.status?.conditions?.[0]?.status === "True").length);
    most = Math.max(most, active.length);
  }, 1);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", { spec: { template: { metadata: { annotations: { restartedAt: "now" } } } } });
  const rolled = (revision: string) => () => {
    const now = deploymentOf(api, "web");
    return (
      now?.metadata.annotations?.["deployment.kubernetes.io/revision"] === revision &&
      now.status?.updatedReplicas === 4 &&
      now.status.replicas === 4 &&
      now.status.availableReplicas === 4 &&
      now.status.observedGeneration === now.metadata.generation
    );
  };
  await until("second rollout", rolled("2"));
  clearInterval(watch);
  expect(fewest).toBeGreaterThanOrEqual(3);
  expect(most).toBeLessThanOrEqual(5);
  expect(
    sets(api)
      .map((set) => set.spec?.replicas)
      .sort(),
  ).toEqual([0, 4]);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", { spec: { template: { metadata: { annotations: null } } } });
  await until("undo", rolled("3"));
  expect(sets(api).length).toBe(2);
  expect(sets(api).find((set) => set.spec?.replicas === 4)?.metadata.annotations).toMatchObject({
    "deployment.kubernetes.io/revision": "3",
    "deployment.kubernetes.io/revision-history": "1",
  });
});

test("scaling up and down, and a deleted pod comes back", async () => {
  harness = await start();
  const { api, until } = harness;
  await api.apply(deployment("web", { replicas: 1 }));
  await until("up", () => deploymentOf(api, "web")?.status?.availableReplicas === 1);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", { spec: { replicas: 3 } });
  await until("three", () => deploymentOf(api, "web")?.status?.availableReplicas === 3);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", { spec: { replicas: 1 } });
  const [survivor] = await until("one", () => pods(api).length === 1 && deploymentOf(api, "web")?.status?.replicas === 1 && pods(api));
  await api.send("DELETE", `/api/v1/namespaces/default/pods/${survivor?.metadata.name}`);
  await until(
    "another",
    () => pods(api).length === 1 && pods(api)[0]?.metadata.uid !== survivor?.metadata.uid && deploymentOf(api, "web")?.status?.availableReplicas === 1,
  );
});

test("recreate starts nothing new before the old pods are gone", async () => {
  harness = await start();
  const { api, until } = harness;
  await api.apply(deployment("web", { strategy: { type: "Recreate" } }));
  await until("up", () => deploymentOf(api, "web")?.status?.availableReplicas === 2);
  const old = new Set(pods(api).map((pod) => pod.metadata.uid));
  let mixed = false;
  const watch = setInterval(() => {
    const uids = pods(api).map((pod) => pod.metadata.uid);
    if (uids.some((uid) => old.has(uid)) && uids.some((uid) => !old.has(uid))) mixed = true;
  }, 1);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", { spec: { template: { spec: { containers: [{ name: "c", image: "x:2" }] } } } });
  await until("new pods", () => deploymentOf(api, "web")?.status?.updatedReplicas === 2 && pods(api).every((pod) => !old.has(pod.metadata.uid)));
  clearInterval(watch);
  expect(mixed).toBe(false);
});

test("pods that cannot be created show in events and conditions, and are tried again", async () => {
  harness = await start();
  const { api, until } = harness;
  let refuse = true;
  api.intercept = (method, resource) =>
    refuse && method === "POST" && resource === "pods"
      ? Response.json({ kind: "Status", code: 403, reason: "Forbidden", message: "no account" }, { status: 403 })
      : undefined;
  await api.apply(deployment("web", { replicas: 1 }));
  await until("failure in the status", () => condition(deploymentOf(api, "web"), "ReplicaFailure")?.message === "no account");
  expect((api.all("events") as Event[]).some((event) => event.reason === "FailedCreate" && event.message === "Error creating: no account")).toBe(true);
  refuse = false;
  await until("recovery", () => deploymentOf(api, "web")?.status?.availableReplicas === 1 && !condition(deploymentOf(api, "web"), "ReplicaFailure"));
});

test("a pod that no node takes says why, and is placed when one does", async () => {
  harness = await start();
  const { api, until } = harness;
  await api.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default" },
    spec: { nodeSelector: { disk: "ssd" }, containers: [{ name: "c", image: "x:1" }] },
  } as KubeObject);
  const pending = await until("refusal", () => {
    const pod = api.get("pods", "p", "default") as Pod;
    return pod.status?.conditions?.find((one) => one.type === "PodScheduled");
  });
  expect(pending).toMatchObject({
    status: "False",
    reason: "Unschedulable",
    message:
      "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
  });
  await api.send("PATCH", "/api/v1/nodes/node-1", { metadata: { labels: { disk: "ssd" } } });
  await until("placed", () => (api.get("pods", "p", "default") as Pod).spec?.nodeName === "node-1");
});

test("services: slices with named ports, endpoints, load balancers, the API itself", async () => {
  harness = await start({ ready: (pod) => pod.metadata.labels?.["app"] !== "slow" });
  const { api, until } = harness;
  await api.apply(
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "default", labels: { team: "a" } },
      spec: { selector: { app: "web" }, type: "LoadBalancer", ports: [{ name: "http", port: 8080, targetPort: "web", appProtocol: "http" }] },
    } as KubeObject,
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "slow", namespace: "default" },
      spec: { selector: { app: "slow" }, clusterIP: "None", ports: [{ port: 80 }] },
    } as KubeObject,
    deployment("web", { replicas: 2 }),
    deployment("slow", { replicas: 1 }),
  );
  const slicesOf = (name: string) =>
    (api.all("endpointslices") as EndpointSlice[]).filter((slice) => slice.metadata.labels?.["kubernetes.io/service-name"] === name);
  const slice = await until("two ready endpoints", () =>
    slicesOf("web").find((one) => one.endpoints.filter((endpoint) => endpoint.conditions?.ready).length === 2),
  );
  expect(slicesOf("web").length).toBe(1);
  expect(slice).toMatchObject({
    addressType: "IPv4",
    ports: [{ name: "http", port: 8081, protocol: "TCP", appProtocol: "http" }],
    metadata: { labels: { team: "a", "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" } },
  });
  expect(slice.endpoints[0]).toMatchObject({
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: "node-1",
    targetRef: { kind: "Pod", namespace: "default" },
  });
  const slow = await until("an endpoint that is not ready", () => slicesOf("slow").find((one) => one.endpoints.length === 1));
  expect(slow.endpoints[0]?.conditions).toEqual({ ready: false, serving: false, terminating: false });
  expect(slow.metadata.labels?.["service.kubernetes.io/headless"]).toBe("");
  const classic = await until("classic endpoints", () => {
    const found = api.get("endpoints", "web", "default") as Endpoints | undefined;
    return found?.subsets?.[0]?.addresses?.length === 2 && found;
  });
  expect(classic.subsets?.[0]?.ports).toEqual([{ name: "http", port: 8081, protocol: "TCP", appProtocol: "http" }]);
  await until("load balancer", () => (api.get("services", "web", "default") as Service).status?.loadBalancer?.ingress?.[0]?.ip === "127.0.0.1");
  expect((api.get("services", "kubernetes", "default") as Service).spec?.clusterIP).toBe("10.96.0.1");
  expect(slicesOf("kubernetes").length).toBe(1);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", { spec: { replicas: 0 } });
  await until("an empty slice", () => slicesOf("web").every((one) => one.endpoints.length === 0) && slicesOf("web").length === 1);
});

test("each namespace has its service account and the API's CA, again when they are deleted", async () => {
  harness = await start();
  const { api, until, namespace } = harness;
  await namespace("lab");
  await until(
    "content",
    () =>
      api.get("serviceaccounts", "default", "lab") && (api.get("configmaps", "kube-root-ca.crt", "lab") as ConfigMap | undefined)?.data?.["ca.crt"] === "CA",
  );
  await api.send("DELETE", "/api/v1/namespaces/lab/serviceaccounts/default");
  await until("again", () => api.get("serviceaccounts", "default", "lab"));
  await api.send("PATCH", "/api/v1/namespaces/lab/configmaps/kube-root-ca.crt", { data: { "ca.crt": "forged" } });
  await until("put right", () => (api.get("configmaps", "kube-root-ca.crt", "lab") as ConfigMap).data?.["ca.crt"] === "CA");
});

test("a deleted namespace goes with all that is in it", async () => {
  harness = await start();
  const { api, until, namespace } = harness;
  await namespace("lab");
  const app = deployment("web");
  app.metadata.namespace = "lab";
  await api.apply(app, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "held", namespace: "lab", finalizers: ["example.com/hold"] } } as KubeObject);
  await until("pods", () => api.all("pods", "lab").length === 2);
  await api.send("DELETE", "/api/v1/namespaces/lab", {});
  await until("what holds it up", () =>
    (api.get("namespaces", "lab") as Namespace | undefined)?.status?.conditions?.some(
      (one) => one.type === "NamespaceFinalizersRemaining" && one.message?.includes("example.com/hold"),
    ),
  );
  await api.send("PATCH", "/api/v1/namespaces/lab/configmaps/held", { metadata: { finalizers: null } });
  await until("the end", () => api.get("namespaces", "lab") === undefined);
  expect(["pods", "deployments", "replicasets", "serviceaccounts", "configmaps"].flatMap((plural) => api.all(plural, "lab"))).toEqual([]);
});

test("garbage collection: background, foreground, orphan", async () => {
  harness = await start();
  const { api, until } = harness;
  await api.apply(deployment("a", { replicas: 1 }), deployment("b", { replicas: 1 }), deployment("c", { replicas: 1 }));
  await until("pods", () => pods(api).length === 3 && pods(api).every((pod) => pod.spec?.nodeName));
  const path = (name: string) => `/apis/apps/v1/namespaces/default/deployments/${name}`;
  const named = (name: string) => ({
    sets: sets(api).filter((set) => set.metadata.name.startsWith(`${name}-`)),
    pods: pods(api).filter((pod) => pod.metadata.name.startsWith(`${name}-`)),
  });
  await api.send("DELETE", path("a"), { propagationPolicy: "Background" });
  await until("all of a gone", () => named("a").sets.length + named("a").pods.length === 0);
  await api.send("DELETE", path("b"), { propagationPolicy: "Foreground" });
  await until("all of b gone", () => !deploymentOf(api, "b") && named("b").sets.length + named("b").pods.length === 0);
  await api.send("DELETE", path("c"), { propagationPolicy: "Orphan" });
  await until("c gone alone", () => !deploymentOf(api, "c") && named("c").sets.length === 1 && named("c").sets[0]?.metadata.ownerReferences === undefined);
  expect(named("c").pods.length).toBe(1);
});
