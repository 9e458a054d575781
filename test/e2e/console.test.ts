import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { CHROMIUM, launchBrowser } from "../console/browser.ts";
import { type Dashboard, openDashboard } from "./dashboard.ts";
import { HAS_CLUSTER, ROOT, eventually, must, sh } from "./shell.ts";

const STRICT = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n";
const TRACING =
  "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: traces, namespace: istio-system}\nspec: {tracing: [{providers: [{name: jaeger}], randomSamplingPercentage: 100}]}\n";
/** Where a person can look at what the test saw. */
const PICTURES = process.env.CHAINMAIL_PICTURES ?? join(ROOT, "dist");
/** Ten times what it takes on a quiet machine. */
const EDGE_DEADLINE_MS = 20_000;

describe.if(HAS_CLUSTER && CHROMIUM !== undefined)("steps 7 and 8 in Chromium", () => {
  let browser: Browser;
  let page: Page;
  let url: string;
  let dashboard: Dashboard;

  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true });
    await must("kubectl apply -f -", { input: STRICT });
    await must("kubectl apply -n default -f sample-apps/sleep.yaml && kubectl rollout status -n default deploy/sleep --timeout=30s");
    dashboard = await openDashboard();
    url = dashboard.url;
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1440, height: 860 } });
    await page.goto(url);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await dashboard?.stop();
    await sh("kubectl delete peerauthentication default -n istio-system; kubectl delete -n default -f sample-apps/sleep.yaml");
  }, 60_000);

  test("three curls through the gateway draw three edges with padlocks", async () => {
    const curl =
      "curl -s --cacert ./labs/02/certs/ca/root-ca.crt https://istioinaction.io:$SECURE_INGRESS_PORT --resolve istioinaction.io:$SECURE_INGRESS_PORT:$GATEWAY_IP";
    await must(`${curl} && ${curl} && ${curl}`);
    await eventually(async () => {
      expect(await encryptedEdges(url)).toEqual(
        expect.arrayContaining(["istio-ingressgateway > web-api", "web-api > recommendation", "recommendation > purchase-history-v1"]),
      );
    }, EDGE_DEADLINE_MS);
    await page.locator(".mesh-lock-closed", { hasText: "Mesh-wide mTLS is enabled" }).waitFor();
    await page.getByText(/^(\d) of \1$/).waitFor();
  }, 30_000);

  test("a refused caller is a red edge with the reason", async () => {
    expect((await sh("kubectl exec deploy/sleep -n default -- curl -s http://web-api.istioinaction:8080/")).exitCode).toBe(56);
    await page.getByRole("button", { name: "sleep → web-api" }).waitFor({ timeout: EDGE_DEADLINE_MS });
    await page.getByText("plaintext refused").first().waitFor();
    await page.waitForTimeout(1_500);
    await page.screenshot({ path: join(PICTURES, "graph.png") });
    await page.getByRole("button", { name: "sleep → web-api" }).click();
    await page.getByText("istio-system/default").first().waitFor();
    await page.screenshot({ path: join(PICTURES, "refused.png") });
  }, 30_000);

  test("requests that Telemetry samples are traces through all services", async () => {
    await must("kubectl apply -f -", { input: TRACING });
    try {
      const services = ["istio-ingressgateway.istio-system", "web-api.istioinaction", "recommendation.istioinaction", "purchase-history.istioinaction"];
      await eventually(async () => {
        await must(
          `curl -s -o /dev/null --cacert ./labs/02/certs/ca/root-ca.crt https://istioinaction.io:$SECURE_INGRESS_PORT --resolve istioinaction.io:$SECURE_INGRESS_PORT:$GATEWAY_IP`,
        );
        const { traces } = (await (await fetch(`${url}/api/traces?service=purchase-history.istioinaction`)).json()) as {
          traces: { services: { name: string }[]; spans: number }[];
        };
        expect(traces.find(({ services: found }) => services.every((name) => found.some((service) => service.name === name)))?.spans).toBeGreaterThanOrEqual(6);
      }, 20_000);
      const view = await browser.newPage({ viewport: { width: 1440, height: 700 } });
      await view.goto(`${url}/traces`);
      await view.locator("tbody a").first().click();
      await view.locator(".waterfall-row").nth(3).waitFor();
      await view.screenshot({ path: join(PICTURES, "trace.png") });
      await view.close();
    } finally {
      await must("kubectl delete telemetry traces -n istio-system");
    }
  }, 40_000);

  test("the gateway's edge shows mTLS Enabled and both principals", async () => {
    await page
      .getByRole("button", { name: /web-api\.istioinaction/ })
      .first()
      .click();
    await page.locator(".edges .row", { hasText: "istio-ingressgateway" }).click();
    await page.getByText("mTLS Enabled").waitFor();
    expect(await page.locator(".principal code").allTextContents()).toEqual([
      "spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account",
      "spiffe://cluster.local/ns/istioinaction/sa/web-api",
    ]);
    await page.screenshot({ path: join(PICTURES, "edge.png") });
  }, 30_000);
});

/** The edges that Kiali's API shows as wholly encrypted, by workload. */
async function encryptedEdges(url: string): Promise<string[]> {
  type Graph = { elements: { nodes: { data: { id: string; workload?: string } }[]; edges: { data: { source: string; target: string; isMTLS?: string } }[] } };
  const { elements } = (await (
    await fetch(`${url}/api/namespaces/graph?namespaces=istioinaction&graphType=workload&duration=60s&appenders=securityPolicy`)
  ).json()) as Graph;
  const name = new Map(elements.nodes.map(({ data }) => [data.id, data.workload]));
  return elements.edges.filter(({ data }) => data.isMTLS === "100").map(({ data }) => `${name.get(data.source)} > ${name.get(data.target)}`);
}
