import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { CONFIG_MAPS, LEASES, NODES, PODS } from "../../kube/index.ts";
import type { ConfigMap, Node } from "../../resources/index.ts";
import { NodeHarness } from "./testing/harness.ts";
import { httpPeer } from "./testing/fake-runtime.ts";

let node: NodeHarness;
beforeEach(async () => {
  node = await new NodeHarness().start();
});
afterEach(() => node.stop());

test("the node registers itself, is Ready and renews its lease", async () => {
  const object = await node.api.get<Node>(NODES, "chainmail");
  expect(object.status?.conditions?.find((c) => c.type === "Ready")).toMatchObject({ status: "True", reason: "KubeletReady" });
  expect(object.status?.nodeInfo?.["kubeletVersion"]).toBe("v1.33.1");
  expect(object.status?.addresses).toEqual([
    { type: "InternalIP", address: "192.0.2.1" },
    { type: "Hostname", address: "chainmail" },
  ]);
  await node.settle();
  const before = await node.api.get<{ apiVersion: string; kind: string; metadata: { name: string }; spec: { renewTime: string } }>(
    LEASES,
    "chainmail",
    "kube-node-lease",
  );
  await node.advance(10_000);
  const after = await node.api.get<typeof before>(LEASES, "chainmail", "kube-node-lease");
  expect(Date.parse(after.spec.renewTime) - Date.parse(before.spec.renewTime)).toBe(10_000);
});

test("a pod runs, and its status is what a kubelet writes", async () => {
  await node.createPod({});
  const { status } = await node.pod();
  expect(status).toMatchObject({
    phase: "Running",
    hostIP: "192.0.2.1",
    hostIPs: [{ ip: "192.0.2.1" }],
    podIP: "10.244.0.2",
    podIPs: [{ ip: "10.244.0.2" }],
    startTime: "2026-11-24T08:00:00Z",
    qosClass: "BestEffort",
  });
  expect(status?.conditions?.map((c) => `${c.type}=${c.status}`)).toEqual([
    "PodReadyToStartContainers=True",
    "Initialized=True",
    "Ready=True",
    "ContainersReady=True",
    "PodScheduled=True",
  ]);
  expect(status?.containerStatuses).toEqual([
    {
      name: "app",
      state: { running: { startedAt: "2026-11-24T08:00:00Z" } },
      lastState: {},
      ready: true,
      restartCount: 0,
      image: "app",
      imageID: expect.stringMatching(/^app@sha256:[0-9a-f]{64}$/),
      containerID: expect.stringMatching(/^chainmail:\/\/[0-9a-f]{64}$/),
      started: true,
    },
  ]);
  expect(await node.events()).toEqual([
    'Pulled: Container image "app" already present on machine',
    "Created: Created container: app",
    "Started: Started container app",
  ]);
  const { spec } = node.runtime.container("app");
  expect(spec).toMatchObject({ argv: ["/bin/program", "default"], workingDir: "/work", uid: 0, capabilities: "none", readOnlyRoot: false });
  expect(spec.env).toMatchObject({ FROM_IMAGE: "1", HOSTNAME: "web", KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" });
});

test("what a pod's running containers use is told by container; of pods elsewhere nothing is known", async () => {
  await node.createPod({
    containers: [
      { name: "app", image: "app" },
      { name: "side", image: "app" },
    ],
  });
  node.runtime.container("side").exit(0);
  await node.settle();
  node.runtime.container("side").exit(0);
  await node.settle();
  const usage = await node.agent.usage("default", "web");
  expect(usage).toEqual([{ container: "app", startedAt: Date.parse("2026-11-24T08:00:00Z"), cpuSeconds: 0, memoryBytes: 0 }]);
  expect(await node.agent.usage("default", "other")).toBeUndefined();
});

test("init containers run one after the other before the app", async () => {
  await node.createPod({
    initContainers: [
      { name: "one", image: "app" },
      { name: "two", image: "app" },
    ],
  });
  let pod = await node.pod();
  expect(pod.status?.phase).toBe("Pending");
  expect(node.condition(pod, "Initialized")).toBe("False ContainersNotInitialized");
  expect(pod.status?.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: "PodInitializing" } });
  expect(node.runtime.calls.filter((c) => c.startsWith("start"))).toEqual(["start one"]);
  node.runtime.container("one").exit(0);
  await node.settle();
  node.runtime.container("two").exit(0);
  await node.settle();
  pod = await node.pod();
  expect(node.runtime.calls.filter((c) => c.startsWith("start"))).toEqual(["start one", "start two", "start app"]);
  expect(pod.status?.phase).toBe("Running");
  expect(pod.status?.initContainerStatuses?.map((s) => [s.ready, s.started, s.state?.terminated?.reason])).toEqual([
    [true, false, "Completed"],
    [true, false, "Completed"],
  ]);
});

