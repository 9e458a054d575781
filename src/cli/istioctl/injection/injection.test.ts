import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultValues, parseTemplates } from "../../../controlplane/injection/index.ts";
import { meshManifests } from "../../../controlplane/install/index.ts";
import { parseMeshConfig } from "../../../controlplane/registry/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { injectionVerdicts, verdictTable } from "./check-inject.ts";
import { injectableNamespaces, injectorTables, proxyImage } from "./injector-list.ts";
import { injectDocuments } from "./kube-inject.ts";

const configuration = (revision = "default"): KubeObject =>
  meshManifests({ revision }).find(({ kind }) => kind === "MutatingWebhookConfiguration") as KubeObject;
const plain = (text: string): string => Bun.stripANSI(text);
const reason = (pod: Record<string, string>, namespace: Record<string, string>, configurations = [configuration()]): string => {
  const [verdict] = injectionVerdicts(configurations, pod, namespace);
  return `${verdict?.injected ? "yes" : "no"}: ${verdict?.reason}`;
};

test("check-inject: the label that decides is named", () => {
  expect(reason({}, { "istio-injection": "enabled" })).toBe("yes: Namespace label istio-injection=enabled matches");
  expect(reason({ "sidecar.istio.io/inject": "true" }, {})).toBe("yes: Pod label sidecar.istio.io/inject=true matches");
  expect(reason({ "istio.io/rev": "default" }, {})).toBe("yes: Pod label istio.io/rev=default matches");
  expect(reason({ "sidecar.istio.io/inject": "false" }, { "istio-injection": "enabled" })).toBe(
    "no: Pod has sidecar.istio.io/inject=false label, preventing injection",
  );
  expect(reason({ "sidecar.istio.io/inject": "true" }, { "istio-injection": "disabled" })).toContain(
    "no: Namespace has istio-injection=disabled label, preventing injection",
  );
  expect(reason({}, {})).toContain("no: No matching namespace labels (");
});

test("check-inject: webhooks of several revisions, one of which is switched off", () => {
  const canary = configuration("canary");
  const never = { matchLabels: { "istio.io/deactivated": "never-match" } };
  const off = { ...configuration(), webhooks: [{ name: "rev.namespace.sidecar-injector.istio.io", namespaceSelector: never, objectSelector: never }] };
  expect(reason({}, { "istio-injection": "enabled" }, [off])).toBe("no: The injection webhook is deactivated, and will never match labels.");
  const table = plain(verdictTable(injectionVerdicts([configuration(), canary], {}, { "istio.io/rev": "canary" })));
  expect(table).toMatch(/^WEBHOOK +REVISION +INJECTED +REASON\n/);
  expect(table).toMatch(/canary +✔ +Namespace label istio.io\/rev=canary matches/);
  expect(verdictTable([])).toBe("ERROR: no Istio injection hooks present.\n");
  expect(
    verdictTable(
      injectionVerdicts(
        [configuration(), { ...configuration(), metadata: { ...configuration().metadata, name: "twin" } }],
        {},
        { "istio-injection": "enabled" },
      ),
    ),
  ).toEndWith("ERROR: multiple webhooks will inject, which can lead to errors");
});

test("injector list: pods by revision, those that must restart, and where webhooks are missing", () => {
  const namespace = (name: string, labels: Record<string, string> = {}): KubeObject => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  const pod = (space: string, more: Partial<KubeObject["metadata"]>): KubeObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: space, ...more },
  });
  const all = [
    namespace("shop", { "istio-injection": "enabled" }),
    namespace("lost", { "istio.io/rev": "gone" }),
    namespace("kube-system"),
    namespace("istio-system"),
    namespace("mist", { "istio.io/dataplane-mode": "ambient" }),
  ];
  const namespaces = injectableNamespaces(all, "istio-system");
  expect(namespaces.map(({ metadata }) => metadata.name)).toEqual(["lost", "shop"]);
  const pods = [
    pod("shop", { annotations: { "istio.io/rev": "default" } }),
    pod("shop", { annotations: { "sidecar.istio.io/status": '{"revision":"old"}' } }),
    pod("shop", { annotations: { "sidecar.istio.io/status": "no JSON" }, labels: { "sidecar.istio.io/inject": "false" } }),
  ];
  const maps = meshManifests().filter(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "istio-sidecar-injector");
  expect(injectorTables({ namespaces, configurations: [configuration()], pods, configMaps: maps })).toBe(`NAMESPACE ISTIO-REVISION POD-REVISIONS
lost      MISSING/gone   <no pods>
shop      default        default: 1
shop      default        old: 1 NEEDS RESTART: 1
shop      default        <non-Istio>: 1 (injection disabled: 1)

NAMESPACES INJECTOR-HOOK          ISTIO-REVISION SIDECAR-IMAGE
shop       istio-sidecar-injector default        ${proxyImage(maps[0] as KubeObject)}
`);
  expect(injectorTables({ namespaces: [], configurations: [], pods: [], configMaps: [] })).toBe(
    "No Istio injected namespaces present.\n\nNo Istio injection hooks present.\n",
  );
});

