import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { buildWebApp } from "../../src/console/build.ts";
import { parseGuide } from "../../src/console/guide/index.ts";
import { labGuide } from "../../src/lab/index.ts";
import { CHROMIUM, launchBrowser } from "./browser.ts";
import { traceId } from "./fake-traces.ts";
import { LAB_LOGS, LAB_OBJECTS, STRICT, fakeConsole, fakeMesh } from "./fake-mesh.ts";

const folder = mkdtempSync(join(tmpdir(), "chainmail-console-"));
const WORKLOAD = "/namespaces/istioinaction/workloads/web-api";
const PAGES = [
  "/graph",
  "/guide",
  "/overview",
  "/namespaces",
  "/namespaces/istioinaction",
  "/applications",
  "/namespaces/istioinaction/applications/web-api",
  "/namespaces/gone",
  "/workloads",
  "/services",
  "/policies",
  "/istio",
  "/mesh",
  "/traces",
  "/istio/new?what=faults",
  WORKLOAD,
  `${WORKLOAD}?tab=traffic`,
  `${WORKLOAD}?tab=logs`,
  `${WORKLOAD}?tab=metrics`,
  `${WORKLOAD}?tab=envoy`,
  "/namespaces/istioinaction/services/web-api",
  "/namespaces/istioinaction/istio/networking.istio.io/v1/VirtualService/web-api-gw-vs",
  "/namespaces/istioinaction/workloads/gone",
  `/traces/${traceId(12)}`,
];

interface Finding {
  id: string;
  impact: string | null;
  nodes: { target: string[]; html: string }[];
}

describe.if(CHROMIUM !== undefined)("every page for everybody", () => {
  let browser: Browser;
  let server: ReturnType<typeof Bun.serve>;

  beforeAll(async () => {
    await buildWebApp(folder);
    server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 60,
      fetch: fakeConsole({ webRoot: folder, mesh: fakeMesh({ policies: [STRICT], objects: LAB_OBJECTS }), logs: LAB_LOGS, guides: [parseGuide(labGuide())] }),
    });
    browser = await launchBrowser();
  }, 30_000);

  afterAll(async () => {
    await browser?.close();
    await server?.stop(true);
    rmSync(folder, { recursive: true, force: true });
  });

  // Between the two every page and both themes are seen; pages of one kind need not be seen twice.
  test.each([
    ["light", 1440, PAGES],
    ["dark", 400, PAGES.filter((_, i) => i % 2 === 1)],
  ] as const)(
    "axe finds nothing serious, nothing runs over the edge: %s, %d wide",
    async (colorScheme, width, pages) => {
      // What is drawn with a strict policy of its own is looked at by a script that the test brings along.
      const page = await browser.newPage({ viewport: { width, height: 860 }, colorScheme, bypassCSP: true });
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      for (const path of pages) {
        await page.goto(`http://127.0.0.1:${server.port}/kiali${path}`);
        await page.locator("main h1, main .empty").first().waitFor();
        await page.waitForTimeout(150);
        await page.addScriptTag({ path: Bun.resolveSync("axe-core/axe.min.js", import.meta.dir) });
        const findings = (await page.evaluate("axe.run(document, { runOnly: ['wcag2a', 'wcag2aa'] }).then((result) => result.violations)")) as Finding[];
        for (const { id, impact, nodes } of findings)
          if (impact === "serious" || impact === "critical")
            complaints.push(`${path}: ${id} at ${nodes.map(({ target, html }) => `${target.join(" ")} ${html.slice(0, 120)}`).join(" | ")}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (over > 0) complaints.push(`${path}: ${over} px wider than the window`);
      }
      await page.close();
      expect(complaints).toEqual([]);
    },
    240_000,
  );
});
