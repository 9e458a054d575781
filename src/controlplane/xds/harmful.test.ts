import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { RouteConfigurationSchema } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import type { KubeObject } from "../../resources/index.ts";
import { snapshotOf } from "../registry/index.ts";
import { createGenerator, parseNode, type ProxyNode } from "./index.ts";

/* Objects that are valid and do harm: whatever one of them does to itself, everything else stays as it was. */

const GOLDEN = join(import.meta.dir, "../../../test/golden/xds");
const world = read<{ objects: KubeObject[] }>("world").objects;
const metadata = read<Record<string, Record<string, string>>>("nodes");
const sidecar = nodeOf("web-api", "sidecar");
const gateway = nodeOf("gateway", "router");
const ROUTES: Record<string, string[]> = { "web-api": ["80", "8080", "15014"], gateway: ["http.8080"] };

/** A VirtualService for recommendation:8080 is found under port 80 too, as with Istio. */
const OWN_ROUTES = ["RouteConfiguration 80", "RouteConfiguration 8080"];
const baselines = new Map<string, Map<string, string>>();

/** Versions of all resources by type and name: equal versions are equal bytes. */
function resources(node: ProxyNode, objects: readonly KubeObject[]): Map<string, string> {
  const snapshot = snapshotOf([...world, ...objects]);
  const generator = createGenerator();
  const clusters = generator.generate(node, snapshot, XDS_TYPES.CDS).map(({ name }) => name);
  const all = [XDS_TYPES.CDS, XDS_TYPES.LDS, XDS_TYPES.NDS].flatMap((type) => [...generator.generate(node, snapshot, type)]);
  const asked = [
    ...generator.generate(node, snapshot, XDS_TYPES.EDS, clusters),
    ...generator.generate(node, snapshot, XDS_TYPES.RDS, ROUTES[node.type === "sidecar" ? "web-api" : "gateway"]),
  ];
  return new Map([...all, ...asked].map(({ typeUrl, name, version }) => [`${typeUrl.slice(typeUrl.lastIndexOf(".") + 1)} ${name}`, version]));
}

/** Names of resources that differ from those without the objects. */
function touched(node: ProxyNode, objects: readonly KubeObject[], base: readonly KubeObject[] = []): string[] {
  let before = base.length === 0 ? baselines.get(node.id) : undefined;
  before ??= resources(node, base);
  if (base.length === 0) baselines.set(node.id, before);
  const after = resources(node, [...base, ...objects]);
  return [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key)).sort();
}

const istio = (kind: string, name: string, spec: object, more: Partial<KubeObject["metadata"]> = {}): KubeObject =>
  ({
    apiVersion: "networking.istio.io/v1",
    kind,
    metadata: { name, namespace: "istioinaction", creationTimestamp: "2026-11-24T08:00:00Z", ...more },
    spec,
  }) as KubeObject;
const externalName = (name: string, target: string): KubeObject =>
  ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "istioinaction" },
    spec: { type: "ExternalName", externalName: target, ports: [{ name: "http", port: 9100 }] },
  }) as KubeObject;
const to = (host: string, more: object = {}) => ({ http: [{ route: [{ destination: { host } }], ...more }] });

