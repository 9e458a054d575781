import { describe, expect, test } from "bun:test";
import { load } from "js-yaml";
import type { ConfigMap, Deployment, KubeObject, Pod, PodSpec, RoleBinding, Service, WebhookConfiguration } from "../../resources/index.ts";
import { parseValues } from "../injection/index.ts";
import { parseMeshConfig } from "../registry/mesh-config.ts";
import { meshManifests, removalOrder } from "./index.ts";
import { injectionValues, installValues } from "./values.ts";
import { webhookConfigurations } from "./webhooks.ts";

const objects = meshManifests({ version: "9.9.9" });
const find = <T extends KubeObject>(kind: string, name: string): T => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found as T;
};
const golden = (name: string): Promise<string> => Bun.file(new URL(`testdata/${name}`, import.meta.url)).text();

describe("as Istio installs it", () => {
  test("the mesh config is the demo profile's, text and all", async () => {
    const expected = load(await golden("istio-configmap.yaml")) as ConfigMap;
    expect(find<ConfigMap>("ConfigMap", "istio").data).toEqual(expected.data ?? {});
    expect(parseMeshConfig(find<ConfigMap>("ConfigMap", "istio").data?.["mesh"] ?? "").trustDomain).toBe("cluster.local");
  });

  test("webhooks: names, rules, selectors", async () => {
    const strip = ({ clientConfig: _client, failurePolicy: _policy, ...rest }: NonNullable<WebhookConfiguration["webhooks"]>[number]): unknown => rest;
    for (const expected of JSON.parse(await golden("webhooks.json")) as WebhookConfiguration[]) {
      const ours = find<WebhookConfiguration>(expected.kind, expected.metadata.name);
      const plain = (webhooks: WebhookConfiguration["webhooks"]): unknown[] => (webhooks ?? []).map(strip);
      expect(plain(ours.webhooks)).toEqual(plain(expected.webhooks?.map((w) => ({ ...w }))));
      for (const webhook of ours.webhooks ?? []) {
        expect(webhook.failurePolicy).toBe(expected.kind.startsWith("Mutating") ? "Fail" : "Ignore");
        expect(webhook.clientConfig.service).toMatchObject({ name: "istiod", namespace: "istio-system", port: 443 });
      }
    }
  });

  test("the gateway's pod", async () => {
    const [expected] = (load(await golden("ingressgateway-pod.yaml")) as { items: Pod[] }).items;
    const template = find<Deployment>("Deployment", "istio-ingressgateway").spec?.template;
    const theirs = expected?.spec?.containers[0];
    const ours = template?.spec.containers[0];
    if (!theirs || !ours) throw new Error("no container");
    expect(ours.args).toEqual(theirs.args ?? []);
    const env = (list: typeof ours.env): unknown[] =>
      (list ?? []).map(({ name, value, valueFrom }) => ({ name, value, valueFrom })).sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(env(ours.env)).toEqual(env(theirs.env));
    const mounts = (list: typeof ours.volumeMounts): unknown[] =>
      (list ?? []).filter(({ name }) => !name.startsWith("kube-api")).sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(mounts(ours.volumeMounts)).toEqual(mounts(theirs.volumeMounts));
    expect(ours.ports).toEqual(theirs.ports ?? []);
    expect(ours.resources).toEqual(theirs.resources ?? {});
    expect(ours.securityContext).toEqual(theirs.securityContext ?? {});
    const names = (spec: PodSpec | undefined): string[] => (spec?.volumes ?? []).map(({ name }) => name).filter((name) => !name.startsWith("kube-api"));
    expect(names(template?.spec)).toEqual(names(expected?.spec));
    for (const label of ["app", "istio", "istio.io/rev", "service.istio.io/canonical-name", "sidecar.istio.io/inject"])
      expect(template?.metadata?.labels?.[label]).toBe(expected?.metadata.labels?.[label]);
  });

  test("ports of the Services, node ports left open", () => {
    const ports = (name: string): string[] =>
      (find<Service>("Service", name).spec?.ports ?? []).map((p) => `${p.name} ${p.port} ${p.targetPort} ${p.nodePort ?? "-"}`);
    expect(ports("istio-ingressgateway")).toEqual([
      "status-port 15021 15021 -",
      "http2 80 8080 -",
      "https 443 8443 -",
      "tcp 31400 31400 -",
      "tls 15443 15443 -",
    ]);
    expect(ports("istiod")).toEqual(["grpc-xds 15010 15010 -", "https-dns 15012 15012 -", "https-webhook 443 15017 -", "http-monitoring 15014 15014 -"]);
    expect(find<Service>("Service", "istio-ingressgateway").spec?.type).toBe("LoadBalancer");
  });
});

