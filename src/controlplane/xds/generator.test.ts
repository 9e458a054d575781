import { describe, expect, test } from "bun:test";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { loadRegistry, XDS_TYPES } from "../../proto/index.ts";
import type { KubeObject } from "../../resources/index.ts";
import { isRegistryKind, ObjectStore, SnapshotBuilder, type MeshSnapshot } from "../registry/index.ts";
import { createGenerator } from "./generator.ts";
import { parseNode } from "./node.ts";
import type { ProxyNode, XdsResource } from "./types.ts";

const { CDS, EDS, LDS, RDS, NDS } = XDS_TYPES;

describe("what a change costs", () => {
  test("STRICT changes the inbound listener and nothing that clients have", () => {
    const builder = mesh();
    const generator = createGenerator();
    const node = nodeOf("web-1", "10.0.0.1");
    const { snapshot: before } = builder.build();
    const old = {
      cds: generator.generate(node, before, CDS),
      lds: generator.generate(node, before, LDS),
      eds: generator.generate(node, before, EDS, ["outbound|80||web.shop.svc.cluster.local"]),
    };
    put(builder, strict());
    const { snapshot, change } = builder.build();
    expect([...generator.affected(node, snapshot, change, []).keys()]).toContain(LDS);
    expect(generator.generate(node, snapshot, CDS)).toEqual(old.cds);
    expect(generator.generate(node, snapshot, EDS, ["outbound|80||web.shop.svc.cluster.local"])).toEqual(old.eds);
    const lds = generator.generate(node, snapshot, LDS);
    expect(lds.filter(({ version }, index) => version !== old.lds[index]?.version).map(({ name }) => name)).toEqual(["virtualInbound"]);
  });

  test("pods that see the same share the same bytes", () => {
    const { snapshot } = mesh().build();
    const generator = createGenerator();
    for (const type of [CDS, LDS]) {
      const [a, b] = [nodeOf("web-1", "10.0.0.1"), nodeOf("web-2", "10.0.0.2")].map((node) => generator.generate(node, snapshot, type));
      expect(a?.length).toBeGreaterThan(0);
      for (const [index, resource] of (a ?? []).entries()) expect(b?.[index]).toBe(resource);
    }
  });

  test("namespaces that see the same share what they see; those that do not, do not", () => {
    const builder = mesh();
    const { snapshot } = builder.build();
    const generator = createGenerator();
    const endpoints = ["outbound|80||web.shop.svc.cluster.local"];
    const elsewhere = nodeOf("job-1", "10.0.0.9", {}, "batch");
    // Listeners say to spans whose they are.
    const outbound = (list: readonly XdsResource[]) => list.filter(({ name }) => !name.startsWith("inbound"));
    const shared = (at: MeshSnapshot) =>
      [CDS, EDS].map((type) => {
        const [here, there] = [nodeOf("web-1", "10.0.0.1"), elsewhere].map((node) =>
          outbound(generator.generate(node, at, type, type === EDS ? endpoints : undefined)),
        );
        return here?.length === there?.length && here?.every((resource, index) => resource === there?.[index]);
      });
    expect(shared(snapshot)).toEqual([true, true]);
    put(builder, {
      apiVersion: "networking.istio.io/v1",
      kind: "DestinationRule",
      metadata: { name: "web", namespace: "batch" },
      spec: { host: "web.shop.svc.cluster.local", trafficPolicy: { tls: { mode: "DISABLE" } } },
    } as KubeObject);
    expect(shared(builder.build().snapshot)).toEqual([false, false]);
  });

  test.each([[["~"]], [["batch"]]])("a route of a namespace reaches its own service, exported to %p", (exportTo) => {
    const builder = mesh();
    const service = (name: string, annotations: Record<string, string> = {}) =>
      put(builder, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace: "shop", annotations, creationTimestamp: "2026-01-01T00:00:00Z" },
        spec: { clusterIP: "10.96.0.77", selector: { app: name }, ports: [{ name: "http", port: 80 }] },
      } as KubeObject);
    service("hidden", { "networking.istio.io/exportTo": exportTo.join() });
    const route = { route: [{ destination: { host: "hidden.shop.svc.cluster.local" } }] };
    put(builder, {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "to", namespace: "shop" },
      spec: { hosts: ["web"], http: [route] },
    } as KubeObject);
    const { snapshot } = builder.build();
    const generator = createGenerator();
    // Whoever sees what all see has been asked for first.
    generator.generate(nodeOf("other-1", "10.0.0.8", {}, "elsewhere"), snapshot, CDS);
    expect(generator.generate(nodeOf("web-1", "10.0.0.1"), snapshot, CDS).map(({ name }) => name)).toContain("outbound|80||hidden.shop.svc.cluster.local");
  });

  test("policies of other workloads cost a proxy nothing", () => {
    const builder = mesh();
    const generator = createGenerator();
    const node = nodeOf("web-1", "10.0.0.1");
    const before = generator.generate(node, builder.build().snapshot, LDS);
    put(builder, {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "db", namespace: "shop" },
      spec: { selector: { matchLabels: { app: "db" } } },
    } as KubeObject);
    const after = generator.generate(node, builder.build().snapshot, LDS);
    for (const [index, resource] of before.entries()) expect(after[index]).toBe(resource);
  });
});

