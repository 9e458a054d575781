import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeObject } from "../../../resources/types.ts";
import { tarGz } from "./archive.ts";
import { redacted } from "./redact.ts";
import { parseFilter, selects } from "./selection.ts";

test("the archive is one that tar reads, long names and other letters included", () => {
  const folder = mkdtempSync(join(tmpdir(), "archive-"));
  try {
    const long = `${"folder/".repeat(20)}file.txt`;
    writeFileSync(
      join(folder, "a.tar.gz"),
      tarGz(
        [
          { path: "a.txt", content: "hello\n" },
          { path: long, content: "grüße" },
          { path: "empty", content: "" },
        ],
        1_700_000_000_000,
      ),
    );
    const run = (...args: string[]): string => Bun.spawnSync(["tar", ...args], { cwd: folder, env: { ...process.env, TZ: "UTC" } }).stdout.toString();
    expect(run("tzf", "a.tar.gz").trim().split("\n")).toEqual(["a.txt", long, "empty"]);
    expect(run("xzOf", "a.tar.gz", long)).toBe("grüße");
    expect(run("tvzf", "a.tar.gz", "a.txt")).toMatch(/^-rw-------.* 6 2023-11-14 22:13/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("no secret leaves: contents of Secrets, variables that look like one, what kubectl noted", () => {
  const secret: KubeObject = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: "s",
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"k":"hunter2"}}', other: "kept" },
      managedFields: [],
    } as KubeObject["metadata"],
    data: { k: "hunter2" },
    stringData: { p: "hunter2" },
  };
  expect(redacted(secret) as object).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", annotations: { other: "kept" } },
    data: { k: "[redacted]" },
    stringData: { p: "[redacted]" },
  });
  const pod: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: {
      containers: [
        {
          name: "c",
          env: [
            { name: "DB_PASSWORD", value: "hunter2" },
            { name: "API_KEY", value: "hunter2" },
            { name: "COLOR", value: "blue" },
          ],
        },
      ],
    },
  };
  expect(JSON.stringify(redacted(pod))).not.toContain("hunter2");
  expect(JSON.stringify(redacted(pod))).toContain("blue");
  expect(JSON.stringify(pod)).toContain("hunter2");
});

test("filters: namespaces, deployments, pods, labels and annotations, with stars", () => {
  const pod: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web-5d4-x",
      namespace: "shop",
      labels: { app: "web" },
      annotations: { note: "a" },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-5d4", uid: "u", controller: true }],
    },
  };
  const takes = (include: string[], exclude: string[] = []): boolean => selects(pod, include.map(parseFilter), exclude.map(parseFilter));
  expect(takes([])).toBeTrue();
  expect(takes(["shop"])).toBeTrue();
  expect(takes(["other,sh*p"])).toBeTrue();
  expect(takes(["shop/web"])).toBeTrue();
  expect(takes(["shop/web-5d4"])).toBeFalse();
  expect(takes(["shop//web-*"])).toBeTrue();
  expect(takes(["shop///app=web"])).toBeTrue();
  expect(takes(["shop///app=we.*"])).toBeFalse();
  expect(takes(["///app/note=a"])).toBeTrue();
  expect(takes(["shop"], ["*//web-5d4-x"])).toBeFalse();
  expect(() => parseFilter("a/b/c/d/e/f/g")).toThrow("more than the six parts");
});
