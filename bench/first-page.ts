/** The console's first page on a live mesh, as a person meets it: how soon it is there, and how soon what happens is on it. */
import { join } from "node:path";
import { CHROMIUM, launchBrowser } from "../test/console/browser.ts";
import { ROOT } from "../test/e2e/shell.ts";
import { median, sh } from "./cluster-processes.ts";
import type { Row } from "./run.ts";

/** Each in a context of its own, with nothing cached. */
const ROUNDS = 5;
/** Far beyond the bars: what never comes is no figure. */
const TIMEOUT_MS = 30_000;
const STRICT = `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n`;

/** `env` is that of a shell on a mesh with the lab. */
export async function firstPageRows(env: Record<string, string>): Promise<Row[]> {
  if (CHROMIUM === undefined) {
    console.log("there is no chromium: the first page is left out");
    return [];
  }
  const tunnel = Bun.spawn([join(ROOT, "bin/istioctl"), "dashboard", "kiali", "--browser=false", "--address", "127.0.0.1"], {
    env,
    stdout: "pipe",
    stderr: "inherit",
  });
  const browser = await launchBrowser();
  try {
    const url = await firstUrl(tunnel.stdout);
    const firsts: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 860 } });
      const page = await context.newPage();
      const started = performance.now();
      await page.goto(url, { waitUntil: "commit" });
      // The workloads have their places: everything that a person came for is drawn.
      await page.getByRole("img", { name: /Traffic graph: [1-9]/ }).waitFor({ timeout: TIMEOUT_MS });
      firsts.push(performance.now() - started);
      await context.close();
    }
    const page = await browser.newPage({ viewport: { width: 1440, height: 860 } });
    await page.goto(url);
    await page.getByRole("img", { name: /Traffic graph: [1-9]/ }).waitFor({ timeout: TIMEOUT_MS });
    const policies: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await sh(`kubectl apply -f - <<'EOF'\n${STRICT}EOF`, env);
      const applied = performance.now();
      await page.locator(".mesh-lock-closed").waitFor({ timeout: TIMEOUT_MS });
      policies.push(performance.now() - applied);
      await sh("kubectl delete peerauthentication default -n istio-system", env);
      await page.locator(".mesh-lock-closed").waitFor({ state: "detached", timeout: TIMEOUT_MS });
    }
    // Nobody came through the gateway since the mesh was started.
    await sh("curl -sk -o /dev/null --resolve istioinaction.io:$SECURE_INGRESS_PORT:$GATEWAY_IP https://istioinaction.io:$SECURE_INGRESS_PORT/", env);
    const asked = performance.now();
    await page
      .getByRole("button", { name: "istio-ingressgateway → web-api" })
      .or(page.getByText(/istio-ingressgateway\S* → ?web-api/))
      .first()
      .waitFor({ timeout: TIMEOUT_MS });
    const edge = performance.now() - asked;
    return [
      {
        name: "console: first page, to the drawn graph",
        value: median(firsts),
        unit: "ms",
        bar: 1_000,
        how: `median of ${ROUNDS}, nothing cached, Chromium through istioctl dashboard`,
      },
      {
        name: "console: a policy's change on the page",
        value: median(policies),
        unit: "ms",
        bar: 500,
        how: `median of ${ROUNDS}, from the end of kubectl apply`,
      },
      { name: "console: a new edge on the page", value: edge, unit: "ms", bar: 2_000, how: "from the end of the first request" },
    ];
  } finally {
    await browser.close();
    tunnel.kill("SIGKILL");
    await tunnel.exited;
  }
}

async function firstUrl(output: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of output) {
    text += decoder.decode(chunk, { stream: true });
    const url = /^http:\/\/\S+$/m.exec(text)?.[0];
    if (url) return url;
  }
  throw new Error(`istioctl dashboard ended: ${text}`);
}