describe("answers", () => {
  test("a list stays the same object while nothing in it changes, whatever else does", () => {
    const builder = mesh();
    const generator = createGenerator();
    const [one, other] = [nodeOf("web-1", "10.0.0.1"), nodeOf("web-2", "10.0.0.2")];
    const endpoints = ["outbound|80||web.shop.svc.cluster.local"];
    const answers = (node: ProxyNode, snapshot: MeshSnapshot) =>
      (
        [
          [CDS, undefined],
          [LDS, undefined],
          [EDS, endpoints],
          [RDS, ["80"]],
        ] as const
      ).map(([type, names]) => generator.generate(node, snapshot, type, names));
    const first = answers(one, builder.build().snapshot);
    put(builder, strict("elsewhere"));
    const { snapshot } = builder.build();
    for (const node of [one, other]) for (const [index, list] of answers(node, snapshot).entries()) if (index !== 3) expect(list).toBe(first[index] as never);
  });

  test("a change of endpoints names the assignments that differ, and nothing else", () => {
    const builder = mesh();
    const generator = createGenerator();
    const node = nodeOf("web-1", "10.0.0.1");
    builder.build();
    put(builder, slice(["web-1", "10.0.0.1"]));
    const { snapshot, change } = builder.build();
    const names = [
      "outbound|80||web.shop.svc.cluster.local",
      "outbound|80|v1|web.shop.svc.cluster.local",
      "outbound|80||other.shop.svc.cluster.local",
      "nonsense",
    ];
    expect([...generator.affected(node, snapshot, change, names)]).toEqual([[EDS, names.slice(0, 2)]]);
  });

  test("routes that do not exist are empty, endpoints of no service as well, other names are left out", () => {
    const { snapshot } = mesh().build();
    const generator = createGenerator();
    const node = nodeOf("web-1", "10.0.0.1");
    expect(generator.generate(node, snapshot, RDS, ["nonsense", "99999", "x:80"]).map(({ name }) => name)).toEqual(["nonsense", "99999", "x:80"]);
    expect(generator.generate(node, snapshot, EDS, ["outbound|80||gone.shop.svc.cluster.local", "nonsense"]).map(({ name }) => name)).toEqual([
      "outbound|80||gone.shop.svc.cluster.local",
    ]);
    expect(generator.generate(node, snapshot, NDS)).toHaveLength(1);
    expect(generator.generate(node, snapshot, "type.googleapis.com/unknown")).toEqual([]);
  });

  test("a plain Envoy is told of none of Istio's filters", async () => {
    const registry = await loadRegistry();
    const { snapshot } = mesh().build();
    const generator = createGenerator();
    const node = nodeOf("web-1", "10.0.0.1", { CHAINMAIL_DIALECT: "envoy" });
    const resources = [...generator.generate(node, snapshot, LDS), ...generator.generate(node, snapshot, CDS)].map(({ typeUrl, value }) => {
      const schema = registry.getMessage(typeUrl.slice(typeUrl.indexOf("/") + 1));
      return schema ? JSON.stringify(toJson(schema, fromBinary(schema, value), { registry })) : "";
    });
    for (const own of ['"name":"istio.', "stats.PluginConfig", '"alpnProtocols":["istio-peer-exchange"'])
      expect(resources.filter((text) => text.includes(own)).length).toBe(0);
  });

  test("a token whose keys are not known is refused by a key that nobody has", () => {
    const builder = mesh();
    put(builder, {
      apiVersion: "security.istio.io/v1",
      kind: "RequestAuthentication",
      metadata: { name: "j", namespace: "shop" },
      spec: { jwtRules: [{ issuer: "i", jwksUri: "https://keys.example.com" }] },
    } as KubeObject);
    const inbound = createGenerator().generate(nodeOf("web-1", "10.0.0.1"), builder.build().snapshot, LDS, ["virtualInbound"]);
    const text = Buffer.from(inbound[0]?.value ?? new Uint8Array()).toString("latin1");
    expect(text).toContain('"kid":"unavailable"');
    expect(text).not.toContain('"d":');
  });
});

function mesh(): SnapshotBuilder {
  const builder = new SnapshotBuilder(new ObjectStore());
  const pod = (name: string, ip: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", labels: { app: "web", "security.istio.io/tlsMode": "istio" } },
    spec: { serviceAccountName: "web" },
    status: { podIP: ip, phase: "Running" },
  });
  const objects = [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "shop" },
      spec: { clusterIP: "10.96.0.1", selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    },
    pod("web-1", "10.0.0.1"),
    pod("web-2", "10.0.0.2"),
    slice(["web-1", "10.0.0.1"], ["web-2", "10.0.0.2"]),
  ];
  for (const object of objects) put(builder, object as KubeObject);
  return builder;
}

function slice(...pods: [name: string, ip: string][]): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: pods.map(([name, ip]) => ({ addresses: [ip], conditions: { ready: true }, targetRef: { kind: "Pod", name, namespace: "shop" } })),
  } as KubeObject;
}

function strict(namespace = "istio-system"): KubeObject {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace },
    spec: { mtls: { mode: "STRICT" } },
  } as KubeObject;
}

function put(builder: SnapshotBuilder, object: KubeObject): void {
  if (isRegistryKind(object.kind)) builder.set(object.kind, object);
}

function nodeOf(pod: string, ip: string, metadata: Record<string, unknown> = {}, namespace = "shop") {
  return parseNode(`sidecar~${ip}~${pod}.${namespace}~${namespace}.svc.cluster.local`, {
    NAMESPACE: namespace,
    INSTANCE_IPS: ip,
    LABELS: { app: "web" },
    CLUSTER_ID: "Kubernetes",
    ...metadata,
  });
}