test("an init container that fails is tried again with back-off and no app container starts", async () => {
  await node.createPod({ initContainers: [{ name: "setup", image: "app" }] });
  node.runtime.container("setup").exit(1);
  await node.settle();
  // The first restart is immediate.
  expect(node.runtime.calls.filter((c) => c === "start setup")).toHaveLength(2);
  node.runtime.container("setup").exit(1);
  await node.settle();
  const pod = await node.pod();
  expect(pod.status?.initContainerStatuses?.[0]?.state?.waiting?.reason).toBe("CrashLoopBackOff");
  expect(node.runtime.calls).not.toContain("start app");
});

test("an init container that fails ends a pod that is never restarted", async () => {
  await node.createPod({ restartPolicy: "Never", initContainers: [{ name: "setup", image: "app" }] });
  node.runtime.container("setup").exit(3);
  await node.settle();
  expect((await node.pod()).status?.phase).toBe("Failed");
  expect(node.runtime.calls).not.toContain("start app");
});

test("a container that crashes is restarted at once, then after 10 s, 20 s, …", async () => {
  await node.createPod({});
  const starts = () => node.runtime.calls.filter((c) => c === "start app").length;
  node.runtime.container("app").exit(1);
  await node.settle();
  expect(starts()).toBe(2);
  node.runtime.container("app").exit(1);
  await node.settle();
  const status = (await node.pod()).status;
  expect(status?.phase).toBe("Running");
  expect(status?.containerStatuses?.[0]).toMatchObject({ ready: false, restartCount: 1, lastState: { terminated: { exitCode: 1, reason: "Error" } } });
  expect(status?.containerStatuses?.[0]?.state?.waiting).toMatchObject({
    reason: "CrashLoopBackOff",
    message: expect.stringContaining("back-off 10s restarting failed container=app pod=web_default("),
  });
  await node.advance(9_900);
  expect(starts()).toBe(2);
  await node.advance(200);
  expect(starts()).toBe(3);
  node.runtime.container("app").exit(1);
  await node.advance(19_900);
  expect(starts()).toBe(3);
  await node.advance(200);
  expect(starts()).toBe(4);
  expect((await node.pod()).status?.containerStatuses?.[0]?.restartCount).toBe(3);
  // A long healthy life wipes the slate clean.
  await node.advance(11 * 60_000);
  node.runtime.container("app").exit(1);
  await node.settle();
  expect(starts()).toBe(5);
  expect((await node.events()).filter((e) => e.startsWith("BackOff"))).toHaveLength(1);
});

test("OnFailure and Never pods end by their containers", async () => {
  await node.createPod({ restartPolicy: "OnFailure" });
  node.runtime.container("app").exit(2);
  await node.settle();
  expect((await node.pod()).status?.phase).toBe("Running");
  node.runtime.container("app").exit(0);
  await node.settle();
  let pod = await node.pod();
  expect(pod.status?.phase).toBe("Succeeded");
  expect(node.condition(pod, "Ready")).toBe("False PodCompleted");
  expect(pod.status?.podIP).toBe("10.244.0.2");
  expect(node.runtime.sandboxes.size).toBe(0);

  await node.createPod({ restartPolicy: "Never" }, { name: "once" });
  node.runtime.container("app").exit(4);
  await node.settle();
  pod = await node.pod("once");
  expect(pod.status?.phase).toBe("Failed");
  expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 4, reason: "Error" });
});

