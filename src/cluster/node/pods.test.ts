import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PODS, SECRETS } from "../../kube/index.ts";
import type { Pod, Secret } from "../../resources/index.ts";
import { NodeHarness } from "./testing/harness.ts";
import { giveToGroup } from "./volumes/group.ts";

let node: NodeHarness;
beforeEach(async () => {
  node = await new NodeHarness().start();
});
afterEach(() => node.stop());

const asRoot = process.geteuid?.() === 0;
const app = { name: "app", image: "app" };

test("an ephemeral container joins a running pod, is started once, and does not count", async () => {
  await node.createPod({ containers: [app] });
  const debug = { name: "debug", image: "app", targetContainerName: "app", stdin: true, tty: true };
  await node.api.patch<Pod>(PODS, "web", "default", { spec: { ephemeralContainers: [debug, { name: "lost", image: "app", targetContainerName: "nosuch" }] } });
  await node.settle();
  const target = node.runtime.container("app").spec.id;
  expect(node.runtime.container("debug").spec).toMatchObject({ joins: target, tty: true, stdin: true });
  let { status } = await node.pod();
  expect(status?.ephemeralContainerStatuses?.map((s) => [s.name, s.state?.running !== undefined, s.state?.waiting?.message])).toEqual([
    ["debug", true, undefined],
    ["lost", false, "unable to find target container nosuch: it is not running"],
  ]);
  expect(status?.containerStatuses).toHaveLength(1);
  expect(node.condition(await node.pod(), "Ready")).toBe("True");

  node.runtime.container("debug").exit(3);
  await node.advance(20_000);
  ({ status } = await node.pod());
  expect(status?.ephemeralContainerStatuses?.[0]).toMatchObject({ state: { terminated: { exitCode: 3 } }, restartCount: 0 });
  expect([status?.phase, node.condition(await node.pod(), "Ready")]).toEqual(["Running", "True"]);
  expect(node.runtime.calls.filter((call) => call === "start debug")).toHaveLength(1);

  // After the cluster's restart the pod runs again; what somebody debugged with does not.
  await node.restart();
  expect(node.runtime.calls).toContain("start app");
  expect(node.runtime.calls).not.toContain("start debug");
  expect((await node.pod()).status?.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(3);
});

test("a pod that is active for too long fails, whatever it is doing", async () => {
  await node.createPod({ activeDeadlineSeconds: 30, restartPolicy: "Always" });
  await node.advance(29_000);
  expect((await node.pod()).status?.phase).toBe("Running");
  await node.advance(3_000);
  expect((await node.pod()).status).toMatchObject({
    phase: "Failed",
    reason: "DeadlineExceeded",
    message: "Pod was active on the node longer than the specified deadline",
  });
  expect(node.runtime.calls.slice(-3)).toEqual(["SIGTERM app", "exit app 143", expect.stringContaining("remove ")]);
  expect(await node.events()).toContain("DeadlineExceeded: Pod was active on the node longer than the specified deadline");

  await node.createPod({ activeDeadlineSeconds: 5, containers: [{ name: "app", image: "nosuch" }] }, { name: "waits" });
  await node.advance(6_000);
  expect((await node.pod("waits")).status?.reason).toBe("DeadlineExceeded");
});

test("emptyDir in memory: of its size, and given back with the pod", async () => {
  await node.createPod({
    volumes: [{ name: "cache", emptyDir: { medium: "Memory", sizeLimit: "10Mi" } }],
    containers: [{ ...app, volumeMounts: [{ name: "cache", mountPath: "/cache" }] }],
  });
  expect(node.runtime.calls[0]).toBe(`memory cache ${10 * 2 ** 20}`);
  await node.api.delete(PODS, "web", "default");
  await node.advance(2_000);
  expect(node.runtime.calls.slice(-2)).toEqual([expect.stringContaining("remove "), "release cache"]);
});

test.if(asRoot)("fsGroup: the pod's group owns its volumes and reads what comes from the API", async () => {
  await node.api.create<Secret>(SECRETS, { apiVersion: "v1", kind: "Secret", metadata: { name: "keys", namespace: "default" }, data: { key: "eA==" } });
  const volumeMounts = ["data", "keys"].map((name) => ({ name, mountPath: `/${name}` }));
  await node.createPod({
    securityContext: { fsGroup: 4321, supplementalGroups: [77] },
    volumes: [
      { name: "data", emptyDir: {} },
      { name: "keys", secret: { secretName: "keys", defaultMode: 0o400 } },
    ],
    containers: [{ ...app, volumeMounts }],
  });
  const { spec } = node.runtime.container("app");
  const path = (at: string) => spec.mounts.find((mount) => mount.containerPath === at)?.hostPath ?? "";
  const stat = (at: string) => [statSync(at).gid, (statSync(at).mode & 0o7777).toString(8)];
  expect(spec.groups).toEqual([77, 4321]);
  expect(stat(path("/data"))).toEqual([4321, "2777"]);
  expect(stat(join(path("/keys"), "key"))).toEqual([4321, "440"]);
});

test.if(asRoot)("a volume is given to a group without touching what its links lead to", () => {
  const volume = join(node.stateDir, "given");
  mkdirSync(join(volume, "deep"), { recursive: true });
  const outside = join(node.stateDir, "outside");
  for (const file of [outside, join(volume, "deep/file")]) writeFileSync(file, "", { mode: 0o600 });
  symlinkSync(outside, join(volume, "link"));
  symlinkSync("/etc", join(volume, "deep/etc"));
  giveToGroup(volume, 4321, false);
  const stat = (path: string) => [statSync(path).gid, (statSync(path).mode & 0o7777).toString(8)];
  expect([volume, join(volume, "deep"), join(volume, "deep/file")].map(stat)).toEqual([
    [4321, "2775"],
    [4321, "2775"],
    [4321, "660"],
  ]);
  expect([stat(outside), statSync("/etc").gid]).toEqual([[0, "600"], 0]);
  writeFileSync(join(volume, "later"), "", { mode: 0o600 });
  giveToGroup(volume, 4321, true);
  expect(stat(join(volume, "later"))[1]).toBe("600");
  expect(readdirSync("/proc/self/fd").length).toBeLessThan(200);
});

test("what pods do not get here is told: the machine's processes", async () => {
  await node.createPod({ hostPID: true, hostIPC: true, shareProcessNamespace: true });
  expect(await node.events()).toContain("RightsNotGranted: The pod runs without hostPID and hostIPC: pods on this node do not see the machine's processes");
  expect([...node.runtime.sandboxes.values()][0]).toMatchObject({ sharedPids: true });
});

test("limits reach the runtime; what is not enforced is told once, and an end for want of memory is called so", async () => {
  node.runtime.enforced = ["cpu"];
  const resources = { limits: { memory: "64Mi", cpu: "250m" }, requests: { cpu: "100m" } };
  await node.createPod({
    restartPolicy: "Never",
    containers: [
      { ...app, resources },
      { ...app, name: "free" },
    ],
  });
  const [limited, free] = node.runtime.containers;
  expect([limited?.spec.limits, free?.spec.limits]).toEqual([{ memory: 64 * 2 ** 20, cpus: 0.25, cpuRequest: 0.1 }, undefined]);
  expect((await node.events()).filter((event) => event.startsWith("LimitsNotEnforced"))).toEqual([
    expect.stringMatching(/Container \w+ is not held to its limits of memory: no control group/),
  ]);
  limited?.exit(137, true);
  free?.exit(137);
  await node.settle();
  expect((await node.pod()).status?.containerStatuses?.map(({ state }) => [state?.terminated?.reason, state?.terminated?.exitCode])).toEqual([
    ["OOMKilled", 137],
    ["Error", 137],
  ]);
});

test("a mount over the root is refused", async () => {
  await node.createPod({ volumes: [{ name: "v", emptyDir: {} }], containers: [{ ...app, volumeMounts: [{ name: "v", mountPath: "/a/.." }] }] });
  expect((await node.pod()).status?.containerStatuses?.[0]?.state?.waiting).toMatchObject({
    reason: "CreateContainerConfigError",
    message: expect.stringContaining("would hide the image's own files"),
  });
});
