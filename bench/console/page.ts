import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { buildWebApp } from "../../src/console/build.ts";
import { bigMesh } from "../../test/console/big-mesh.ts";
import { CHROMIUM, launchBrowser } from "../../test/console/browser.ts";
import { fakeConsole, fakeMesh } from "../../test/console/fake-mesh.ts";
import type { Row } from "../run.ts";

const [WORKLOADS, EDGES] = [500, 2_000];
const MEASURED_MS = 5_000;
const IDLE_MS = 10_000;
/** The layout of a big graph takes some seconds, and images are drawn in the second after. */
const SETTLE_MS = 8_000;
/** Steps of a drag, each its own event, as a hand makes them. */
const DRAG_STEPS = 60;

/** The graph page in Chromium: frames a second while it is dragged and while its dots run, and what it costs when nothing happens. */
export async function pageRows(): Promise<Row[]> {
  if (CHROMIUM === undefined) {
    console.log("there is no chromium: the page is left out");
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const browser = await launchBrowser();
  const { mesh, queries } = bigMesh(WORKLOADS, EDGES);
  try {
    await buildWebApp(folder);
    const big = serve(fakeConsole({ webRoot: folder, mesh, queries }));
    const page = await open(browser, `${big.url}/kiali/graph`);
    const animated = await frames(page, () => page.waitForTimeout(MEASURED_MS));
    const panned = await frames(page, () => drag(page));
    await page.close();
    big.stop();
    const quiet = serve(fakeConsole({ webRoot: folder, mesh: fakeMesh({}), queries: { instant: async () => [], range: async () => [] } }));
    const rows: Row[] = [
      {
        name: "page: animated, frames a second",
        value: animated.perSecond,
        unit: "/s",
        how: `${WORKLOADS} workloads, ${EDGES} edges, without a GPU; the bar is at least 50`,
      },
      {
        name: "page: animated, CPU a frame",
        value: animated.cpuMs,
        unit: "ms",
        how: "of all of Chromium's processes, drawing included: tells on a busy machine too",
      },
      { name: "page: panned, frames a second", value: panned.perSecond, unit: "/s", how: "dragged by the pointer all the time; the bar is at least 50" },
      { name: "page: panned, CPU a frame", value: panned.cpuMs, unit: "ms", how: "as above" },
    ];
    for (const path of ["graph", "overview"]) {
      const idle = await open(browser, `${quiet.url}/kiali/${path}`);
      const before = browserCpuMs();
      await idle.waitForTimeout(IDLE_MS);
      rows.push({
        name: `page: CPU of an open ${path}, idle`,
        value: ((browserCpuMs() - before) / IDLE_MS) * 100,
        unit: "%",
        bar: 2,
        how: `of one core over ${IDLE_MS / 1000} s, all of Chromium's processes`,
      });
      await idle.close();
    }
    quiet.stop();
    return rows;
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function serve(fetch: (request: Request) => Response | Promise<Response>): { url: string; stop(): void } {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 60, fetch });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => void server.stop(true) };
}

async function open(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 860 } });
  // The page lets its own frames sleep: frames are counted on what it found.
  await page.addInitScript(() => {
    (globalThis as unknown as { frame: typeof requestAnimationFrame }).frame = requestAnimationFrame.bind(globalThis);
  });
  await page.goto(url);
  await page.locator("main h1, main .empty, .graph-view").first().waitFor();
  await page.waitForTimeout(SETTLE_MS);
  return page;
}

/** Frames a second that the page gets while something goes on, and what one costs. */
async function frames(page: Page, during: () => Promise<void>): Promise<{ perSecond: number; cpuMs: number }> {
  const before = browserCpuMs();
  await page.evaluate(() => {
    const counter = globalThis as unknown as { frame: typeof requestAnimationFrame; frames: number; since: number };
    counter.frames = 0;
    counter.since = performance.now();
    const count = () => {
      counter.frames++;
      counter.frame(count);
    };
    counter.frame(count);
  });
  await during();
  const { seen, ms } = await page.evaluate(() => {
    const { frames: counted, since } = globalThis as unknown as { frames: number; since: number };
    return { seen: counted, ms: performance.now() - since };
  });
  return { perSecond: (seen * 1_000) / ms, cpuMs: (browserCpuMs() - before) / seen };
}

async function drag(page: Page): Promise<void> {
  const box = (await page.locator(".graph-view").boundingBox())!;
  // A corner, where nothing lies that could be dragged itself.
  const [x, y] = [box.x + 12, box.y + box.height - 12];
  const end = Date.now() + MEASURED_MS;
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let step = 0; Date.now() < end; step++) {
    const angle = (step / DRAG_STEPS) * 2 * Math.PI;
    await page.mouse.move(x + 160 * Math.sin(angle), y - 160 * (1 - Math.cos(angle)));
  }
  await page.mouse.up();
}

/** CPU of all processes of the browsers that this one has started, in clock ticks of 10 ms. */
function browserCpuMs(): number {
  const processes = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return [
          {
            pid: Number(entry),
            parent: Number(fields[1]),
            ms: (Number(fields[11]) + Number(fields[12])) * 10,
            name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")),
          },
        ];
      } catch {
        // It ended while the list was read.
        return [];
      }
    });
  const below = new Set([process.pid]);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of processes) if (below.has(parent) && !below.has(pid)) grown = below.add(pid) !== undefined;
  }
  return processes.filter(({ pid, name }) => pid !== process.pid && below.has(pid) && name.startsWith("chrom")).reduce((sum, { ms }) => sum + ms, 0);
}