test("images and values carry the version that is installed", () => {
  expect(find<Deployment>("Deployment", "istiod").spec?.template.spec.containers[0]?.image).toBe("chainmail/pilot:9.9.9");
  expect(parseValues(find<ConfigMap>("ConfigMap", "istio-sidecar-injector").data?.["values"] ?? "").global.tag).toBe("9.9.9");
});

test("nothing refers to what is not installed, and nothing comes twice", () => {
  const keys = objects.map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ""}/${metadata.name}`);
  expect(new Set(keys).size).toBe(keys.length);
  for (const binding of objects.filter(({ kind }) => kind.endsWith("RoleBinding")) as RoleBinding[]) {
    find(binding.roleRef.kind, binding.roleRef.name);
    for (const subject of binding.subjects ?? []) find("ServiceAccount", subject.name);
  }
  for (const deployment of objects.filter(({ kind }) => kind === "Deployment") as Deployment[]) {
    find("ServiceAccount", deployment.spec?.template.spec.serviceAccountName ?? "");
    const volumes = (deployment.spec?.template.spec.volumes ?? []).map(({ name }) => name);
    for (const mount of deployment.spec?.template.spec.containers[0]?.volumeMounts ?? []) expect(volumes).toContain(mount.name);
  }
});

test("injection without labels, where an installation wants it", () => {
  const names = (values: ReturnType<typeof installValues>): unknown => webhookConfigurations(values)[0]?.webhooks?.map(({ name }) => name);
  expect(names(installValues())).not.toContain("auto.sidecar-injector.istio.io");
  const { sidecarInjectorWebhook } = injectionValues(installValues());
  expect(names(installValues({ injection: { sidecarInjectorWebhook: { ...sidecarInjectorWebhook, enableNamespacesByDefault: true } } }))).toContain(
    "auto.sidecar-injector.istio.io",
  );
});

test("removal begins with the webhooks and ends with the namespace", () => {
  const order = removalOrder(objects);
  expect(order).toHaveLength(objects.length);
  expect(order[0]?.kind).toBe("MutatingWebhookConfiguration");
  expect(order.at(-1)?.kind).toBe("Namespace");
});

test("a revision's proxies, gateway and webhooks all lead to its own istiod, whose certificate has that name", async () => {
  const objects = meshManifests({ revision: "canary", namespace: "mesh" });
  const mesh = objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "istio-canary") as { data?: { mesh?: string } } | undefined;
  expect(mesh?.data?.mesh).toContain("discoveryAddress: istiod-canary.mesh.svc:15012");
  const gateway = JSON.stringify(objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "istio-ingressgateway"));
  expect(gateway).toContain('"istiod-canary.mesh.svc:15012"');
  expect(gateway).not.toContain("istiod.mesh.svc");
  const { servingNames } = await import("../server/serving-certificate.ts");
  expect(servingNames("mesh", "canary")).toContain("istiod-canary.mesh.svc");
  expect(servingNames("mesh")).not.toContain("istiod-default.mesh.svc");
});

test("two revisions in one cluster share nothing that goes with one of them", () => {
  const names = (revision: string): Set<string> =>
    new Set(
      meshManifests({ revision })
        .filter(
          ({ kind, metadata }) =>
            kind !== "CustomResourceDefinition" && kind !== "Namespace" && !/^istio-(ingressgateway|reader-service-account)/.test(metadata.name),
        )
        .map(({ kind, metadata }) => `${kind}/${metadata.name}`),
    );
  const [own, other] = [names("default"), names("canary")];
  expect([...own].filter((name) => other.has(name))).toEqual([]);
  const account = JSON.stringify(
    meshManifests({ revision: "canary" }).find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "istiod-canary"),
  );
  expect(account).toContain('"serviceAccountName":"istiod-canary"');
});
