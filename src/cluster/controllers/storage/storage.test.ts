import { afterEach, expect, test } from "bun:test";
import type { Event, KubeObject, PersistentVolume, PersistentVolumeClaim, Pod, StatefulSet } from "../../../resources/index.ts";
import { type Harness, start } from "../testing/harness.ts";

let harness: Harness | undefined;
afterEach(() => harness?.stop());

const folders = () => {
  const made = new Set<string>();
  return { made, make: async (name: string) => (made.add(name), `/volumes/${name}`), remove: async (name: string) => void made.delete(name) };
};
const claim = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace: "default" },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
});
const volume = (name: string, storage: string, spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name },
  spec: { capacity: { storage }, accessModes: ["ReadWriteOnce"], hostPath: { path: `/data/${name}` }, storageClassName: "manual", ...spec },
});
const podWith = (volumes: object[], name = "app"): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { schedulerName: "default-scheduler", containers: [{ name: "c", image: "x:1" }], volumes },
});
const reasons = ({ api }: Harness): string[] => (api.all("events") as Event[]).map((event) => `${event.reason}: ${event.message}`);

test("a claim without a class gets a folder of the standard class; the folder goes with the claim", async () => {
  const own = folders();
  harness = await start({ volumeFolders: own });
  const { api, until } = harness;
  await api.apply(claim("data"));
  const get = () => api.get("persistentvolumeclaims", "data", "default") as PersistentVolumeClaim;
  await until("bound", () => get().status?.phase === "Bound");
  const name = `pvc-${get().metadata.uid}`;
  expect(get()).toMatchObject({
    metadata: {
      annotations: { "pv.kubernetes.io/bind-completed": "yes", "volume.kubernetes.io/storage-provisioner": "chainmail/local-folder" },
      finalizers: ["kubernetes.io/pvc-protection"],
    },
    spec: { storageClassName: "standard", volumeName: name },
    status: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } },
  });
  await until("the volume says so too", () => (api.get("persistentvolumes", name) as PersistentVolume).status?.phase === "Bound");
  expect(api.get("persistentvolumes", name)?.spec).toMatchObject({
    local: { path: `/volumes/${name}` },
    persistentVolumeReclaimPolicy: "Delete",
    claimRef: { namespace: "default", name: "data", uid: get().metadata.uid },
  });
  // It grows by asking.
  await api.send("PATCH", "/api/v1/namespaces/default/persistentvolumeclaims/data", { spec: { resources: { requests: { storage: "2Gi" } } } });
  await until(
    "grown",
    () => get().status?.capacity?.["storage"] === "2Gi" && (api.get("persistentvolumes", name) as PersistentVolume).spec?.capacity?.["storage"] === "2Gi",
  );
  await api.send("DELETE", "/api/v1/namespaces/default/persistentvolumeclaims/data");
  await until("all gone", () => !api.get("persistentvolumeclaims", "data", "default") && !api.get("persistentvolumes", name) && own.made.size === 0);
});

test("a claim of a class by hand takes the smallest volume that fits, and a kept volume stays with its data", async () => {
  harness = await start({ volumeFolders: folders() });
  const { api, until } = harness;
  await api.apply(volume("small", "500Mi"), volume("large", "10Gi"), volume("fitting", "2Gi"), volume("other", "1Gi", { storageClassName: "else" }));
  await until("available", () => (api.all("persistentvolumes") as PersistentVolume[]).every(({ status }) => status?.phase === "Available"));
  await api.apply(claim("data", { storageClassName: "manual" }));
  const get = () => api.get("persistentvolumeclaims", "data", "default") as PersistentVolumeClaim;
  await until("bound", () => get().status?.phase === "Bound");
  expect(get().spec?.volumeName).toBe("fitting");
  expect(get().status?.capacity).toEqual({ storage: "2Gi" });
  await api.send("DELETE", "/api/v1/namespaces/default/persistentvolumeclaims/data");
  await until("released", () => (api.get("persistentvolumes", "fitting") as PersistentVolume).status?.phase === "Released");
});

