import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, SECRETS } from "../../../kube/index.ts";
import type { ConfigMap, PersistentVolume, PersistentVolumeClaim, PodSpec, Secret } from "../../../resources/index.ts";
import { NodeHarness } from "../testing/harness.ts";
import { AtomicFolder } from "./atomic-folder.ts";
import { prepareSubPath } from "./mounted.ts";

let node: NodeHarness;
beforeEach(async () => {
  node = await new NodeHarness().start();
});
afterEach(() => node.stop());

const configMap = (name: string, data: Record<string, string>): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data,
});
const withVolume = (volume: NonNullable<PodSpec["volumes"]>[number], mount: { subPath?: string } = {}): Partial<PodSpec> => ({
  volumes: [volume],
  containers: [{ name: "app", image: "app", volumeMounts: [{ name: volume.name, mountPath: "/v", ...mount }] }],
});
/** Host path of what the container sees at a path. */
const seen = (path: string) => {
  const mount = node.runtime.container("app").spec.mounts.find((m) => m.containerPath === path);
  return join(mount?.hostPath ?? "", mount?.subPath ?? "");
};

test("a ConfigMap that is missing holds the pod up, says so, and starts it the moment it appears", async () => {
  await node.createPod(withVolume({ name: "conf", configMap: { name: "conf" } }));
  const pod = await node.pod();
  expect(pod.status?.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: "ContainerCreating" } });
  expect(await node.events()).toContain('FailedMount: MountVolume.SetUp failed for volume "conf" : configmap "conf" not found');
  await node.api.create(CONFIG_MAPS, configMap("conf", { a: "1" }));
  await node.settle();
  expect((await node.pod()).status?.phase).toBe("Running");
  expect(readFileSync(join(seen("/v"), "a"), "utf8")).toBe("1");
});

test("changes swap the whole content at once, in the kubelet's layout", async () => {
  await node.api.create(CONFIG_MAPS, configMap("conf", { a: "1", gone: "x" }));
  await node.createPod(withVolume({ name: "conf", configMap: { name: "conf", defaultMode: 0o400 } }));
  const folder = seen("/v");
  expect(readlinkSync(join(folder, "a"))).toBe("..data/a");
  expect(statSync(join(folder, "a")).mode & 0o777).toBe(0o400);
  const before = readlinkSync(join(folder, "..data"));
  await node.api.patch(CONFIG_MAPS, "conf", "default", { data: { a: "2", gone: null, fresh: "y" } });
  await node.settle();
  expect(readFileSync(join(folder, "a"), "utf8")).toBe("2");
  expect(readFileSync(join(folder, "fresh"), "utf8")).toBe("y");
  expect(existsSync(join(folder, "gone"))).toBe(false);
  const after = readlinkSync(join(folder, "..data"));
  expect(after).not.toBe(before);
  expect(existsSync(join(folder, before))).toBe(false);
  // Deleted later: what the pod has, it keeps.
  await node.api.delete(CONFIG_MAPS, "conf", "default");
  await node.settle();
  expect(readFileSync(join(folder, "a"), "utf8")).toBe("2");
});

test("projected: token, ConfigMap, downward API; the token is renewed before it expires", async () => {
  await node.api.create(CONFIG_MAPS, configMap("kube-root-ca.crt", { "ca.crt": "PEM" }));
  await node.createPod(
    withVolume({
      name: "access",
      projected: {
        sources: [
          { serviceAccountToken: { path: "token", audience: "istio-ca", expirationSeconds: 3600 } },
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca/root.pem" }] } },
          {
            downwardAPI: {
              items: [
                { path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } },
                { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
              ],
            },
          },
        ],
      },
    }),
    { labels: { b: "2", a: 'q"' } },
  );
  const read = (path: string) => readFileSync(join(seen("/v"), path), "utf8");
  expect([read("token"), read("ca/root.pem"), read("namespace"), read("labels")]).toEqual(["token-1", "PEM", "default", 'a="q\\""\nb="2"']);
  const request = node.api.requests.find((r) => r.path.endsWith("/serviceaccounts/default/token"))?.body;
  expect(request).toMatchObject({ spec: { audiences: ["istio-ca"], expirationSeconds: 3600, boundObjectRef: { kind: "Pod", name: "web" } } });
  await node.api.patch(PODS, "web", "default", { metadata: { labels: { a: "new" } } });
  await node.settle();
  expect(read("labels")).toBe('a="new"\nb="2"');
  await node.advance(2_700_000);
  expect(read("token")).toBe("token-1");
  await node.advance(300_000);
  expect(read("token")).toBe("token-2");
});

test("optional sources may be missing, and items that are not there may not", async () => {
  await node.createPod(withVolume({ name: "s", secret: { secretName: "none", optional: true } }));
  expect((await node.pod()).status?.phase).toBe("Running");
  const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "default" }, data: { k: Buffer.from("v").toString("base64") } };
  await node.api.create(SECRETS, secret);
  await node.createPod(withVolume({ name: "s", secret: { secretName: "s", items: [{ key: "other", path: "p" }] } }), { name: "two" });
  expect(await node.events()).toContain('FailedMount: MountVolume.SetUp failed for volume "s" : references non-existent secret key: other');
});

test("an item's path cannot leave the volume", () => {
  const folder = new AtomicFolder(join(node.stateDir, "v"));
  for (const path of ["../x", "/x", "a/../../x", "..data", "..x/y", "", "a//b", "a/./b"]) {
    expect(() => folder.write(new Map([[path, { content: Buffer.from("x"), mode: 0o644 }]]), 0), path).toThrow("invalid path");
  }
});

