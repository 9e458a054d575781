import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EnvoyCluster, eventually } from "../cluster.ts";
import { ask } from "./answers.ts";
import { compareLive, fillIn } from "./live-comparison.ts";
import { findPrometheus } from "./program.ts";

const ROOT = join(import.meta.dir, "../../..");
const found = findPrometheus();
const QUERIES = readFileSync(join(ROOT, "src/telemetry/promql/testdata/kiali-queries.txt"), "utf8").trim().split("\n");
/** A minute's window, and some scrapes more. */
const TRAFFIC_MS = 75_000;

/** A real Prometheus in a pod of the embedded mesh, installed as docs/prometheus.yaml says, beside our store and then in its place. */
describe.skipIf(found.path === undefined)(`a real Prometheus scrapes the mesh${found.reason ? `: ${found.reason}` : ""}`, () => {
  let cluster: EnvoyCluster;
  const children: { kill(): void; exited: Promise<number> }[] = [];
  let api: string;
  let at: number;
  const store = (service: string) => `${api}/api/v1/namespaces/istio-system/services/${service}:9090/proxy`;

  beforeAll(async () => {
    cluster = await EnvoyCluster.start("prometheus", "");
    await cluster.must(`${ROOT}/bin/chainmail lab --no-shell --name prometheus`);
    // Debian's is built without Kubernetes' discovery.
    const kubernetes = Bun.spawnSync(["grep", "-q", "prometheus/discovery/kubernetes", found.path!]).exitCode === 0;
    await cluster.must(`${ROOT}/bin/chainmail image add prom/prometheus:v2.42.0 --exec ${found.path!} --port 9090`);
    await cluster.must(`sed s/prometheus.yml$/${kubernetes ? "prometheus" : "debian"}.yml/ ${ROOT}/docs/prometheus.yaml | kubectl apply -f -`);
    await cluster.must("kubectl rollout status -n istio-system deploy/prometheus-server --timeout=120s");
    const proxy = cluster.spawn("kubectl proxy --port=0");
    children.push(proxy);
    api = `http://${/127\.0\.0\.1:\d+/.exec(await proxy.firstLine())![0]}`;
    const calls = "while true; do curl -s -o /dev/null http://web-api.istioinaction:8080/; sleep 0.1; done";
    children.push(cluster.spawn(`kubectl exec -n istioinaction deploy/sleep -- sh -c '${calls}'`));
    await Bun.sleep(TRAFFIC_MS);
    at = Date.now() / 1000 - 2.5;
  }, 300_000);
  afterAll(async () => {
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => child.exited));
    await cluster?.stop();
  }, 120_000);

  test("every query of Kiali's has the same answer of both", async () => {
    const istiod = (await cluster.must("kubectl get pod -n istio-system -l app=istiod -o jsonpath='{.items[0].metadata.name}'")).trim();
    const differ: string[] = [];
    let answered = 0;
    for (const line of QUERIES) {
      for (const workload of ["web-api", "recommendation"]) {
        const { kind, query } = fillIn(line, { namespace: "istioinaction", workload, istiod });
        const different = await compareLive(query, kind, store("prometheus-server"), store("prometheus"), at);
        if (different) differ.push(`${query}\n  ${different}`);
        if (((await ask(store("prometheus"), { query, time: at })).result as unknown[]).length > 0) answered++;
      }
    }
    expect(differ).toEqual([]);
    expect(answered).toBeGreaterThan(QUERIES.length);
  }, 120_000);

  test("both have the same series of the same pods", async () => {
    const query = 'count({__name__=~"istio_.*|up|pilot_.*"}) by (__name__, namespace, pod)';
    expect(await compareLive(query, "instant", store("prometheus-server"), store("prometheus"), at, 0)).toBeUndefined();
  }, 60_000);

  test("the console draws from it, with our store gone", async () => {
    await cluster.must("kubectl set env -n istio-system deployment/kiali PROMETHEUS_URL=http://prometheus-server.istio-system:9090");
    await cluster.must("kubectl rollout status -n istio-system deploy/kiali --timeout=120s && kubectl scale -n istio-system deploy/prometheus --replicas=0");
    const forward = cluster.spawn("kubectl port-forward -n istio-system svc/kiali :20001");
    children.push(forward);
    const port = /127\.0\.0\.1:(\d+)/.exec(await forward.firstLine())![1];
    await eventually(async () => {
      const answer = await fetch(
        `http://localhost:${port}/kiali/api/namespaces/graph?namespaces=istioinaction&duration=60s&graphType=workload&appenders=securityPolicy`,
      );
      const { elements } = (await answer.json()) as {
        elements: { edges: { data: { isMTLS?: string; traffic: { protocol: string; rates?: Record<string, string> } } }[] };
      };
      expect(elements.edges.length).toBeGreaterThanOrEqual(3);
      for (const { data } of elements.edges) expect([data.isMTLS, Number(data.traffic.rates?.http) > 1]).toEqual(["100", true]);
    }, 60_000);
  }, 240_000);
});
