import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeObject } from "../../../resources/types.ts";
import { analyze, ANALYZERS, FILE_REFERENCE, findingsText } from "./analyze.ts";
import { fileObjects } from "./load.ts";
import { World, type Finding } from "./world.ts";

const folder = `${import.meta.dir}/../../../../test/golden/analyze`;
const recorded = JSON.parse(Buffer.from(Bun.gunzipSync(new Uint8Array(readFileSync(`${folder}/world.json.gz`)))).toString("utf8")) as { items: KubeObject[] };
const golden = (name: string): string => readFileSync(`${folder}/${name}`, "utf8");

const inNamespace = (namespace: string) => ({ about }: Finding): boolean => about.metadata.namespace === namespace || (about.kind === "Namespace" && about.metadata.name === namespace);
const codes = (objects: KubeObject[]): string[] => analyze(new World(objects, "istio-system"), () => true).map(({ code, message }) => `${code} ${message}`);
const object = (kind: string, name: string, spec: unknown, metadata: Record<string, unknown> = {}): KubeObject => ({ apiVersion: "v1", kind, metadata: { name, namespace: "ns", ...metadata }, spec });

test("the recorded mistakes give the recorded lines", () => {
  const inputs = fileObjects([`${folder}/input.yaml`], false, "istioinaction").map((candidate) => {
    Reflect.deleteProperty(candidate, FILE_REFERENCE);
    return candidate;
  });
  const findings = analyze(new World([...recorded.items, ...inputs], "istio-system"), inNamespace("istioinaction"));
  expect(findingsText(findings, "log")).toBe(`${golden("bad.txt").split("\n").slice(0, 7).join("\n")}\n`);
});

test("a clean namespace has no findings; a bare one is told how to join", () => {
  expect(analyze(new World(recorded.items, "istio-system"), inNamespace("istioinaction"))).toEqual([]);
  const all = analyze(new World(recorded.items, "istio-system"), () => true);
  expect(golden("clean.txt")).toContain(findingsText(all.filter(({ about }) => about.metadata.name === "default"), "log"));
});

test("findings as JSON and YAML, with the file they came from", () => {
  const place = mkdtempSync(join(tmpdir(), "analyze-"));
  const file = join(place, "a.yaml");
  writeFileSync(file, "# first\n---\n\nkind: Gateway\nmetadata: {name: g}\nspec: {selector: {a: b}, servers: []}\n");
  const findings = analyze(new World(fileObjects([place], true, "ns"), "istio-system"), ({ code }) => code === "IST0101");
  rmSync(place, { recursive: true });
  expect(findingsText(findings, "log")).toBe(`Error [IST0101] (Gateway ns/g ${file}:4) Referenced selector not found: "a=b"\n`);
  expect(JSON.parse(findingsText(findings, "json"))).toEqual([
    { code: "IST0101", documentationUrl: "https://istio.io/v1.30/docs/reference/config/analysis/ist0101/", level: "Error", message: 'Referenced selector not found: "a=b"', origin: "Gateway ns/g", reference: `${file}:4` },
  ]);
  expect(findingsText(findings, "yaml")).toStartWith("- code: IST0101\n  documentationUrl: https://");
  expect(findingsText([], "json")).toBe("[]\n");
});