test("a sidecar starts first, is waited for, outlives the app and stops last", async () => {
  let healthy = false;
  node.runtime.onDial = (_host, port) => (port === 15021 && healthy ? httpPeer(() => 200) : undefined);
  await node.createPod({
    initContainers: [
      { name: "init", image: "proxy" },
      {
        name: "proxy",
        image: "proxy",
        restartPolicy: "Always",
        startupProbe: { httpGet: { port: 15021, path: "/healthz/ready" }, periodSeconds: 1, failureThreshold: 600 },
        lifecycle: { preStop: { exec: { command: ["drain"] } } },
      },
    ],
  });
  node.runtime.container("init").exit(0);
  await node.settle();
  await node.advance(3_000);
  expect(node.runtime.calls).not.toContain("start app");
  expect((await node.pod()).status?.initContainerStatuses?.[1]).toMatchObject({ started: false, ready: false });
  healthy = true;
  await node.advance(1_000);
  expect(node.runtime.calls).toContain("start app");
  let pod = await node.pod();
  expect(pod.status?.phase).toBe("Running");
  expect(node.condition(pod, "Ready")).toBe("True");
  // It comes back on its own, without the app noticing.
  healthy = false;
  node.runtime.container("proxy").exit(1);
  await node.settle();
  expect(node.runtime.calls.filter((c) => c === "start proxy")).toHaveLength(2);
  pod = await node.pod();
  expect(node.condition(pod, "Ready")).toBe("False ContainersNotReady");
  expect(node.condition(pod, "Initialized")).toBe("True");
  healthy = true;
  await node.advance(1_000);
  expect(node.condition(await node.pod(), "Ready")).toBe("True");

  node.runtime.calls.length = 0;
  await node.api.delete(PODS, "web", "default");
  await node.settle();
  // The hook runs at once, beside the app's end; the sidecar's own end comes after the app's.
  expect(node.runtime.calls).toEqual(["SIGTERM app", "exit app 143", "exec proxy drain", "SIGTERM proxy", "exit proxy 143", expect.stringMatching(/^remove /)]);
  expect(await node.api.find(PODS, "web", "default")).toBeUndefined();
});

test("a postStart hook holds up the containers after it; when it fails the container is restarted", async () => {
  let release: (code: number) => void = () => {};
  node.runtime.onExec = () => new Promise((resolve) => (release = resolve));
  await node.createPod({
    containers: [
      { name: "first", image: "app", lifecycle: { postStart: { exec: { command: ["wait"] } } } },
      { name: "second", image: "app" },
    ],
  });
  expect(node.runtime.calls.filter((c) => c.startsWith("start"))).toEqual(["start first"]);
  release(0);
  await node.settle();
  expect(node.runtime.calls.filter((c) => c.startsWith("start"))).toEqual(["start first", "start second"]);

  node.runtime.onExec = () => 1;
  await node.createPod({ containers: [{ name: "hooked", image: "app", lifecycle: { postStart: { exec: { command: ["false"] } } } }] }, { name: "bad" });
  expect(node.runtime.containers.find((c) => c.spec.id.includes("/hooked/"))?.signals).toContain("SIGTERM");
  expect((await node.events()).some((e) => e.startsWith("FailedPostStartHook"))).toBe(true);
});

test("liveness restarts, readiness only unreadies, each failure is counted in one event", async () => {
  let status = 200;
  node.runtime.onDial = () => httpPeer(() => status);
  const probe = { httpGet: { port: "http", path: "/health" }, periodSeconds: 5, failureThreshold: 2 };
  await node.createPod({
    containers: [
      { name: "app", image: "app", ports: [{ name: "http", containerPort: 8080 }], livenessProbe: probe, readinessProbe: { ...probe, failureThreshold: 1 } },
    ],
  });
  expect(node.condition(await node.pod(), "Ready")).toBe("True");
  status = 503;
  await node.advance(5_000);
  expect(node.condition(await node.pod(), "Ready")).toBe("False ContainersNotReady");
  expect(node.runtime.containers).toHaveLength(1);
  await node.advance(5_000);
  expect(node.runtime.containers).toHaveLength(2);
  expect((await node.pod()).status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 143 } } });
  const events = await node.events();
  expect(events.filter((e) => /^Unhealthy x\d: Liveness probe failed: HTTP probe failed with statuscode: 503$/.test(e))).toHaveLength(1);
  expect(events).toContain("Killing: Container app failed liveness probe, will be restarted");
});