const context = { mesh: parseMeshConfig(""), values: defaultValues(), proxyConfigs: [], nativeSidecars: true };

test("kube-inject: pods, templates and jobs get sidecars; everything else keeps its text", () => {
  const service = "# an address\nkind: Service\nmetadata: {name: s}";
  const cron =
    "kind: CronJob\napiVersion: batch/v1\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: i}]}}}}}\n";
  const deployment =
    "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: d, namespace: shop}\nspec: {template: {metadata: {labels: {app: d}}, spec: {containers: [{name: d, image: i}]}}}\n";
  const parts = injectDocuments(`${service}\n---\n# only a comment\n---\n${cron}---\n${deployment}`, "default", context).split("---\n");
  expect(parts).toHaveLength(4);
  expect(parts[0]).toBe(`${service}\n`);
  for (const part of parts.slice(1, 3)) expect(part).toContain("name: istio-proxy");
  expect(Bun.YAML.parse(parts[2] ?? "")).toMatchObject({ spec: { template: { metadata: { labels: { app: "d", "security.istio.io/tlsMode": "istio" } } } } });
  expect(parts[2]).toContain("value: kubernetes://apis/apps/v1/namespaces/shop/deployments/d");
  expect(parts[2]).not.toContain("ownerReferences");
});

test("kube-inject: who says no gets none, and what is no YAML is refused", () => {
  const pod = "kind: Pod\nmetadata: {name: p, labels: {sidecar.istio.io/inject: 'false'}}\nspec: {containers: [{name: c, image: i}]}";
  const skipped: string[] = [];
  const written = injectDocuments(`${pod}\n---\nkind: Service\nspec: {a: b}\n`, "default", { ...context, skipped: (reason) => void skipped.push(reason) });
  // What has pods is written as Go writes it, whatever becomes of it.
  expect(written).toBe(
    'kind: Pod\nmetadata:\n  labels:\n    sidecar.istio.io/inject: "false"\n  name: p\nspec:\n  containers:\n  - image: i\n    name: c\n    resources: {}\nstatus: {}\n---\nkind: Service\nspec: {a: b}\n---\n',
  );
  expect(skipped).toEqual(['===> Skipping injection because Pod "p" has sidecar injection disabled\n']);
  expect(() => injectDocuments("a: [", "default", context)).toThrow("error converting YAML to JSON");
  const list = `kind: List\nitems:\n- ${pod.replaceAll("\n", "\n  ").replace("'false'", "'true'")}\n`;
  expect(injectDocuments(list, "default", context)).toContain("name: istio-proxy");
});

test("kube-inject with templates of one's own writes what Istio's writes, letter by letter", () => {
  const read = (name: string): string => readFileSync(join(import.meta.dir, "../../../controlplane/injection/testdata/templates", name), "utf8");
  const values = defaultValues();
  const templates = parseTemplates(JSON.stringify(values), read("config.yaml"));
  const mesh = parseMeshConfig("defaultConfig: {discoveryAddress: istiod.istio-system.svc:15012}");
  expect(injectDocuments(read("pods.yaml"), "default", { values, mesh, proxyConfigs: [], nativeSidecars: false, templates })).toBe(read("injected.yaml"));
});