test("security: unverified servers, reserved user, pods without a proxy, conflicting labels", () => {
  expect(codes([object("DestinationRule", "d", { host: "x.example.com", trafficPolicy: { tls: { mode: "SIMPLE" }, portLevelSettings: [{ port: { number: 443 }, tls: { mode: "MUTUAL", clientCertificate: "/c", privateKey: "/k" } }, { port: { number: 444 }, tls: { mode: "SIMPLE", caCertificates: "/ca" } }] } })])).toEqual([
    "IST0128 DestinationRule d in namespace ns has TLS mode set to SIMPLE but no caCertificates are set to validate server identity for host: x.example.com",
    "IST0129 DestinationRule d in namespace ns has TLS mode set to MUTUAL but no caCertificates are set to validate server identity for host: x.example.com at port number:443",
  ]);
  const namespace = (name: string, labels: Record<string, string>): KubeObject => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  expect(codes([namespace("ns", { "istio-injection": "enabled" }), object("Pod", "p", { containers: [{ name: "app", securityContext: { runAsUser: 1337 } }] })])).toEqual([
    "IST0103 The pod ns/p is missing the Istio proxy. This can often be resolved by restarting or redeploying the workload.",
    "IST0144 User ID (UID) 1337 is reserved for the sidecar proxy.",
  ]);
  expect(codes([namespace("both", { "istio-injection": "enabled", "istio.io/rev": "x" })])[0]).toStartWith("IST0123");
  const broken = object("DestinationRule", "d", { host: "x.example.com", trafficPolicy: { tls: { mode: "MUTUAL", caCertificates: "/ca" } } });
  expect(codes([broken])).toEqual(["IST0106 Schema validation error: client certificate required for mutual tls", "IST0106 Schema validation error: private key required for mutual tls"]);
  expect(codes([object("PeerAuthentication", "p", { portLevelMtls: { 80: { mode: "STRICT" } } })])[0]).toStartWith("IST0106 Schema validation error: ");
});

test("traffic: conflicts of hosts, gateways and sidecars; several ports; subsets without pods; wildcards are found", () => {
  const virtualService = (name: string, hosts: string[], extra: object = {}): KubeObject => object("VirtualService", name, { hosts, http: [{ route: [{ destination: { host: "a" } }] }], ...extra });
  const service = object("Service", "a", { selector: { app: "a" }, ports: [{ name: "http", port: 80 }, { name: "tcp-b", port: 81 }] });
  const found = codes([service, virtualService("one", ["a"]), virtualService("two", ["a.ns.svc.cluster.local"])]);
  expect(found.filter((line) => line.startsWith("IST0109"))).toHaveLength(2);
  expect(found.filter((line) => line.startsWith("IST0112"))[0]).toContain('service "a" that exposes multiple ports [80 81]');
  expect(codes([object("ServiceEntry", "e", { hosts: ["*.example.com"], ports: [{ number: 80, name: "http", protocol: "HTTP" }], resolution: "NONE", location: "MESH_EXTERNAL" }), object("VirtualService", "v", { hosts: ["x"], http: [{ route: [{ destination: { host: "a.example.com" } }] }] })]).filter((line) => line.includes("host not found"))).toEqual([]);
  const gateway = (name: string): KubeObject => object("Gateway", name, { selector: { istio: "gw" }, servers: [{ port: { number: 443, name: "https", protocol: "HTTPS" }, hosts: ["a.io"], tls: { mode: "SIMPLE", credentialName: "cert" } }] });
  const gatewayPod = object("Pod", "gw", { containers: [{ name: "istio-proxy" }] }, { labels: { istio: "gw" } });
  const secret: KubeObject = { apiVersion: "v1", kind: "Secret", metadata: { name: "cert", namespace: "ns" }, data: { "tls.crt": "eA==", "tls.key": "eA==" } };
  const lines = codes([gateway("g1"), gateway("g2"), gatewayPod, secret]);
  expect(lines.map((line) => line.slice(0, 7))).toEqual(["IST0145", "IST0145", "IST0161", "IST0161", "IST0138", "IST0138"]);
  expect(lines[0]).toBe("IST0145 Conflict with gateways ns/g2 (workload selector istio=gw, port 443, hosts a.io).");
  expect(codes([service, object("DestinationRule", "d", { host: "a", subsets: [{ name: "v9", labels: { version: "v9" } }] })])).toContain("IST0173 The Subset v9 defined in the DestinationRule does not select any pods. ");
  expect(codes([object("Sidecar", "s1", { egress: [{ hosts: ["*/*"] }] }), object("Sidecar", "s2", { egress: [{ hosts: ["*/*"] }] })]).filter((line) => line.startsWith("IST0111"))).toHaveLength(2);
});

test("every analyzer has a name and a description, each once", () => {
  expect(new Set(ANALYZERS.map(({ name }) => name)).size).toBe(ANALYZERS.length);
  for (const { description } of ANALYZERS) expect(description.length).toBeGreaterThan(10);
});
