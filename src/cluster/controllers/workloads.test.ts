import { afterEach, expect, test } from "bun:test";
import type { CronJob, DaemonSet, Job, KubeObject, Pod, StatefulSet } from "../../resources/index.ts";
import { type Harness, start } from "./testing/harness.ts";

let harness: Harness | undefined;
afterEach(() => harness?.stop());

const template = (image = "x:1", more: object = {}) => ({ metadata: { labels: { app: "db" } }, spec: { containers: [{ name: "c", image }], ...more } });
const object = (kind: string, apiVersion: string, spec: object): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: "db", namespace: "default" },
  spec: { selector: { matchLabels: { app: "db" } }, template: template(), ...spec },
});
const pods = (api: Harness["api"]) => (api.all("pods") as Pod[]).filter((pod) => pod.metadata.name.startsWith("db-"));
const names = (api: Harness["api"]) =>
  pods(api)
    .map((pod) => pod.metadata.name)
    .sort();

test("a stateful set makes its pods in order, renews them from the last, and shrinks in reverse", async () => {
  harness = await start();
  const { api, until } = harness;
  await api.apply(object("StatefulSet", "apps/v1", { serviceName: "db", replicas: 3 }));
  const set = () => api.get("statefulsets", "db", "default") as StatefulSet;
  await until("three", () => set().status?.readyReplicas === 3);
  expect(names(api)).toEqual(["db-0", "db-1", "db-2"]);
  const created = pods(api).map((pod) => Number(pod.metadata.uid?.split("-")[1]));
  expect(created).toEqual([...created].sort((a, b) => a - b));
  expect(pods(api)[1]).toMatchObject({
    metadata: { labels: { "apps.kubernetes.io/pod-index": "1", "statefulset.kubernetes.io/pod-name": "db-1" } },
    spec: { hostname: "db-1", subdomain: "db" },
  });
  expect(set().status?.currentRevision).toBe(set().status?.updateRevision);

  const order: string[] = [];
  const uids = new Map(pods(api).map((pod) => [pod.metadata.uid, pod.metadata.name]));
  const watch = setInterval(() => {
    const now = new Set(pods(api).map((pod) => pod.metadata.uid));
    for (const [uid, name] of uids) if (!now.has(uid) && !order.includes(name)) order.push(name);
  }, 1);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/statefulsets/db", { spec: { template: template("x:2") } });
  await until(
    "renewed",
    () =>
      pods(api).length === 3 &&
      pods(api).every((pod) => pod.spec?.containers[0]?.image === "x:2") &&
      set().status?.updatedReplicas === 3 &&
      set().status?.readyReplicas === 3,
  );
  clearInterval(watch);
  expect(order).toEqual(["db-2", "db-1", "db-0"]);
  await until("revision settled", () => set().status?.currentRevision === set().status?.updateRevision);
  expect(api.all("controllerrevisions").map((revision) => revision["revision"])).toEqual([1, 2]);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/statefulsets/db", { spec: { replicas: 1 } });
  await until("one", () => names(api).join() === "db-0" && set().status?.replicas === 1);
});

test("a daemon set has one pod on each node that fits, and renews it", async () => {
  harness = await start();
  const { api, until } = harness;
  await api.apply(object("DaemonSet", "apps/v1", {}));
  const set = () => api.get("daemonsets", "db", "default") as DaemonSet;
  await until("one", () => set().status?.numberAvailable === 1);
  expect(set().status).toMatchObject({
    desiredNumberScheduled: 1,
    currentNumberScheduled: 1,
    numberReady: 1,
    updatedNumberScheduled: 1,
    numberMisscheduled: 0,
  });
  const node = structuredClone(api.get("nodes", "node-1")) as KubeObject;
  await api.apply({ ...node, metadata: { name: "node-2", labels: {} } });
  await until("two", () => set().status?.numberReady === 2);
  expect(
    pods(api)
      .map((pod) => pod.spec?.nodeName)
      .sort(),
  ).toEqual(["node-1", "node-2"]);
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/daemonsets/db", { spec: { template: template("x:2") } });
  await until(
    "renewed",
    () => set().status?.updatedNumberScheduled === 2 && set().status?.numberReady === 2 && pods(api).every((pod) => pod.spec?.containers[0]?.image === "x:2"),
  );
  await api.send("PATCH", "/apis/apps/v1/namespaces/default/daemonsets/db", {
    spec: { template: template("x:2", { nodeSelector: { "kubernetes.io/hostname": "node-1" } }) },
  });
  await until("only where it may", () => pods(api).length === 1 && pods(api)[0]?.spec?.nodeName === "node-1" && set().status?.desiredNumberScheduled === 1);
});

