import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startTestServer } from "../../src/cluster/apiserver/testing.ts";
import { istioCrds, type KubeObject, validateIstio } from "../../src/resources/index.ts";
import cases from "../golden/validation/cases.json";

const messages = new Map(
  readFileSync(join(import.meta.dir, "../golden/validation/messages.txt"), "utf8")
    .split(/^## /m)
    .slice(1)
    .map((part): [string, string] => {
      const [head = "", ...rest] = part.split("\n");
      return [head.split(" ")[0] ?? "", rest.join("\n").trimEnd()];
    }),
);

interface Cause {
  field: string;
  message: string;
}

test("what an API server with Istio's definitions and webhook refuses, as kubectl prints it", async () => {
  const api = await startTestServer();
  try {
    const crds = istioCrds();
    for (const crd of crds) expect((await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: crd })).status).toBe(201);
    await api.call("POST", "/api/v1/namespaces", { body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "istioinaction" } } });
    for (const [name, object] of Object.entries(cases as unknown as Record<string, KubeObject>)) {
      const plural = crds.find((crd) => crd.spec?.names.kind === object.kind)?.spec?.names.plural;
      const answer = await api.call("POST", `/apis/${object.apiVersion}/namespaces/istioinaction/${plural}?dryRun=All&fieldValidation=Strict`, {
        body: object,
      });
      expect([name, answer.status < 300 ? webhookText(object) : schemaText(object.kind, answer.body["details"] as { causes: Cause[] })]).toEqual([
        name,
        messages.get(name) ?? "",
      ]);
    }
  } finally {
    await api.close();
  }
});

function schemaText(kind: string, { causes }: { causes: Cause[] }): string {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`);
  return `The ${kind} "bad" is invalid: ${texts.length > 1 ? texts.map((text) => `\n* ${text}`).join("") : texts.join("")}`;
}

function webhookText(object: KubeObject): string {
  const { error, warnings } = validateIstio(object);
  if (error !== undefined) {
    return `Error from server: error when creating "STDIN": admission webhook "validation.istio.io" denied the request: configuration is invalid: ${error}`.trimEnd();
  }
  const created = `${object.kind.toLowerCase()}.${object.apiVersion.split("/")[0]}/bad created (server dry run)`;
  return [created, ...warnings.map((warning) => `Warning: ${warning}`)].join("\n");
}
