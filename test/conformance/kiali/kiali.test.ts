import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { EnvoyCluster } from "../cluster.ts";

const ROOT = join(import.meta.dir, "../../..");
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "chainmail");
const reason =
  process.env.CHAINMAIL_CONFORMANCE !== "1"
    ? "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)"
    : Bun.which("go")
      ? undefined
      : "there is no Go to build Kiali's client libraries";
/** A first build fetches client-go. */
const BUILD_TIMEOUT_MS = 20 * 60_000;
/** Windows of a minute fill. */
const TRAFFIC_MS = 65_000;

/** What client/main.go reports. */
interface Report {
  readySeconds: number;
  objects: Record<string, number>;
  allowed: Record<string, boolean>;
  istiod: { name: string; healthy: boolean; version: string; clusterId: string; proxies: number; outOfSync: string[] };
  eventMillis: Record<string, number>;
  configDump: string[];
  logLines: number;
  prometheus: { healthy: boolean; version: string; retention: string; scrapeInterval: string; metrics: number };
  graph: { from: string; to: string; rate: number; mtls: number; principals: string[] }[];
}

/** A program of Kiali's own libraries does on the lab what Kiali does: Kiali itself is no Go module that could be fetched. */
describe.skipIf(reason !== undefined)(`what Kiali asks is answered${reason ? `: ${reason}` : ""}`, () => {
  let cluster: EnvoyCluster;
  const children: { kill(): void; exited: Promise<number> }[] = [];
  let report: Report;

  beforeAll(async () => {
    const program = build();
    cluster = await EnvoyCluster.start("kiali", "");
    await cluster.must(`${ROOT}/bin/chainmail lab --no-shell --name kiali`);
    const proxy = cluster.spawn("kubectl proxy --port=0");
    children.push(proxy);
    const api = /127\.0\.0\.1:\d+/.exec(await proxy.firstLine())![0];
    children.push(
      cluster.spawn(
        "kubectl exec -n istioinaction deploy/sleep -- sh -c 'while true; do curl -s -o /dev/null http://web-api.istioinaction:8080/; sleep 0.2; done'",
      ),
    );
    await Bun.sleep(TRAFFIC_MS);
    report = JSON.parse(await cluster.must(`${program} http://${api}/api/v1/namespaces/istio-system/services/prometheus:9090/proxy istioinaction`)) as Report;
    console.log(`ready after ${report.readySeconds.toFixed(1)} s; ${report.istiod.proxies} proxies; events after ${JSON.stringify(report.eventMillis)} ms`);
  }, BUILD_TIMEOUT_MS);
  afterAll(async () => {
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => child.exited));
    await cluster?.stop();
  }, 120_000);

  test("ready in ten seconds, with every informer's objects", () => {
    expect(report.readySeconds).toBeLessThan(10);
    for (const kind of ["services", "pods", "configmaps", "deployments", "replicasets"]) expect([kind, report.objects[kind]! > 0]).toEqual([kind, true]);
    expect(Object.keys(report.objects)).toHaveLength(21);
    expect(report.allowed).toEqual({ create: true, patch: true, delete: true });
  });

  test("istiod is healthy through its tunnel, its proxies in sync, of the cluster that queries name", () => {
    expect(report.istiod).toMatchObject({ healthy: true, clusterId: "Kubernetes", outOfSync: [] });
    expect(report.istiod.proxies).toBeGreaterThanOrEqual(5);
    expect(report.istiod.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("a sidecar's configuration and log by name", () => {
    expect(report.configDump).toEqual(
      expect.arrayContaining(["BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump", "RoutesConfigDump", "SecretsConfigDump"]),
    );
    expect(report.logLines).toBeGreaterThan(0);
  });

  test("writes are told to watchers", () => expect(Object.keys(report.eventMillis)).toEqual(["ADDED", "MODIFIED", "DELETED"].sort()));

  test("the metrics store passes for a Prometheus", () => {
    expect(report.prometheus).toMatchObject({ healthy: true, scrapeInterval: "1s", retention: "12h" });
    expect(report.prometheus.metrics).toBeGreaterThan(50);
  });

  test("the lab's graph has every padlock", () => {
    const edges = ["sleep>web-api", "web-api>recommendation", "recommendation>purchase-history-v1"];
    expect(report.graph.map(({ from, to }) => `${from}>${to}`)).toEqual(expect.arrayContaining(edges));
    for (const { from, to, mtls, rate, principals } of report.graph) {
      if (!edges.includes(`${from}>${to}`)) continue;
      expect([from, mtls, rate > 0.5, principals.length]).toEqual([from, 100, true, 2]);
      for (const principal of principals) expect(principal).toStartWith("spiffe://cluster.local/ns/istioinaction/sa/");
    }
  });
});

function build(): string {
  const program = join(CACHE, "kiali-like");
  mkdirSync(CACHE, { recursive: true });
  const { exitCode, stderr } = Bun.spawnSync(["go", "build", "-o", program, "."], {
    cwd: join(import.meta.dir, "client"),
    stderr: "pipe",
    timeout: BUILD_TIMEOUT_MS,
  });
  if (exitCode !== 0) throw new Error(`Go cannot build the client: ${stderr.toString()}`);
  return program;
}