test("a job completes; a job that fails too often ends as failed", async () => {
  harness = await start({ finish: (pod) => (pod.metadata.labels?.["app"] === "bad" ? "Failed" : "Succeeded") });
  const { api, until } = harness;
  const job = (name: string, labels: object, spec: object): KubeObject => ({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: "default" },
    spec: { template: { metadata: { labels }, spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x:1" }] } }, ...spec },
  });
  await api.apply(
    job("good", {}, { completions: 3, parallelism: 2 }),
    job("indexed", {}, { completions: 2, parallelism: 2, completionMode: "Indexed" }),
    job("bad", { app: "bad" }, { backoffLimit: 0 }),
  );
  const get = (name: string) => api.get("jobs", name, "default") as Job;
  const done = (name: string, type: string) =>
    until(`${name} ${type}`, () => get(name).status?.conditions?.find((condition) => condition.type === type && condition.status === "True") && get(name));
  expect((await done("good", "Complete")).status).toMatchObject({ succeeded: 3, ready: 0 });
  expect((await done("indexed", "Complete")).status?.succeeded).toBe(2);
  const indexes = (api.all("pods") as Pod[]).filter((pod) => pod.metadata.name.startsWith("indexed-")).map((pod) => pod.spec?.containers[0]?.env?.[0]?.value);
  expect(indexes.sort()).toEqual(["0", "1"]);
  expect((await done("bad", "Failed")).status?.conditions?.[0]).toMatchObject({
    reason: "BackoffLimitExceeded",
    message: "Job has reached the specified backoff limit",
  });
});

test("a cron job starts what is due, forbids what overlaps, and keeps its history short", async () => {
  harness = await start({ finish: (pod) => (pod.metadata.labels?.["app"] === "long" ? undefined : "Succeeded") });
  const { api, until } = harness;
  const anHourAgo = new Date(Date.now() - 3_600_000).toISOString();
  const cronJob = (name: string, more: object): KubeObject => ({
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name, namespace: "default" },
    spec: {
      schedule: "* * * * *",
      jobTemplate: { spec: { template: { metadata: { labels: { app: name } }, spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x:1" }] } } } },
      ...more,
    },
  });
  await api.apply(
    cronJob("idle", { suspend: true }),
    cronJob("short", {}),
    cronJob("long", { concurrencyPolicy: "Forbid" }),
    cronJob("late", { startingDeadlineSeconds: 0, schedule: "0 0 1 1 *" }),
  );
  const status = (name: string) => (api.get("cronjobs", name, "default") as CronJob).status;
  for (const name of ["idle", "short", "long", "late"])
    await api.send("PATCH", `/apis/batch/v1/namespaces/default/cronjobs/${name}/status`, { status: { lastScheduleTime: anHourAgo } });
  await until("success", () => status("short")?.lastSuccessfulTime);
  const jobs = (name: string) => api.all("jobs").filter((job) => job.metadata.name.startsWith(`${name}-`));
  expect([jobs("idle").length, jobs("late").length]).toEqual([0, 0]);
  expect(jobs("short").length).toBe(1);
  expect(jobs("short")[0]?.metadata.name).toBe(`short-${Math.floor(Date.parse(status("short")?.lastScheduleTime ?? "") / 60_000)}`);
  await until("running", () => status("long")?.active?.length === 1);
  await api.send("PATCH", "/apis/batch/v1/namespaces/default/cronjobs/long/status", { status: { lastScheduleTime: anHourAgo } });
  await until("said why", () => api.all("events").some((event) => event["reason"] === "JobAlreadyActive"));
  expect(jobs("long").length).toBe(1);
});