describe("what is harmful changes nothing else", () => {
  test("VirtualServices that contradict each other: the older one counts, whatever their order", () => {
    const old = istio("VirtualService", "old", { hosts: ["recommendation"], ...to("web-api") }, { creationTimestamp: "2026-11-24T07:00:00Z" });
    const young = istio("VirtualService", "a-young", { hosts: ["recommendation"], ...to("purchase-history") });
    expect(touched(sidecar, [young], [old])).toEqual([]);
    expect(resources(sidecar, [young, old])).toEqual(resources(sidecar, [old, young]));
  });

  test("a Gateway without its secret: listeners and routes of other servers are the same", () => {
    const server = (number: number, tls?: object) => ({
      port: { number, name: `p${number}`, protocol: tls ? "HTTPS" : "HTTP" },
      hosts: [`p${number}.example.com`],
      ...(tls && { tls }),
    });
    const good = istio("Gateway", "good", { selector: { istio: "ingressgateway" }, servers: [server(80)] }, { namespace: "istio-system" });
    const bad = istio(
      "Gateway",
      "bad",
      { selector: { istio: "ingressgateway" }, servers: [server(443, { mode: "SIMPLE", credentialName: "nowhere" })] },
      { namespace: "istio-system" },
    );
    expect(touched(gateway, [bad], [good])).toEqual(["Listener 0.0.0.0_8443"]);
  });

  test("hosts that lead to each other in a circle: routes, delegates and names of other services", () => {
    const circle = [
      istio("VirtualService", "a", { hosts: ["recommendation"], ...to("purchase-history") }),
      istio("VirtualService", "b", { hosts: ["purchase-history"], ...to("recommendation") }),
    ];
    expect(touched(sidecar, circle)).toEqual(OWN_ROUTES);
    const delegates = ["a", "b"].map((name) => istio("VirtualService", name, { http: [{ delegate: { name: name === "a" ? "b" : "a" } }] }));
    expect(
      touched(sidecar, [
        ...delegates,
        istio("VirtualService", "root", {
          hosts: ["recommendation"],
          http: [{ match: [{ uri: { prefix: "/x" } }], delegate: { name: "a" } }, { route: [{ destination: { host: "recommendation" } }] }],
        }),
      ]),
    ).toEqual(OWN_ROUTES);
    const names = [
      externalName("one", "two.istioinaction.svc.cluster.local"),
      externalName("two", "one.istioinaction.svc.cluster.local"),
      externalName("self", "self.istioinaction.svc.cluster.local"),
    ];
    for (const key of touched(sidecar, names)) expect(key).toMatch(/one|two|self|9100|NameTable/);
  });

  test("a regular expression that explodes is passed on as it is, and costs nothing here", () => {
    const started = performance.now();
    const explosive = istio("VirtualService", "regex", {
      hosts: ["recommendation"],
      http: [
        { match: [{ uri: { regex: "(a+)+(b+)+$" }, headers: { x: { regex: "(.*)*".repeat(50) } } }], route: [{ destination: { host: "recommendation" } }] },
      ],
    });
    expect(touched(sidecar, [explosive])).toEqual(OWN_ROUTES);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test("a manifest of a megabyte: only its own route configuration grows", () => {
    const http = Array.from({ length: 1_000 }, (_, index) => ({
      match: [{ uri: { prefix: `/${"x".repeat(1_000)}/${index}` } }],
      route: [{ destination: { host: "recommendation" } }],
    }));
    const large = istio("VirtualService", "large", { hosts: ["recommendation"], http });
    expect(JSON.stringify(large).length).toBeGreaterThan(1_000_000);
    expect(touched(sidecar, [large])).toEqual(OWN_ROUTES);
  });

  test("a spec of another form than its definition says is left out, field by field", () => {
    const broken = [
      istio("VirtualService", "a", { hosts: "recommendation", ...to("web-api") }),
      istio("VirtualService", "b", { hosts: ["recommendation"], http: [null] }),
      istio("DestinationRule", "c", { host: "recommendation", subsets: [{ labels: { a: "b" } }] }),
      istio("DestinationRule", "d", { host: "recommendation", trafficPolicy: { connectionPool: { tcp: { maxConnections: -1.5 } } } }),
      istio("Sidecar", "e", { egress: [{ hosts: [7] }] }),
      istio("ServiceEntry", "f", { hosts: ["f.example.com"], ports: [{ number: 99_999_999_999, name: "http" }], resolution: "DNS" }),
      {
        apiVersion: "security.istio.io/v1",
        kind: "AuthorizationPolicy",
        metadata: { name: "g", namespace: "istioinaction" },
        spec: { rules: [{ from: ["x"] }] },
      } as KubeObject,
    ];
    for (const object of broken) expect(touched(sidecar, [object])).toEqual([]);
  });

  test("a field that is null counts as one that is not there", () => {
    const rule = (spec: object) => [istio("DestinationRule", "n", { host: "recommendation", ...spec })];
    expect(resources(sidecar, rule({ subsets: null, trafficPolicy: { tls: null, connectionPool: { tcp: { maxConnections: 3 } } } }))).toEqual(
      resources(sidecar, rule({ trafficPolicy: { connectionPool: { tcp: { maxConnections: 3 } } } })),
    );
  });
});

test("the route of the older VirtualService is the one that is sent", () => {
  const rules = ["web-api", "purchase-history"].map((host, index) =>
    istio("VirtualService", `v${9 - index}`, { hosts: ["recommendation"], ...to(host) }, { creationTimestamp: `2026-11-24T07:00:0${index}Z` }),
  );
  const [config] = createGenerator().generate(sidecar, snapshotOf([...world, ...rules]), XDS_TYPES.RDS, ["8080"]);
  const hosts = fromBinary(RouteConfigurationSchema, config?.value ?? new Uint8Array()).virtualHosts.find(({ name }) => name.startsWith("recommendation."));
  expect(hosts?.routes[0]?.action).toMatchObject({ value: { clusterSpecifier: { value: "outbound|8080||web-api.istioinaction.svc.cluster.local" } } });
});

function nodeOf(name: string, type: string): ProxyNode {
  const own = metadata[name] ?? {};
  return parseNode(`${type}~${own["INSTANCE_IPS"]}~${own["NAME"]}.${own["NAMESPACE"]}~${own["NAMESPACE"]}.svc.cluster.local`, own);
}

function read<Shape>(name: string): Shape {
  return JSON.parse(gunzipSync(readFileSync(join(GOLDEN, `${name}.json.gz`))).toString("utf8")) as Shape;
}