test("a probe that is refused or too slow fails in the kubelet's words", async () => {
  node.runtime.onDial = () => undefined;
  await node.createPod({ containers: [{ name: "app", image: "app", readinessProbe: { httpGet: { port: 8080 } } }] });
  expect(await node.events()).toContain(
    'Unhealthy: Readiness probe failed: Get "http://10.244.0.2:8080/": dial tcp 10.244.0.2:8080: connect: connection refused',
  );
});

test("deleting ends by SIGTERM, then SIGKILL when the grace is over; a second delete shortens it", async () => {
  node.runtime.endsOnTerm = false;
  await node.createPod({ terminationGracePeriodSeconds: 20 });
  await node.api.delete(PODS, "web", "default");
  await node.settle();
  expect(node.runtime.container("app").signals).toEqual(["SIGTERM"]);
  await node.advance(19_000);
  expect(node.runtime.container("app").signals).toEqual(["SIGTERM"]);
  await node.advance(1_000);
  expect(node.runtime.container("app").signals).toEqual(["SIGTERM", "SIGKILL"]);
  expect(await node.api.find(PODS, "web", "default")).toBeUndefined();

  await node.createPod({}, { name: "two" });
  await node.api.delete(PODS, "two", "default");
  await node.settle();
  await node.api.delete(PODS, "two", "default", { gracePeriodSeconds: 3 });
  await node.advance(3_000);
  expect(node.runtime.container("app").signals).toEqual(["SIGTERM", "SIGKILL"]);
});

test("a force delete kills at once and leaves no file", async () => {
  await node.createPod({ volumes: [{ name: "scratch", emptyDir: {} }] });
  const folder = `${node.stateDir}/pods/${(await node.pod()).metadata.uid}`;
  expect(existsSync(folder)).toBe(true);
  await node.api.delete(PODS, "web", "default", { gracePeriodSeconds: 0 });
  await node.settle();
  expect(node.runtime.container("app").signals).toEqual(["SIGKILL"]);
  expect(node.runtime.sandboxes.size).toBe(0);
  expect(existsSync(folder)).toBe(false);
});

test("after the cluster was killed, pods run again with one more restart; finished ones stay finished", async () => {
  await node.createPod({ initContainers: [{ name: "setup", image: "app" }] });
  node.runtime.container("setup").exit(0);
  await node.createPod({ restartPolicy: "Never" }, { name: "done" });
  node.runtime.container("app").exit(0);
  await node.settle();
  const podIP = (await node.pod()).status?.podIP;
  expect(podIP).toBeDefined();
  await node.restart();
  // Nobody may be sent to the old address, which another pod may have by now.
  const writes = node.api.requests.filter((r) => r.verb === "patch" && r.path.endsWith("/pods/web"));
  const stale = writes
    .map((r) => r.body as { status: { podIP: string | null; conditions: { type: string; status: string }[] } })
    .find((b) => b.status.podIP === null);
  expect(stale?.status.conditions.find((c) => c.type === "Ready")?.status).toBe("False");
  expect(node.runtime.calls.filter((c) => c.startsWith("start"))).toEqual(["start setup"]);
  node.runtime.container("setup").exit(0);
  await node.settle();
  const { status } = await node.pod();
  expect(status?.phase).toBe("Running");
  expect(status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, ready: true, lastState: { terminated: { exitCode: 255, reason: "Unknown" } } });
  expect((await node.pod("done")).status?.phase).toBe("Succeeded");
});

