import { expect, test } from "bun:test";
import { manifestText } from "./manifest.ts";
import { mergeInputs } from "./operator.ts";
import { readSettings, type InstallSettings } from "./settings.ts";

const settings = (...sets: string[]): InstallSettings => readSettings(mergeInputs([], sets));
/** `kind/name` of everything that would be applied. */
const made = (...sets: string[]): string[] =>
  manifestText(settings(...sets))
    .split("---\n")
    .filter((text) => text.trim() !== "")
    .map((text) => {
      const { kind, metadata } = Bun.YAML.parse(text) as { kind: string; metadata: { name: string } };
      return `${kind}/${metadata.name}`;
    });

test("profiles: which parts there are", () => {
  expect(settings().components).toEqual({ base: true, pilot: true, ingress: true, egress: false, console: true, metrics: true });
  expect(settings("profile=demo").components.egress).toBeTrue();
  expect(settings("profile=minimal").components).toEqual({ base: true, pilot: true, ingress: false, egress: false, console: false, metrics: false });
  expect(settings("profile=empty", "components.pilot.enabled=true").components).toEqual({
    base: false,
    pilot: true,
    ingress: false,
    egress: false,
    console: false,
    metrics: false,
  });
  expect(settings("components.egressGateways[0].enabled=true", "components.ingressGateways[0].enabled=false").components).toMatchObject({
    ingress: false,
    egress: true,
  });
  expect(() => settings("profile=nosuch")).toThrow('profile "nosuch" not found');
  expect(() => settings("profile=ambient")).toThrow("needs ztunnel and waypoints");
});

test("values have their places: namespace, hub, tag, revision, mesh and injection", () => {
  const { values, ownImages } = settings(
    "hub=registry.example.com/mesh",
    "tag=7",
    "revision=canary",
    "values.global.istioNamespace=mesh",
    "meshConfig.trustDomain=example.com",
    "meshConfig.defaultConfig.concurrency=1",
    "values.global.proxy.logLevel=debug",
  );
  expect(ownImages).toBeTrue();
  expect(values).toMatchObject({
    hub: "registry.example.com/mesh",
    version: "7",
    revision: "canary",
    namespace: "mesh",
    trustDomain: "example.com",
    injection: { global: { proxy: { logLevel: "debug", image: "proxyv2" } } },
  });
  // One field of defaultConfig leaves the others.
  expect(values.meshConfig?.defaultConfig).toMatchObject({ concurrency: 1, discoveryAddress: "istiod-canary.mesh.svc:15012" });
});

test("what nothing reads is refused by name, or left out with a word by force", () => {
  expect(() => settings("values.pilot.autoscaleMax=9", "components.cni.enabled=true")).toThrow(
    "Chainmail has no place for these settings: components.cni.enabled, values.pilot.autoscaleMax",
  );
  const warnings: string[] = [];
  expect(readSettings(mergeInputs([], ["values.pilot.autoscaleMax=9"]), { force: true, warn: (text) => void warnings.push(text) }).profile).toBe("default");
  expect(warnings).toEqual(["Chainmail has no place for these settings: values.pilot.autoscaleMax"]);
  expect(() => settings("components.pilot.enabled=maybe")).toThrow("takes true or false");
  expect(() => settings("values.chainmail.proxy=nginx")).toThrow("either chainmail or envoy");
});

test("the manifest can be applied from top to bottom: definitions first, addresses last", () => {
  const objects = made();
  expect(objects.findIndex((one) => !one.startsWith("CustomResourceDefinition/"))).toBeGreaterThan(10);
  expect(objects.lastIndexOf("Deployment/istiod")).toBeLessThan(objects.indexOf("Service/istiod"));
  expect(objects.indexOf("ServiceAccount/istiod")).toBeLessThan(objects.indexOf("ConfigMap/istio"));
  expect(objects).toContain("Deployment/istio-ingressgateway");
  expect(made("profile=minimal").filter((one) => one.startsWith("Deployment/"))).toEqual(["Deployment/istiod"]);
  expect(made("profile=empty")).toEqual([]);
});

test("how many istiods there are, by either name", () => {
  expect(settings("components.pilot.k8s.replicaCount=2").values.replicas).toBe(2);
  expect(manifestText(settings("values.pilot.replicaCount=3"))).toMatch(/name: istiod\n[\s\S]*?replicas: 3/);
  expect(() => settings("values.pilot.replicaCount=many")).toThrow("values.pilot.replicaCount takes a number");
});

test("every image comes from the hub, and every object can be found again", () => {
  const text = manifestText(settings("hub=registry.example.com/mesh", "tag=7"));
  const images = [...text.matchAll(/image: ([^" ]*\/.*)$/gm)].map(([, image]) => image);
  expect(images.length).toBeGreaterThan(3);
  for (const image of images) expect(image).toStartWith("registry.example.com/mesh/");
  for (const part of text.split("---\n").filter((one) => one.trim() !== "")) expect(part).toContain("operator.istio.io/component: ");
});
