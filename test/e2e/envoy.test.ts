import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { EnvoyCluster, eventually, reasonToSkip } from "../conformance/cluster.ts";

const SKIP = reasonToSkip();
const CALL = "kubectl exec -n istioinaction deploy/sleep -- curl -s -m 5 -o /dev/null -w %{http_code} http://web-api.istioinaction:8080/";
const WORKLOADS = ["web-api", "recommendation", "purchase-history-v1", "sleep"];

describe.skipIf(SKIP !== undefined)(`the lab with a real Envoy in every pod${SKIP ? ` (skipped: ${SKIP})` : ""}`, () => {
  let cluster: EnvoyCluster;

  beforeAll(async () => {
    cluster = await EnvoyCluster.start("envoy");
  }, 90_000);
  afterAll(() => cluster?.stop(), 60_000);

  const request = (deployment: string, path: string, port = 15000): Promise<string> =>
    cluster.must(
      `kubectl exec -n ${deployment === "istio-ingressgateway" ? "istio-system" : "istioinaction"} deploy/${deployment} -c istio-proxy -- pilot-agent request --debug-port=${port} GET '${path}'`,
    );

  test("lab check passes all steps", async () => {
    const { stdout, exitCode } = await cluster.chainmail("lab check");
    expect(stdout).toContain("17 passed, 0 failed");
    expect(exitCode).toBe(0);
  }, 180_000);

  test("no proxy has refused anything that it was sent", async () => {
    for (const deployment of ["istio-ingressgateway", ...WORKLOADS]) {
      expect((await request(deployment, "stats?filter=update_rejected")).split("\n").filter((line) => /: [1-9]/.test(line))).toEqual([]);
      expect(await request(deployment, "config_dump?include_eds")).not.toContain('"error_state"');
    }
    expect(await cluster.must("istioctl proxy-status")).not.toContain("ERROR");
  }, 60_000);

  test("the agent's metrics join Envoy's, under Istio's names", async () => {
    const metrics = await request("web-api", "stats/prometheus", 15020);
    expect(metrics).toMatch(/^envoy_server_live\{\} 1$/m);
    expect(metrics).toMatch(
      /^istio_requests_total\{reporter="destination",source_workload="istio-ingressgateway".*connection_security_policy="mutual_tls"\} \d+$/m,
    );
    expect(metrics).toMatch(/^chainmail_refused_connections_total\{source_ip="[\d.]+",destination_port="8081",reason="filter_chain_not_found"\} \d+$/m);
    expect(metrics).toMatch(/^istio_agent_cert_expiry_seconds\{resource_name="default"\} 8\d{4}/m);
  }, 30_000);

  test("without istiod traffic flows on; when it is back, changes arrive", async () => {
    await cluster.must("kubectl scale deploy/istiod -n istio-system --replicas=0");
    await eventually(async () => expect(await cluster.must("kubectl get pod -n istio-system -l app=istiod -o name")).toBe(""), 40_000);
    for (let i = 0; i < 5; i++) expect(await cluster.must(CALL)).toBe("200");
    await cluster.must("kubectl scale deploy/istiod -n istio-system --replicas=1 && kubectl rollout status -n istio-system deploy/istiod --timeout=30s");
    await eventually(async () => {
      const status = await cluster.must("istioctl proxy-status");
      for (const workload of WORKLOADS) expect(status).toContain(workload);
    });
    await cluster.must(
      "kubectl apply -n istioinaction -f -",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: nothing}\nspec: {}\n",
    );
    // Envoy judges requests on connections of before by the rules of before, for its drain time.
    await eventually(async () => expect(await cluster.must(CALL)).toBe("403"), 60_000);
    await cluster.must("kubectl delete authorizationpolicy nothing -n istioinaction");
    await eventually(async () => expect(await cluster.must(CALL)).toBe("200"), 60_000);
  }, 240_000);

  test("a pod whose Envoy ends starts it again", async () => {
    const restarts = async (): Promise<number> =>
      Number(
        await cluster.must(
          `kubectl get pod -n istioinaction -l app=web-api -o jsonpath='{.items[0].status.initContainerStatuses[?(@.name=="istio-proxy")].restartCount}'`,
        ),
      );
    const before = await restarts();
    await cluster.must("kubectl exec -n istioinaction deploy/web-api -c istio-proxy -- pilot-agent request POST quitquitquit");
    await eventually(async () => expect(await restarts()).toBe(before + 1), 30_000);
    await eventually(async () => expect(await cluster.must(CALL)).toBe("200"), 30_000);
  }, 90_000);
});