test("a pod waits for its claim with a reason, and a claim for its last pod before it goes", async () => {
  harness = await start({ volumeFolders: folders() });
  const { api, until } = harness;
  await api.apply(podWith([{ name: "d", persistentVolumeClaim: { claimName: "data" } }]));
  const pod = () => api.get("pods", "app", "default") as Pod;
  await until("refused", () =>
    pod()
      .status?.conditions?.find(({ type }) => type === "PodScheduled")
      ?.message?.startsWith('0/1 nodes are available: persistentvolumeclaim "data" not found.'),
  );
  await api.apply(claim("data"));
  await until("running", () => pod().status?.phase === "Running");
  await api.send("DELETE", "/api/v1/namespaces/default/persistentvolumeclaims/data");
  await Bun.sleep(20);
  expect(api.get("persistentvolumeclaims", "data", "default")?.metadata.deletionTimestamp).toBeDefined();
  await api.send("DELETE", "/api/v1/namespaces/default/pods/app");
  await until("claim gone", () => !api.get("persistentvolumeclaims", "data", "default"));
});

test("classes that wait for a consumer, foreign provisioners and missing classes say what they wait for", async () => {
  harness = await start({ volumeFolders: folders() });
  const { api, until } = harness;
  const storageClass = (name: string, more: object): KubeObject => ({ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name }, ...more });
  await until("standard", () => api.get("storageclasses", "standard") !== undefined);
  await api.apply(
    storageClass("late", { provisioner: "chainmail/local-folder", volumeBindingMode: "WaitForFirstConsumer" }),
    storageClass("foreign", { provisioner: "example.com/disks" }),
  );
  await api.apply(
    claim("late", { storageClassName: "late" }),
    claim("foreign", { storageClassName: "foreign" }),
    claim("missing", { storageClassName: "nope" }),
    claim("none", { storageClassName: "" }),
  );
  for (const expected of [
    "WaitForFirstConsumer: waiting for first consumer to be created before binding",
    "ExternalProvisioning: Waiting for a volume to be created either by the external provisioner 'example.com/disks'",
    'ProvisioningFailed: storageclass.storage.k8s.io "nope" not found',
    "FailedBinding: no persistent volumes available for this claim and no storage class is set",
  ]) {
    await until(expected, () => reasons(harness as Harness).some((text) => text.startsWith(expected)));
  }
  await api.apply(podWith([{ name: "d", persistentVolumeClaim: { claimName: "late" } }]));
  await until("running", () => (api.get("pods", "app", "default") as Pod).status?.phase === "Running");
});

test("claims of stateful sets outlive their pods; a pod's own claims do not", async () => {
  harness = await start({ volumeFolders: folders() });
  const { api, until } = harness;
  const template = {
    metadata: { labels: { app: "db" } },
    spec: { containers: [{ name: "c", image: "x:1", volumeMounts: [{ name: "data", mountPath: "/data" }] }] },
  };
  const set: KubeObject = {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db", namespace: "default" },
    spec: {
      replicas: 2,
      serviceName: "db",
      selector: { matchLabels: { app: "db" } },
      template,
      volumeClaimTemplates: [{ metadata: { name: "data" }, spec: claim("x").spec }],
    },
  };
  await api.apply(set);
  await until("two", () => (api.get("statefulsets", "db", "default") as StatefulSet).status?.readyReplicas === 2);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/statefulsets/db", { spec: { replicas: 1 } });
  await until("one", () => (api.get("statefulsets", "db", "default") as StatefulSet).status?.replicas === 1);
  expect(
    api
      .all("persistentvolumeclaims")
      .map(({ metadata }) => metadata.name)
      .sort(),
  ).toEqual(["data-db-0", "data-db-1"]);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/statefulsets/db", {
    spec: { persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete", whenDeleted: "Delete" } },
  });
  await until("unwanted claim gone", () => !api.get("persistentvolumeclaims", "data-db-1", "default"));
  await until("the other goes with the set", () => api.get("persistentvolumeclaims", "data-db-0", "default")?.metadata.ownerReferences?.[0]?.name === "db");
  await api.send("DELETE", "/apis/apps/v1/namespaces/default/statefulsets/db");
  await until("gone with the set", () => !api.get("persistentvolumeclaims", "data-db-0", "default"));
  await api.apply(podWith([{ name: "scratch", ephemeral: { volumeClaimTemplate: { spec: claim("x").spec } } }], "own"));
  await until("its claim", () => (api.get("persistentvolumeclaims", "own-scratch", "default") as PersistentVolumeClaim | undefined)?.status?.phase === "Bound");
  await api.send("DELETE", "/api/v1/namespaces/default/pods/own");
  await until("collected", () => !api.get("persistentvolumeclaims", "own-scratch", "default"));
});
