import { describe, expect, test } from "bun:test";
import { LAB_LOGS, LAB_OBJECTS, STRICT, fakeConsole, fakeMesh, labQueries } from "./fake-mesh.ts";

const handle = fakeConsole({ webRoot: "/nowhere", mesh: fakeMesh({ policies: [STRICT], objects: LAB_OBJECTS }), logs: LAB_LOGS });
// Answers are looked at field by field, as a script would.
const get = async (path: string): Promise<Record<string, never> & { [field: string]: unknown }> => {
  const answer = await handle(new Request(`http://localhost:20001/kiali/api${path}`, { headers: { host: "localhost:20001" } }));
  return { httpStatus: answer.status, ...((await answer.json()) as object) } as never;
};
const list = async (path: string): Promise<Record<string, unknown>[]> =>
  (await (await handle(new Request(`http://localhost:20001/kiali/api${path}`, { headers: { host: "localhost:20001" } }))).json()) as Record<string, unknown>[];

describe("Kiali's API", () => {
  test("what every page asks first", async () => {
    expect(await get("/auth/info")).toMatchObject({ strategy: "anonymous", sessionInfo: { username: "anonymous" } });
    expect(await get("/config")).toMatchObject({ clusters: { Kubernetes: { isKialiHome: true } }, healthConfig: { rate: [{ tolerance: [{}, {}, {}] }] } });
    expect(await get("/status")).toMatchObject({ status: { "Kiali state": "running" } });
    expect(await list("/namespaces")).toContainEqual(
      expect.objectContaining({ name: "istioinaction", cluster: "Kubernetes", isControlPlane: false, revision: "default" }),
    );
    expect(await list("/istio/status")).toContainEqual(expect.objectContaining({ name: "istio-ingressgateway", status: "Healthy", isCore: false }));
    expect(await get("/mesh/tls")).toMatchObject({ status: "MTLS_ENABLED", autoMTLSEnabled: true });
  });

  test("lists with health", async () => {
    const { workloads } = (await get("/clusters/workloads?health=true&namespaces=istioinaction")) as unknown as { workloads: Record<string, unknown>[] };
    expect(workloads).toHaveLength(4);
    expect(workloads.find(({ name }) => name === "web-api")).toMatchObject({
      namespace: "istioinaction",
      istioSidecar: true,
      podCount: 1,
      gvk: { Kind: "Deployment" },
      health: { workloadStatus: { desiredReplicas: 1, availableReplicas: 1 }, requests: { inbound: { http: { "200": 2.4 } } }, status: { status: "Healthy" } },
    });
    expect(workloads.find(({ name }) => name === "purchase-history-v1")).toMatchObject({ health: { status: { status: "Degraded" } } });
    expect(await get("/clusters/services?health=true&namespaces=istioinaction")).toMatchObject({
      services: [{ name: "purchase-history" }, { name: "recommendation" }, { name: "web-api", istioSidecar: true, endpoints: 1 }],
    });
    expect(await get("/clusters/apps?health=true&namespaces=istioinaction")).toMatchObject({
      applications: [{ name: "purchase-history" }, { name: "recommendation" }, { name: "sleep" }, { name: "web-api" }],
    });
    expect(await get("/clusters/health?type=service&namespaces=istioinaction")).toMatchObject({
      namespaceServiceHealth: { istioinaction: { "web-api": { requests: { inbound: { http: { "200": 2.4 } } } } } },
    });
  });

  test("one workload, service and app", async () => {
    expect(await get("/namespaces/istioinaction/workloads/web-api")).toMatchObject({
      name: "web-api",
      pods: [{ containers: [{ name: "web-api" }], istioContainers: [{ name: "istio-proxy" }], proxyStatus: { CDS: "Synced", RDS: "Synced" } }],
      services: [{ name: "web-api" }],
      security: { mode: "STRICT", policy: "istio-system/default" },
    });
    expect(await get("/namespaces/istioinaction/services/web-api")).toMatchObject({
      service: { name: "web-api", ports: [{ port: 8080, istioProtocol: "HTTP" }] },
      endpoints: [{ addresses: [{ ip: "10.244.0.4" }] }],
      workloads: [{ name: "web-api" }],
      virtualServices: [{ metadata: { name: "web-api-gw-vs" } }],
    });
    expect(await get("/namespaces/istioinaction/apps/web-api")).toMatchObject({
      name: "web-api",
      workloads: [{ workloadName: "web-api" }],
      serviceNames: ["web-api"],
    });
    expect(await get("/namespaces/istioinaction/workloads/gone")).toMatchObject({ httpStatus: 404, error: expect.stringContaining("gone") });
  });

  test("the graph, whole and of one workload", async () => {
    const whole = (await get(
      "/namespaces/graph?namespaces=istioinaction&graphType=workload&duration=60s&appenders=securityPolicy,responseTime&boxBy=namespace",
    )) as unknown as { elements: { nodes: { data: Record<string, unknown> }[]; edges: { data: Record<string, unknown> }[] } };
    expect(whole.elements.edges).toHaveLength(4);
    expect(whole.elements.edges.filter(({ data }) => data.isMTLS === "100")).toHaveLength(3);
    const one = (await get("/namespaces/istioinaction/workloads/recommendation/graph?graphType=workload")) as unknown as typeof whole;
    expect(one.elements.edges).toHaveLength(2);
    expect(await get("/namespaces/graph")).toMatchObject({ httpStatus: 400 });
    const data = (name: string, graph: typeof whole) => graph.elements.nodes.find(({ data: node }) => node.workload === name)!.data;
    const full = (await get("/namespaces/graph?namespaces=istioinaction&graphType=workload")) as unknown as typeof whole;
    expect(data("purchase-history-v1", full)).toMatchObject({
      healthData: { requests: { inbound: { http: { "200": 2.2, "503": 0.2 } } }, status: { status: "Degraded" } },
    });
    expect(data("web-api", whole)).not.toHaveProperty("healthData");
    expect(data("web-api", full)).toMatchObject({
      labels: { app: "web-api" },
      destServices: [{ cluster: "Kubernetes", namespace: "istioinaction", name: "web-api" }],
    });
    expect(data("web-api", whole)).not.toHaveProperty("labels");
    expect(full.elements.nodes.map(({ data: node }) => [node.workload, node.isOutside, node.hasMissingSC]).filter(([, outside]) => outside)).toEqual([
      ["istio-ingressgateway", true, undefined],
      ["sleep", true, true],
    ]);
    const services = (await get(
      "/namespaces/graph?namespaces=istioinaction&graphType=workload&injectServiceNodes=true&appenders=istio",
    )) as unknown as typeof whole;
    expect(services.elements.nodes.map(({ data: node }) => node.hasVS && [node.service, node.hasVS]).filter(Boolean)).toEqual([
      ["web-api", { hostnames: expect.any(Array) }],
    ]);
    expect(full.elements.edges.map(({ data: edge }) => edge.healthStatus).sort()).toEqual(["Degraded", "Healthy", "Healthy", undefined as never]);
  });

  test("metrics, logs, config with validations", async () => {
    const metrics = (await get(
      "/namespaces/istioinaction/workloads/web-api/metrics?direction=inbound&filters[]=request_count&filters[]=request_duration_millis&quantiles[]=0.95&duration=60&step=15",
    )) as unknown as Record<string, { name: string; stat?: string; datapoints: unknown[] }[]>;
    expect(metrics.request_count![0]).toMatchObject({ name: "request_count", datapoints: expect.arrayContaining([[expect.any(Number), expect.any(String)]]) });
    expect(metrics.request_duration_millis!.map(({ stat }) => stat)).toEqual(["avg", "0.95"]);
    expect(await get("/namespaces/istioinaction/workloads/web-api/dashboard?direction=outbound")).toMatchObject({
      title: "Outbound Metrics",
      charts: expect.arrayContaining([expect.objectContaining({ name: "Request volume" })]),
    });
    expect(await get("/namespaces/istioinaction/pods/p/logs?container=istio-proxy&maxLines=10")).toMatchObject({
      entries: [{ accessLog: { status_code: "200" } }, {}, {}, { accessLog: { response_flags: "NR" }, severity: "Error" }],
      linesTruncated: false,
    });
    expect(await get("/istio/config?validate=true")).toMatchObject({
      resources: { "networking.istio.io/v1, Kind=VirtualService": [{}] },
      validations: { "networking.istio.io/v1, Kind=VirtualService": { "web-api-gw-vs.istioinaction": { valid: false } } },
    });
    expect(await get("/namespaces/istioinaction/istio/networking.istio.io/v1/VirtualService/web-api-gw-vs?validate=true")).toMatchObject({
      resource: { metadata: { name: "web-api-gw-vs" } },
      validation: { checks: expect.arrayContaining([expect.objectContaining({ code: "KIA1107" })]) },
      permissions: { update: false },
    });
    expect(await list("/istio/validations")).toContainEqual({ cluster: "Kubernetes", namespace: "istioinaction", errors: 2, warnings: 3, objectCount: 3 });
  });

  test("a refused caller is explained, with what would help", async () => {
    const why = (await get("/security/why?namespace=istioinaction&workload=web-api&fromNamespace=default&fromWorkload=sleep&port=8081")) as unknown as {
      remedies: { text: string }[];
      lines: unknown[];
      caller: unknown;
      policy: unknown;
    };
    expect(why).toMatchObject({ mode: "STRICT", policy: { name: "default", namespace: "istio-system" }, caller: { name: "sleep.default", sidecar: false } });
    expect(why.lines).toHaveLength(1);
    expect(why.remedies.map(({ text }) => text).join("\n")).toContain("kubectl rollout restart deployment/sleep -n default");
    const preview = await get("/security/preview?level=mesh&mode=STRICT");
    expect(preview).toMatchObject({ affected: [], refused: [], already: [{ from: "sleep.default", requests: 3 }] });
  });
});