test("a volume mounted inside another finds its mount point there", async () => {
  await node.api.create(CONFIG_MAPS, configMap("outer", { a: "1" }));
  await node.createPod({
    volumes: [
      { name: "outer", configMap: { name: "outer" } },
      { name: "inner", configMap: { name: "none", optional: true } },
    ],
    containers: [
      {
        name: "app",
        image: "app",
        volumeMounts: [
          { name: "inner", mountPath: "/var/run/outer/inner" },
          { name: "outer", mountPath: "/var/run/outer" },
        ],
      },
    ],
  });
  expect(statSync(join(seen("/var/run/outer"), "inner")).isDirectory()).toBe(true);
  const paths = node.runtime.container("app").spec.mounts.map((m) => m.containerPath);
  expect(paths.indexOf("/var/run/outer")).toBeLessThan(paths.indexOf("/var/run/outer/inner"));
  await node.api.patch(CONFIG_MAPS, "outer", "default", { data: { a: "2" } });
  await node.settle();
  expect(statSync(join(seen("/var/run/outer"), "inner")).isDirectory()).toBe(true);
});

test("subPath shows one file or folder, and planted links lead nowhere", async () => {
  await node.api.create(CONFIG_MAPS, configMap("conf", { a: "1" }));
  await node.createPod(withVolume({ name: "conf", configMap: { name: "conf" } }, { subPath: "a" }));
  expect(readFileSync(seen("/v"), "utf8")).toBe("1");
  const folder = join(node.stateDir, "scratch");
  mkdirSync(folder);
  const volume = { hostPath: folder, readOnly: false, createSubPaths: true };
  expect(prepareSubPath(volume, "deep//er/./")).toBe("deep/er");
  expect(statSync(join(folder, "deep/er")).isDirectory()).toBe(true);
  symlinkSync("deep", join(folder, "inside"));
  expect(prepareSubPath(volume, "inside/er")).toBe("inside/er");
  symlinkSync("nowhere", join(folder, "dangling"));
  symlinkSync("/etc", join(folder, "link"));
  for (const path of ["link", "link/passwd", "link/new", "../x", "/etc", "dangling"]) expect(() => prepareSubPath(volume, path), path).toThrow("subPath");
  expect(() => prepareSubPath({ ...volume, createSubPaths: false }, "none")).toThrow("not in the volume");
});

test("hostPath is checked by type and never shows the cluster's own files", async () => {
  const file = join(node.stateDir, "..", `hostpath-${process.pid}`);
  writeFileSync(file, "x");
  try {
    const attempts: [{ path: string; type?: string }, string][] = [
      [{ path: "/" }, "holds the cluster's keys"],
      [{ path: node.stateDir }, "holds the cluster's keys"],
      [{ path: join(node.stateDir, "pods") }, "holds the cluster's keys"],
      [{ path: "/no/such/folder" }, "does not exist"],
      [{ path: file, type: "Directory" }, "is not a directory"],
    ];
    for (const [index, [hostPath, text]] of attempts.entries()) {
      await node.createPod(withVolume({ name: `h${index}`, hostPath }), { name: `p${index}` });
      expect((await node.events()).find((e) => e.includes(`"h${index}"`))).toContain(text);
    }
    await node.createPod(withVolume({ name: "ok", hostPath: { path: file, type: "File" } }), { name: "ok" });
    expect(node.runtime.container("app").spec.mounts).toContainEqual({ hostPath: file, containerPath: "/v", readOnly: false });
  } finally {
    rmSync(file);
  }
});

test("a claim mounts the folder of its volume, and no other protected one", async () => {
  const path = await node.localFolders.make("pv-1");
  const bound = async (name: string, local: string): Promise<void> => {
    const claim: PersistentVolumeClaim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name, namespace: "default" },
      spec: { volumeName: `pv-${name}` },
      status: { phase: "Bound" },
    };
    const { metadata } = await node.api.create<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, claim);
    const volume: PersistentVolume = {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: `pv-${name}` },
      spec: { local: { path: local }, claimRef: { name, namespace: "default", ...(metadata.uid ? { uid: metadata.uid } : {}) } },
    };
    await node.api.create(PERSISTENT_VOLUMES, volume);
  };
  await node.createPod(withVolume({ name: "data", persistentVolumeClaim: { claimName: "data" } }));
  expect(await node.events()).toContain('FailedMount: MountVolume.SetUp failed for volume "data" : persistentvolumeclaim "data" not found');
  await bound("data", path);
  await node.advance(10_000);
  expect(node.runtime.container("app").spec.mounts.find(({ containerPath }) => containerPath === "/v")).toEqual({
    hostPath: path,
    containerPath: "/v",
    readOnly: false,
  });

  // A volume by hand that names the cluster's own files, directly or by a link among the volumes.
  symlinkSync(node.stateDir, join(node.stateDir, "claims", "pv-2"));
  await bound("keys", node.stateDir);
  await bound("link", join(node.stateDir, "claims", "pv-2"));
  for (const name of ["keys", "link"]) {
    await node.createPod(withVolume({ name, persistentVolumeClaim: { claimName: name } }), { name: `pod-${name}` });
    expect((await node.events()).some((text) => text.includes(`volume "${name}"`) && text.includes("which holds the cluster's keys"))).toBe(true);
  }
  expect(node.localFolders.holds(join(node.stateDir, "claims"))).toBe(false);
});
