import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { buildWebApp } from "../../src/console/build.ts";
import { CHROMIUM, launchBrowser } from "./browser.ts";
import { LAB_OBJECTS, STRICT, fakeConsole, fakeMesh } from "./fake-mesh.ts";

const folder = mkdtempSync(join(tmpdir(), "chainmail-console-"));

describe.if(CHROMIUM !== undefined)("the console's page in Chromium", () => {
  let browser: Browser;
  let page: Page;
  let server: ReturnType<typeof Bun.serve>;
  const complaints: string[] = [];
  const elsewhere: string[] = [];
  const mesh = fakeMesh({ policies: [STRICT], objects: LAB_OBJECTS });

  beforeAll(async () => {
    await buildWebApp(folder);
    server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 60, fetch: fakeConsole({ webRoot: folder, mesh }) });
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1440, height: 860 } });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("request", (request) => new URL(request.url()).port !== String(server.port) && !request.url().startsWith("data:") && elsewhere.push(request.url()));
    await page.goto(`http://127.0.0.1:${server.port}/kiali`);
  }, 30_000);

  afterAll(async () => {
    await browser?.close();
    await server?.stop(true);
    rmSync(folder, { recursive: true, force: true });
  });

  test("opens on the graph, with the lock and the refused caller in words", async () => {
    await page.locator(".mesh-lock-closed", { hasText: "Mesh-wide mTLS is enabled" }).waitFor();
    await page.getByRole("button", { name: "sleep → web-api" }).waitFor();
    expect(await page.getByRole("img", { name: /Traffic graph: 6 nodes, 4 edges/ }).count()).toBe(1);
  }, 20_000);

  test("the past is replayed, and now comes back", async () => {
    const view = await browser.newPage({ viewport: { width: 1440, height: 860 } });
    const asked: string[] = [];
    view.on("request", (request) => request.url().includes("queryTime=") && asked.push(new URL(request.url()).searchParams.get("queryTime")!));
    await view.goto(`http://127.0.0.1:${server.port}/kiali/graph`);
    await view.getByRole("button", { name: "Replay…" }).click();
    await view.getByRole("slider", { name: "Moment" }).press("ArrowLeft");
    await view.getByRole("button", { name: "Play" }).click();
    await view.waitForFunction(
      (before) => document.querySelector<HTMLInputElement>('input[type="range"]')!.value > before,
      await view.getByRole("slider").inputValue(),
    );
    // The graph of the first moment, of the moved one, and of what play comes to.
    while (new Set(asked).size < 3) await view.waitForTimeout(50);
    await view.getByRole("button", { name: "Back to now" }).click();
    await view.getByRole("button", { name: "Replay…" }).waitFor();
    await view.close();
  }, 20_000);

  test("a trace is found, unfolded and explained by its spans", async () => {
    const view = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await view.goto(`http://127.0.0.1:${server.port}/kiali/traces`);
    await view.getByRole("checkbox", { name: "failed only" }).check();
    await view.waitForFunction(() => document.querySelectorAll('table[aria-label="Traces"] tbody tr').length === 4);
    await view.locator("tbody a").first().click();
    await view.getByRole("heading", { name: /web-api.*3 failed/ }).waitFor();
    await view.getByRole("button", { name: /web-api.istioinaction recommendation/ }).click();
    await view.locator(".waterfall-detail", { hasText: "outbound|8080||web-api" }).waitFor();
    await view.getByRole("button", { name: "1 call of istio-ingressgateway.istio-system" }).click();
    await view.waitForFunction(() => document.querySelectorAll(".waterfall-row").length === 2);
    await view.close();
  }, 20_000);

  test("marks and dots are drawn where the edges are", async () => {
    const coloured = () =>
      page.evaluate(() => {
        const paper = document.querySelector<HTMLCanvasElement>(".graph-overlay")!;
        const { data } = paper.getContext("2d")!.getImageData(0, 0, paper.width, paper.height);
        let [green, red] = [0, 0];
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 3]! < 128) continue;
          if (data[i + 1]! > 120 && data[i]! < 100) green++;
          if (data[i]! > 180 && data[i + 1]! < 100) red++;
        }
        return { green, red };
      });
    await page.bringToFront();
    let seen = await coloured();
    // Dots come with requests, and marks with the first frame that a busy machine draws.
    for (const deadline = Date.now() + 10_000; Date.now() < deadline && !(seen.green > 200 && seen.red > 20); seen = await coloured())
      await page.waitForTimeout(200);
    expect(seen.green).toBeGreaterThan(200);
    expect(seen.red).toBeGreaterThan(20);
  }, 20_000);

  test("an edge's panel shows mTLS and both identities uncut", async () => {
    await page.getByRole("button", { name: "sleep → web-api" }).click();
    await page.getByText("Nothing got in").waitFor();
    await page.getByRole("button", { name: "web-api.istioinaction" }).click();
    await page.getByRole("button", { name: /istio-ingressgateway/ }).click();
    await page.getByText("mTLS Enabled").waitFor();
    for (const id of ["spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway", "spiffe://cluster.local/ns/istioinaction/sa/web-api"]) {
      expect(await page.locator(".principal code", { hasText: id }).count()).toBe(1);
    }
  }, 20_000);

  test("the keyboard goes through the graph, and a search marks what it finds", async () => {
    await page.getByRole("button", { name: "Close" }).click();
    await page.locator(".graph-view").focus();
    await page.keyboard.press("ArrowRight");
    await page.locator(".panel", { hasText: "Workload" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: "Legend" }).waitFor();
    await page.getByLabel("Find").fill("refused");
    await page.getByText("1 found").waitFor();
    await page.getByLabel("Find").fill("label:app = recommendation or vs");
    await page.getByText("2 found").waitFor();
    await page.getByLabel("Expressions").click();
    await page.getByRole("rowheader", { name: "circuitbreaker" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByLabel("Find").fill("colour = red");
    await page.locator(".search-wrong").waitFor();
    await page.getByLabel("Find").fill("");
  }, 20_000);

  test("a policy's change is on the page by itself", async () => {
    mesh.setPolicies([]);
    await page.locator(".mesh-lock-partial").waitFor();
    mesh.setPolicies([STRICT]);
    await page.locator(".mesh-lock-closed").waitFor();
  }, 20_000);

  test("a server that goes away is said and found again", async () => {
    const { port } = server;
    await server.stop(true);
    await page.getByText("reconnecting…").waitFor();
    server = Bun.serve({ hostname: "127.0.0.1", port: port!, idleTimeout: 60, fetch: fakeConsole({ webRoot: folder, mesh }) });
    await page.locator(".pulse.on").waitFor({ timeout: 15_000 });
    // The browser itself logs that it could not connect.
    expect(complaints.every((text) => text.includes("ERR_"))).toBe(true);
    complaints.length = 0;
  }, 30_000);

  test("asks no other host and complains of nothing", () => {
    expect(elsewhere).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
