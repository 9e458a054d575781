import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "../../base/index.ts";
import { RevisionExpired, Store, type StoredObject, WriteConflict } from "./index.ts";

const PODS = "/pods";
const folders: string[] = [];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "chainmail-store-"));
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true });
});

function pod(name: string, namespace = "default", labels: Record<string, string> = {}) {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels }, spec: {} };
}

test("revisions grow over all kinds and survive a restart, deletions included", async () => {
  const path = join(folder(), "state.db");
  const store = new Store({ path });
  const a = await store.put(PODS, pod("a"), undefined);
  const b = await store.put("/configmaps", { ...pod("b"), kind: "ConfigMap" }, undefined);
  const gone = await store.remove(a);
  expect([a.revision, b.revision, gone.revision]).toEqual([2, 3, 4]);
  expect(gone.object.metadata.resourceVersion).toBe("4");
  store.close();

  const again = new Store({ path });
  expect(again.revision).toBe(4);
  expect(again.get(PODS, "default", "a")).toBeUndefined();
  const kept = again.get("/configmaps", "default", "b");
  expect(kept?.object).toEqual({ ...pod("b"), kind: "ConfigMap", metadata: { ...pod("b").metadata, resourceVersion: "3" } });
  expect((await again.put(PODS, pod("c"), undefined)).revision).toBe(5);
  // Nothing changed in ConfigMaps since 3: a watch may go on from there, but not from before.
  again.read("/configmaps", 3, () => {}).close();
  expect(() => again.read("/configmaps", 2, () => {})).toThrow(RevisionExpired);
  expect(() => again.read(PODS, 3, () => {})).toThrow("too old resource version: 3 (4)");
  again.close();
});

test("a write must be made from the newest version", async () => {
  const store = new Store({ path: ":memory:" });
  const first = await store.put(PODS, pod("a"), undefined);
  expect(() => store.put(PODS, pod("a"), undefined)).toThrow(WriteConflict);
  // The second write of the same turn sees the first, although it is not durable yet.
  const second = store.put(PODS, pod("a", "default", { x: "1" }), first);
  expect(() => store.put(PODS, pod("a"), first)).toThrow(WriteConflict);
  expect(() => store.remove(first)).toThrow(WriteConflict);
  expect((await second).object.metadata.labels).toEqual({ x: "1" });
  store.close();
});

test("writes of one turn become durable and visible to watches together", async () => {
  const store = new Store({ path: ":memory:" });
  let wakes = 0;
  const reader = store.read(PODS, store.revision, () => wakes++);
  const before = store.revision;
  const writes = [store.put(PODS, pod("a"), undefined), store.put(PODS, pod("b"), undefined)];
  expect(store.settled).toBeDefined();
  expect(store.revision).toBe(before);
  expect(reader.next()).toBeUndefined();
  await Promise.all(writes);
  expect(store.settled).toBeUndefined();
  expect(wakes).toBe(1);
  const seen = [reader.next(), reader.next(), reader.next()].map((change) => change && change !== "expired" && `${change.type} ${change.object.name}`);
  expect(seen as unknown[]).toEqual(["ADDED a", "ADDED b", undefined]);
  store.close();
});

test("lists are in key order, by namespace, from a key, and as of a revision", async () => {
  const store = new Store({ path: ":memory:" });
  for (const [name, namespace] of [
    ["b", "x"],
    ["a", "x"],
    ["a", "x-y"],
    ["c", "a"],
  ] as const)
    await store.put(PODS, pod(name, namespace), undefined);
  const keys = (objects: { key: string }[]) => objects.map((object) => object.key);
  expect(keys(store.list(PODS))).toEqual(["a/c", "x-y/a", "x/a", "x/b"]);
  expect(keys(store.list(PODS, "x"))).toEqual(["x/a", "x/b"]);
  expect(keys(store.list(PODS, undefined, "x/a\0"))).toEqual(["x/b"]);
  const then = store.revision;
  const removed = store.get(PODS, "x", "a");
  if (!removed) throw new Error("x/a is missing");
  await store.remove(removed);
  await store.put(PODS, pod("z", "x"), undefined);
  expect(keys(store.list(PODS, "x"))).toEqual(["x/b", "x/z"]);
  expect(keys(store.listAt(then, PODS, "x"))).toEqual(["x/a", "x/b"]);
  expect(store.listAt(then, PODS, "x")[0]).toBe(removed);
  store.close();
});

test("history is dropped by count and by age, and slow readers are told", async () => {
  const clock = new FakeClock();
  const store = new Store({ path: ":memory:", clock, history: { count: 1000, age: 1000, size: 1 << 20 } });
  const start = store.revision;
  const reader = store.read(PODS, start, () => {});
  for (let i = 0; i < 300; i++) void store.put(PODS, pod(`p${i}`), undefined);
  await store.settled;
  expect(store.oldest(PODS)).toBe(0);
  clock.advance(2000);
  await store.put(PODS, pod("late"), undefined);
  expect(store.oldest(PODS)).toBe(start + 300 - 255);
  expect(reader.next()).toBe("expired");
  expect(() => store.listAt(start, PODS)).toThrow(RevisionExpired);
  store.close();
});

