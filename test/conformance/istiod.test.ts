import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { VERSION } from "../../src/base/index.ts";
import { EnvoyCluster, eventually } from "./cluster.ts";
import { findIstio } from "./istio-programs.ts";

const pilot = findIstio("pilot-discovery");
const istioctl = pilot.path ? findIstio("istioctl") : pilot;
const reason = pilot.reason ?? istioctl.reason;
const CALL = "kubectl exec -n istioinaction deploy/sleep -- curl -s -m 5 -o /dev/null -w %{http_code} http://web-api.istioinaction:8080/";
/** Settings for Istio's own charts: our proxies in its pods, its control plane small enough for any machine. */
const SETTINGS = [
  "profile=minimal",
  "components.base.enabled=false",
  "hub=chainmail",
  `tag=${VERSION}`,
  "values.pilot.image=conformance/pilot:1",
  "values.pilot.resources.requests.cpu=10m",
  "values.pilot.resources.requests.memory=128Mi",
  "values.pilot.autoscaleEnabled=false",
  "meshConfig.accessLogFile=/dev/stdout",
];

/** Istio's control plane, installed by its own charts, in the place of ours: the API server and the proxies stay ours. */
describe.skipIf(reason !== undefined)(`the real istiod with our proxies${reason ? ` (skipped: ${reason})` : ""}`, () => {
  let cluster: EnvoyCluster;

  beforeAll(async () => {
    cluster = await EnvoyCluster.start("istiod", "");
    await cluster.chainmail("lab --no-shell");
    await cluster.must(`chainmail image add conformance/pilot:1 --user 1337:1337 --exec ${pilot.path}`);
    await cluster.must("kubectl delete deploy/istiod -n istio-system");
    await cluster.must(
      `${istioctl.path} manifest generate ${SETTINGS.map((setting) => `--set ${setting}`).join(" ")} | kubectl apply --server-side --force-conflicts -f -`,
    );
    await cluster.must("kubectl rollout status -n istio-system deploy/istiod --timeout=90s");
  }, 240_000);
  afterAll(() => cluster?.stop(), 60_000);

  test("its webhook injects our proxy, which gets its certificate and its configuration from it", async () => {
    await cluster.must(
      "kubectl rollout restart -n istioinaction deploy && kubectl rollout status -n istioinaction deploy/web-api --timeout=60s && kubectl rollout status -n istioinaction deploy/sleep --timeout=60s",
    );
    const image = await cluster.must(
      `kubectl get pod -n istioinaction -l app=web-api -o jsonpath='{.items[0].spec.initContainers[?(@.name=="istio-proxy")].image}'`,
    );
    expect(image).toBe(`chainmail/proxyv2:${VERSION}`);
    await eventually(async () => expect(await cluster.must(CALL)).toBe("200"));
    const secrets = await cluster.must("istioctl proxy-config secret deploy/web-api.istioinaction");
    expect(secrets).toMatch(/^default +Cert Chain +ACTIVE +true/m);
  }, 120_000);

  test("lab check passes all steps", async () => {
    const { stdout, exitCode } = await cluster.chainmail("lab check");
    expect(stdout).toContain("17 passed, 0 failed");
    expect(exitCode).toBe(0);
  }, 180_000);

  test("no proxy has refused anything, and what each runs is what istiod would send it", async () => {
    const status = await cluster.must("istioctl proxy-status -v 1");
    expect(status).not.toMatch(/ERROR|STALE/);
    for (const workload of ["web-api", "recommendation", "purchase-history-v1", "sleep"]) {
      expect(status).toContain(workload);
      for (const program of ["istioctl", istioctl.path])
        expect(await cluster.must(`${program} proxy-status deploy/${workload}.istioinaction`)).toMatch(/^Clusters Match\nListeners Match\nRoutes Match/);
    }
  }, 120_000);

  test("an AuthorizationPolicy binds, and is gone again", async () => {
    await cluster.must(
      "kubectl apply -n istioinaction -f -",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: nothing}\nspec: {}\n",
    );
    await eventually(async () => expect(await cluster.must(CALL)).toBe("403"));
    await cluster.must("kubectl delete authorizationpolicy nothing -n istioinaction");
    await eventually(async () => expect(await cluster.must(CALL)).toBe("200"));
  }, 60_000);
});
