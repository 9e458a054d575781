import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseNode } from "../controlplane/xds/index.ts";
import type { KubeObject } from "../resources/index.ts";
import { render, xdsCommand } from "./xds-render.ts";

const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "shop" },
  spec: { clusterIP: "10.96.0.1", ports: [{ name: "http", port: 80 }] },
} as KubeObject;

test("renders the clusters and listeners of a proxy and what those refer to", async () => {
  const rendered = await render([SERVICE], parseNode("sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local", { NAMESPACE: "shop" }));
  const names = (list: unknown[]) =>
    list.map((resource) => (resource as { name?: string; clusterName?: string }).name ?? (resource as { clusterName?: string }).clusterName);
  expect(names(rendered.cds)).toContain("outbound|80||web.shop.svc.cluster.local");
  expect(names(rendered.lds)).toContain("0.0.0.0_80");
  expect(names(rendered.rds)).toEqual(["80"]);
  expect(names(rendered.eds)).toEqual(["outbound|80||web.shop.svc.cluster.local"]);
});

test("says which file cannot be used, and why", async () => {
  const folder = mkdtempSync(join(tmpdir(), "render-"));
  try {
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const node = file("node.json", '{"NAME":"web-1","NAMESPACE":"shop"}');
    const objects = file("objects.yaml", JSON.stringify(SERVICE));
    const run = (objectsFile: string, nodeFile: string) => xdsCommand().parseAsync(["render", "--objects", objectsFile, "--node", nodeFile], { from: "user" });
    await expect(run(join(folder, "missing.yaml"), node)).rejects.toThrow(/missing.yaml cannot be read/);
    await expect(run(file("broken.yaml", "a: [b"), node)).rejects.toThrow(/broken.yaml is neither YAML nor JSON/);
    await expect(run(file("odd.yaml", "just: text"), node)).rejects.toThrow(/no Kubernetes object/);
    await expect(run(objects, file("bad.json", "{"))).rejects.toThrow(/bad.json is not JSON/);
    await expect(run(objects, file("nameless.json", "{}"))).rejects.toThrow(/NAME or NAMESPACE/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