test("a graph of the past is asked for at its time, over a range that what is left of it can fill", async () => {
  const asked: { query: string; at: number | undefined }[] = [];
  const now = 1_700_000_000;
  const past = fakeConsole({ webRoot: "/nowhere", frozen: true, queries: { ...labQueries(), instant: async (query, at) => (asked.push({ query, at }), []) } });
  const rangeAt = async (at: number) => {
    asked.length = 0;
    const response = await past(new Request(`http://localhost:20001/kiali/api/graph?duration=10s&queryTime=${at}`, { headers: { host: "localhost:20001" } }));
    expect(((await response.json()) as { durationSeconds: number }).durationSeconds).toBe(Number(/\[(\d+)s\]/.exec(asked[0]!.query)![1]));
    expect(new Set(asked.map((one) => one.at))).toEqual(new Set([at]));
    return /\[(\d+s)\]/.exec(asked[0]!.query)![1];
  };
  expect([await rangeAt(now - 60), await rangeAt(now - 1_800), await rangeAt(now - 7_200)]).toEqual(["10s", "60s", "240s"]);
});

describe("what the console does not do", () => {
  test("nothing is written, nothing unknown is answered, nobody is let out of the app's folder", async () => {
    const ask = (path: string, init: RequestInit = {}) =>
      handle(new Request(`http://localhost:20001${path}`, { ...init, headers: { host: "localhost:20001", origin: "http://localhost:20001" } }));
    expect((await ask("/kiali/api/namespaces/a/istio/x/v1/K/n", { method: "DELETE" })).status).toBe(405);
    expect((await ask("/kiali/api/namespaces/a/istio/security.istio.io/v1/PeerAuthentication/n", { method: "DELETE" })).status).toBe(401);
    expect((await ask("/kiali/api/nothing")).status).toBe(404);
    expect((await ask("/kiali/../../etc/passwd")).status).toBe(404);
    expect((await ask("/kiali/api/live?" + "watch=%2Fstate&".repeat(13))).status).toBe(400);
  });

  test("a metrics store that is down is an error with what to do, where only it can answer", async () => {
    const down = fakeConsole({ webRoot: "/nowhere", queries: { ...labQueries(), instant: () => Promise.reject(new Error("down")) } });
    const ask = async (path: string) => (await down(new Request(`http://localhost:20001/kiali/api${path}`, { headers: { host: "localhost:20001" } }))).status;
    expect(await ask("/graph?namespaces=a")).toBe(500);
    expect(await ask("/overview")).toBe(200);
    expect(await ask("/clusters/tls")).toBe(200);
  });
});
