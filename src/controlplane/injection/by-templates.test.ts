import { expect, test } from "bun:test";
import type { Pod } from "../../resources/index.ts";
import { defaultMeshConfig } from "../registry/index.ts";
import { parseTemplates } from "./custom-templates.ts";
import { injectSidecar } from "./inject.ts";
import { defaultValues } from "./values.ts";

const CUSTOM =
  "spec:\n  containers:\n  - {name: istio-proxy, env: [{name: OWN, value: '{{ .Values.own }}'}]}\n  - {name: helper, image: helper}\n  volumes:\n  - {name: extra, emptyDir: {}}\n";

function inject(annotations: Record<string, string>, more: object = {}, nativeSidecars = false): Pod {
  const values = { own: "mine", sidecarInjectorWebhook: { templates: { custom: CUSTOM, ...more }, aliases: { both: ["sidecar", "custom"] } } };
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", annotations },
    spec: { containers: [{ name: "app", image: "a", readinessProbe: { httpGet: { port: 80 } } }] },
  };
  return injectSidecar(pod, "ns", {
    values: defaultValues(),
    mesh: defaultMeshConfig(),
    proxyConfigs: [],
    nativeSidecars,
    templates: parseTemplates(JSON.stringify(values), ""),
  });
}

const namesOf = (pod: Pod): string[] => (pod.spec?.containers ?? []).map(({ name }) => name);

test("a template of one's own beside the built-in one, also by an alias", () => {
  for (const templates of ["sidecar,custom", "both"]) {
    const pod = inject({ "inject.istio.io/templates": templates });
    expect(namesOf(pod).sort()).toEqual(["app", "helper", "istio-proxy"]);
    expect(pod.spec?.containers.find(({ name }) => name === "istio-proxy")?.env?.filter(({ name }) => name === "OWN")).toEqual([
      { name: "OWN", value: "mine" },
    ]);
    const status = JSON.parse(pod.metadata.annotations?.["sidecar.istio.io/status"] ?? "{}") as { containers: string[]; volumes: string[] };
    expect(status.containers).toEqual(["istio-proxy", "helper"]);
    expect(status.volumes).toContain("extra");
    expect(pod.spec?.containers.find(({ name }) => name === "app")?.readinessProbe?.httpGet?.port).toBe(15_020);
  }
});

test("beside a native sidecar it changes that one, and makes no second", () => {
  const { spec } = inject({ "inject.istio.io/templates": "sidecar,custom" }, {}, true);
  expect(spec?.containers.map(({ name }) => name).sort()).toEqual(["app", "helper"]);
  const proxies = spec?.initContainers?.filter(({ name }) => name === "istio-proxy") ?? [];
  expect(proxies).toHaveLength(1);
  expect(proxies[0]?.env?.some(({ name }) => name === "OWN")).toBe(true);
});

test("alone it is all that a pod gets, and one in the place of the built-in one is used instead of it", () => {
  const alone = inject({ "inject.istio.io/templates": "custom" });
  expect(alone.spec?.initContainers).toBeUndefined();
  expect(namesOf(alone)).toEqual(["helper", "app", "istio-proxy"]);
  const instead = inject({}, { sidecar: "metadata:\n  labels: {made: '{{ .ObjectMeta.Name }}'}\n" });
  expect(namesOf(instead)).toEqual(["app"]);
  expect(instead.metadata.labels).toEqual({ made: "p" });
  expect(instead.spec?.containers[0]?.readinessProbe?.httpGet?.port).toBe(80);
});

test("what is wrong is told to whoever makes the pod", () => {
  expect(() => inject({ "inject.istio.io/templates": "sidecar,nope" })).toThrow('requested template "nope" not found; have [sidecar, gateway, custom]');
  expect(() => inject({ "inject.istio.io/templates": "bad" }, { bad: "{{ nope }}" })).toThrow('function "nope" not defined');
  expect(() => inject({ "inject.istio.io/templates": "bad" }, { bad: "a: b\n  c: d\n" })).toThrow("failed parsing generated injected YAML");
});

test("templates are read where Istio keeps them, and where installations are told of them", () => {
  const { templates, defaultTemplates } = parseTemplates(
    JSON.stringify({ sidecarInjectorWebhook: { templates: { a: "new" }, defaultTemplates: ["a"] } }),
    "templates: {a: old, b: kept}\ndefaultTemplates: [b]\n",
  );
  expect([...templates]).toEqual([
    ["a", "new"],
    ["b", "kept"],
  ]);
  expect(defaultTemplates).toEqual(["a"]);
  expect(parseTemplates("", "").defaultTemplates).toEqual(["sidecar"]);
});