test("user and group 1337 are the proxy's alone in an injected pod", async () => {
  const injected = { annotations: { "sidecar.istio.io/status": "{}" } };
  await node.createPod({ containers: [{ name: "app", image: "app", securityContext: { runAsUser: 1337 } }] }, injected);
  const waiting = (await node.pod()).status?.containerStatuses?.[0]?.state?.waiting;
  expect(waiting?.reason).toBe("CreateContainerConfigError");
  expect(waiting?.message).toContain("1337");
  expect(node.runtime.containers).toHaveLength(0);
  await node.createPod({ securityContext: { runAsGroup: 1337 } }, { name: "group", labels: { "security.istio.io/tlsMode": "istio" } });
  expect((await node.pod("group")).status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("CreateContainerConfigError");
  // Taking the marks off does not help: the sidecar itself tells.
  await node.createPod(
    {
      containers: [
        { name: "app", image: "app", securityContext: { runAsUser: 1337 } },
        { name: "sidecar", image: "proxy" },
      ],
    },
    { name: "unmarked" },
  );
  expect((await node.pod("unmarked")).status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("CreateContainerConfigError");
  await node.createPod({ containers: [{ name: "istio-proxy", image: "proxy" }] }, { name: "proxied", ...injected });
  expect(node.runtime.container("istio-proxy").spec).toMatchObject({ uid: 1337, capabilities: "NET_ADMIN" });
  await node.createPod({ hostNetwork: true, containers: [{ name: "on-node", image: "proxy" }] }, { name: "node" });
  expect(node.runtime.container("on-node").spec.capabilities).toBe("none");
});

test("status is written only when it changes", async () => {
  await node.createPod({});
  const writes = () => node.api.requests.filter((r) => r.verb === "patch" && r.path.includes("/pods/")).length;
  expect(writes()).toBe(1);
  await node.api.patch(PODS, "web", "default", { metadata: { labels: { touched: "yes" } } });
  await node.settle();
  expect(writes()).toBe(2); // the test's own
});

test("a status write that fails is tried again", async () => {
  let broken = true;
  node.api.intercept = (verb, path) => {
    if (broken && verb === "patch" && path.endsWith("/pods/web")) throw new Error("disk full");
  };
  await node.createPod({});
  expect((await node.pod()).status).toBeUndefined();
  broken = false;
  await node.advance(1_000);
  expect((await node.pod()).status?.phase).toBe("Running");
});

test("a pod whose work is done stops its sidecars and ends by its apps' codes", async () => {
  await node.createPod({ restartPolicy: "Never", initContainers: [{ name: "proxy", image: "proxy", restartPolicy: "Always" }] });
  expect(node.runtime.calls).toContain("start app");
  node.runtime.container("app").exit(0);
  await node.settle();
  expect(node.runtime.container("proxy").signals).toEqual(["SIGTERM"]);
  expect((await node.pod()).status?.phase).toBe("Succeeded");
  expect(node.runtime.sandboxes.size).toBe(0);
  // Gone from the node, still in the API, until somebody deletes it.
  await node.api.delete(PODS, "web", "default");
  await node.settle();
  expect(await node.api.find(PODS, "web", "default")).toBeUndefined();
});

test("settings that are missing hold one container up, and it starts the moment they appear", async () => {
  await node.createPod({
    containers: [
      { name: "app", image: "app", env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "late", key: "k" } } }] },
      { name: "other", image: "app" },
    ],
  });
  let pod = await node.pod();
  expect(pod.status?.containerStatuses?.map((s) => s.state?.waiting?.reason ?? "running")).toEqual(["CreateContainerConfigError", "running"]);
  expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe('configmap "late" not found');
  expect(await node.events()).toContain('Failed: Error: configmap "late" not found');
  await node.api.create(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "late", namespace: "default" }, data: { k: "v" } } as ConfigMap);
  await node.settle();
  pod = await node.pod();
  expect(node.condition(pod, "Ready")).toBe("True");
  expect(node.runtime.container("app").spec.env["X"]).toBe("v");
});

test("a sandbox or container that the machine refuses is told and tried again", async () => {
  let refuse = true;
  const create = node.runtime.createSandbox.bind(node.runtime);
  node.runtime.createSandbox = async (spec) => {
    if (refuse) throw new Error("no namespaces left");
    return create(spec);
  };
  await node.createPod({});
  expect(await node.events()).toEqual(["FailedCreatePodSandBox: Failed to create pod sandbox: no namespaces left"]);
  refuse = false;
  node.runtime.onStart = () => {
    throw new Error("exec format error");
  };
  await node.advance(1_000);
  const status = (await node.pod()).status?.containerStatuses?.[0];
  expect(status?.lastState?.terminated).toMatchObject({ exitCode: 128, reason: "StartError", message: "exec format error" });
  expect(status?.state?.waiting?.reason).toBe("CrashLoopBackOff");
  node.runtime.onStart = () => {};
  await node.advance(10_500);
  expect((await node.pod()).status?.phase).toBe("Running");
});
