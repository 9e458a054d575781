import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EnvoyCluster, eventually } from "./cluster.ts";

const reason = process.env.CHAINMAIL_CONFORMANCE === "1" ? undefined : "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)";
const CURL = "--image=curlimages/curl -- sleep 100000";

/** A mesh's life by istioctl: revisions beside each other, a tag, one revision going, everything going, everything coming. */
describe.skipIf(reason !== undefined)(`istioctl installs, upgrades and removes${reason ? ` (skipped: ${reason})` : ""}`, () => {
  let cluster: EnvoyCluster;
  const folder = mkdtempSync(join(tmpdir(), "chainmail-report-"));

  beforeAll(async () => {
    cluster = await EnvoyCluster.start("install", "--no-mesh");
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  /** A namespace with one pod that has a sidecar when this returns. */
  async function mesh(namespace: string, label: string): Promise<void> {
    await cluster.must(`kubectl create ns ${namespace} && kubectl label ns ${namespace} ${label} && kubectl create deploy -n ${namespace} sleep ${CURL}`);
    await cluster.must(`kubectl rollout status -n ${namespace} deploy/sleep --timeout=60s`);
    expect(await cluster.must(`kubectl get pod -n ${namespace} -o jsonpath='{.items[0].spec.initContainers[*].name}'`)).toContain("istio-proxy");
  }
  const proxies = async (flags = ""): Promise<string> => cluster.must(`istioctl proxy-status ${flags}`);

  test("into a cluster without a mesh", async () => {
    expect(await cluster.must("istioctl x precheck 2>&1")).toContain("No issues found when checking the cluster");
    const { stderr } = await cluster.sh("istioctl install -y");
    expect(stderr).toEndWith("✔ Installation complete\n");
    await mesh("old", "istio-injection=enabled");
    await eventually(async () => expect(await proxies()).toContain("sleep-"));
  }, 180_000);

  test("a second revision beside it, by tag, and gone again without harm to the first", async () => {
    await cluster.must("istioctl install --set profile=minimal --revision canary -y && istioctl tag set prod --revision canary");
    await mesh("new", "istio.io/rev=prod");
    await eventually(async () => expect(await proxies("-r canary")).toMatch(/sleep-\S+\.new .*istiod-canary-/));
    await cluster.must("kubectl delete ns new && istioctl tag remove prod -y");
    expect(await cluster.must("istioctl uninstall --revision canary -y")).toContain("Removed apps/v1, Kind=Deployment/istiod-canary.istio-system.");
    await cluster.must("kubectl delete pod -n istio-system -l app=istiod && kubectl rollout status -n istio-system deploy/istiod --timeout=60s");
    await mesh("later", "istio-injection=enabled");
    await eventually(async () => expect(await proxies()).toMatch(/sleep-\S+\.later /));
  }, 240_000);

  test("upgrade changes what is asked for and nothing else", async () => {
    await cluster.must("istioctl upgrade -y --set meshConfig.accessLogFile=/dev/null --set components.egressGateways[0].enabled=true");
    expect(await cluster.must("kubectl get cm istio -n istio-system -o jsonpath='{.data.mesh}'")).toContain("accessLogFile: /dev/null");
    await cluster.must("kubectl get deploy -n istio-system istio-egressgateway");
    // Without it the gateway is pruned.
    await cluster.must("istioctl upgrade -y");
    await eventually(async () => expect(await cluster.must("kubectl get deploy -n istio-system -o name")).not.toContain("egress"), 60_000);
  }, 180_000);

  test("a bug report holds the mesh's state and no secret", async () => {
    await cluster.must(`istioctl bug-report --output-dir ${folder}`);
    const list = await cluster.must(`tar tzf ${folder}/bug-report.tar.gz`);
    for (const part of [
      "bug-report/versions.txt",
      "bug-report/analyze.txt",
      "/discovery.log",
      "/istio-proxy.log",
      "/config_dump",
      "cluster/mesh-resources.yaml",
    ])
      expect(list).toContain(part);
    expect(await cluster.must(`tar xzOf ${folder}/bug-report.tar.gz | grep -c 'PRIVATE KEY-----' || true`)).toBe("0\n");
  }, 120_000);

  test("everything goes, and comes back", async () => {
    await cluster.must("istioctl uninstall --purge -y");
    // Deployments go after their pods.
    await eventually(
      async () =>
        expect(await cluster.must("kubectl get crd,deploy,svc,mutatingwebhookconfigurations,validatingwebhookconfigurations -n istio-system -o name")).toBe(""),
      60_000,
    );
    await cluster.must("istioctl manifest generate | kubectl apply --server-side -f - && kubectl rollout status -n istio-system deploy/istiod --timeout=60s");
    await cluster.must("kubectl rollout restart -n old deploy/sleep && kubectl rollout status -n old deploy/sleep --timeout=60s");
    await eventually(async () => expect(await proxies()).toMatch(/sleep-\S+\.old /), 30_000);
  }, 180_000);
});
