import { expect, test } from "bun:test";
import { meshManifests } from "../../../controlplane/install/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { tagObjects, type TagSource } from "./tag-objects.ts";
import { tagsOf, tagTable } from "./tags.ts";

const labelled = (labels: Record<string, string>, name = "x"): KubeObject => ({ apiVersion: "v1", kind: "Service", metadata: { name, labels } });

test("a revision is listed by its tags, and alone only where it has none", () => {
  const objects = [
    labelled({ "istio.io/rev": "default" }),
    labelled({ "istio.io/rev": "canary", "istio.io/tag": "prod" }),
    labelled({ "istio.io/rev": "canary" }),
    labelled({ "istio.io/rev": "canary", "istio.io/tag": "prod" }),
  ];
  const tags = tagsOf(objects, [
    labelled({ "istio.io/rev": "prod" }, "shop"),
    labelled({ "istio.io/rev": "prod" }, "bank"),
    labelled({ "istio.io/rev": "other" }, "odd"),
  ]);
  expect(tags).toEqual([
    { tag: "prod", revision: "canary", namespaces: ["shop", "bank"] },
    { tag: "", revision: "default", namespaces: [] },
  ]);
  expect(tagTable(tags)).toBe("TAG  REVISION NAMESPACES\nprod canary   shop,bank\n     default  \n");
});

const own = (kind: string): KubeObject =>
  meshManifests({ revision: "canary" }).find((one) => one.kind === kind && (kind !== "Service" || one.metadata.labels?.app === "istiod")) as KubeObject;
const source = (tag: string, more: Partial<TagSource> = {}): TagSource => ({
  tag,
  revision: "canary",
  istioNamespace: "istio-system",
  webhookName: undefined,
  everywhere: false,
  webhook: own("MutatingWebhookConfiguration"),
  service: own("Service"),
  validator: undefined,
  ...more,
});

interface Hook {
  name: string;
  namespaceSelector: { matchExpressions: { key: string; operator: string; values?: string[] }[] };
  clientConfig: { service?: { name: string } };
}

const hooksOf = (configuration: KubeObject | undefined): Hook[] => (configuration?.webhooks ?? []) as Hook[];

test("a tag's webhooks ask for the tag and lead to the revision; its service has no node ports", () => {
  const [injector, service, ...rest] = tagObjects(
    source("prod", { service: { ...own("Service"), spec: { selector: { app: "istiod" }, ports: [{ name: "a", port: 1, nodePort: 30_000 }] } } }),
  );
  expect(rest).toEqual([]);
  expect(injector?.metadata).toMatchObject({ name: "istio-revision-tag-prod", labels: { "istio.io/rev": "canary", "istio.io/tag": "prod" } });
  const hooks = hooksOf(injector);
  expect(hooks.map(({ name }) => name)).toEqual(["rev.namespace.sidecar-injector.istio.io", "rev.object.sidecar-injector.istio.io"]);
  for (const { clientConfig, namespaceSelector } of hooks) {
    expect(clientConfig.service?.name).toBe("istiod-canary");
    for (const { key, operator, values } of namespaceSelector.matchExpressions)
      if (key === "istio.io/rev" && operator === "In") expect(values).toEqual(["prod"]);
  }
  expect(service).toMatchObject({
    metadata: { name: "istiod-revision-tag-prod", labels: { "istio.io/tag": "prod" } },
    spec: { selector: { app: "istiod" }, ports: [{ name: "a", port: 1 }] },
  });
  expect(JSON.stringify(service)).not.toContain("nodePort");
  // The installer must not take a user's tag for its own.
  expect(JSON.stringify([injector, service])).not.toContain("operator.istio.io");
});

test("the tag default takes over the namespaces of istio-injection, validation, and on demand those that say nothing", () => {
  const kinds = tagObjects(source("default")).map(({ kind }) => kind);
  expect(kinds).toEqual(["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "Service"]);
  const names = (everywhere: boolean): string[] => hooksOf(tagObjects(source("default", { everywhere, webhookName: "mine" }))[0]).map(({ name }) => name);
  expect(names(false)).toContain("namespace.sidecar-injector.istio.io");
  expect(names(false)).not.toContain("auto.sidecar-injector.istio.io");
  expect(names(true)).toContain("auto.sidecar-injector.istio.io");
});