test("a refused write leaves memory as it was, and reading goes on", async () => {
  const path = join(folder(), "state.db");
  const store = new Store({ path });
  const kept = await store.put(PODS, pod("kept"), undefined);
  // SQLite refuses values that cannot be bound: stands for a full disk.
  const broken = { ...pod("new"), kind: undefined as unknown as string };
  const results = await Promise.allSettled([store.put(PODS, pod("kept", "default", { x: "1" }), kept), store.put(PODS, broken, undefined)]);
  expect(results.map((result) => result.status)).toEqual(["rejected", "rejected"]);
  expect(store.get(PODS, "default", "kept")).toBe(kept);
  expect(store.list(PODS)).toHaveLength(1);
  await store.put(PODS, pod("after"), undefined);
  store.close();
  expect(new Store({ path }).list(PODS).map((object) => object.name)).toEqual(["after", "kept"]);
});

test("files are private, locked against a second cluster, and damage is named", async () => {
  const directory = folder();
  const path = join(directory, "state.db");
  const store = new Store({ path });
  for (let i = 0; i < 500; i++) void store.put(PODS, pod(`p${i}`), undefined);
  await store.settled;
  for (const file of readdirSync(directory)) expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600);
  expect(() => new Store({ path })).toThrow(expect.objectContaining({ code: "STORE_LOCKED" }));
  store.close();
  const whole = readFileSync(path);
  // One page in the middle.
  writeFileSync(path, Buffer.concat([whole.subarray(0, 8192), Buffer.alloc(4096, 0xff), whole.subarray(12_288)]));
  expect(() => new Store({ path })).toThrow(expect.objectContaining({ code: "STORE_DAMAGED", hint: expect.stringContaining("mv ") }));
  truncateSync(path, 5000);
  expect(() => new Store({ path })).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }));
  writeFileSync(path, "x".repeat(8192));
  expect(() => new Store({ path })).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }));
});

test("a database of the first schema goes on: objects, revisions and removals", async () => {
  const path = join(folder(), "state.db");
  const old = new Database(path, { create: true });
  old.run(
    "CREATE TABLE objects (resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, api_version TEXT NOT NULL, kind TEXT NOT NULL, tail TEXT NOT NULL, PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID",
  );
  old.run("CREATE TABLE revisions (resource TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID");
  old.run("INSERT INTO revisions VALUES ('/pods', 7), ('/nodes', 9)");
  for (const name of ["b", "a"])
    old.run("INSERT INTO objects VALUES ('/pods', 'default', ?1, 5, 'v1', 'Pod', ?2)", [
      name,
      `"metadata":{"name":"${name}","namespace":"default","resourceVersion":"5"}}`,
    ]);
  old.run("PRAGMA user_version = 1");
  old.close();
  for (const round of [1, 2]) {
    const store = new Store({ path });
    expect(store.revision).toBe(8 + round);
    expect(store.list(PODS).map(({ name }) => name)).toEqual(["a", "b"]);
    const { object } = store.get(PODS, "default", "a") as StoredObject;
    await store.put(PODS, { ...object, metadata: { ...object.metadata, labels: { round: String(round) } } }, store.get(PODS, "default", "a"));
    store.close();
  }
  const store = new Store({ path });
  expect(store.get(PODS, "default", "a")?.metadata.labels).toEqual({ round: "2" });
  expect(store.get(PODS, "default", "b")?.revision).toBe(5);
  store.close();
});

test("the log has its full length from the start, since a file that grows makes each flush dearer", async () => {
  const path = join(folder(), "state.db");
  const store = new Store({ path });
  const { size } = statSync(`${path}-wal`);
  for (let i = 0; i < 20; i++) await store.put(PODS, pod(`p${i}`), undefined);
  expect(statSync(`${path}-wal`).size).toBe(size);
  store.close();
});

test("what was acknowledged is there after kill -9", async () => {
  const path = join(folder(), "state.db");
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "testdata", "writer.ts"), path], { stdout: "pipe" });
  const acknowledged: string[] = [];
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout as unknown as AsyncIterable<Uint8Array>) {
    acknowledged.push(...decoder.decode(chunk).split("\n").filter(Boolean));
    if (acknowledged.length >= 50) child.kill("SIGKILL");
  }
  await child.exited;
  const store = new Store({ path });
  // The last line may be cut; every whole one is `name revision`.
  const lines = acknowledged.slice(0, -1).map((line) => line.split(" "));
  expect(lines.length).toBeGreaterThan(40);
  for (const [name = "", revision] of lines) expect(String(store.get(PODS, "default", name)?.revision)).toBe(revision as string);
  expect(store.revision).toBeGreaterThanOrEqual(Number(lines.at(-1)?.[1]));
  store.close();
});
