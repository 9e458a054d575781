import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findEnvoy } from "../../src/cli/envoy.ts";
import { goTool } from "./go-tool.ts";
import { freePort, waitForPort } from "./ports.ts";

/**
 * h2spec's cases of RFC 7540 and RFC 7541 against our proxy and, where there is one, a real Envoy with the same
 * bootstrap: what Envoy passes we pass.
 */

const wanted = process.env.CHAINMAIL_CONFORMANCE === "1";
const h2spec = wanted ? goTool("h2spec", "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible") : undefined;
const envoy = wanted ? envoyPath() : undefined;
const SKIP = !wanted ? "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)" : h2spec ? undefined : "no h2spec on the path and no Go to build it";

const scratch = mkdtempSync(join(tmpdir(), "chainmail-h2spec-"));
const children: Bun.Subprocess[] = [];
let backend: Bun.Server<undefined> | undefined;

afterAll(async () => {
  for (const child of children) child.kill();
  await Promise.all(children.map((child) => child.exited));
  void backend?.stop(true);
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(SKIP !== undefined)(`h2spec${SKIP ? ` (skipped: ${SKIP})` : ""}`, () => {
  let ours: Map<string, boolean>;

  beforeAll(async () => {
    // An answer of some length: the flow-control cases hold it back byte by byte.
    const answer = "x".repeat(4096);
    backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => request.arrayBuffer().then(() => new Response(answer)) });
    const port = freePort();
    await start([join(import.meta.dir, "../../bin/chainmail"), "proxy", "-c", bootstrap("ours", port)], port);
    ours = await run("ours", port);
  }, 60_000);

  test("the proxy passes every case, the strict ones too", () => {
    expect(ours.size).toBeGreaterThanOrEqual(146);
    expect(failures(ours)).toEqual([]);
  });

  test.skipIf(!envoy)(
    `the proxy passes what Envoy passes${envoy ? "" : " (skipped: no envoy on the path)"}`,
    async () => {
      const port = freePort();
      await start([envoy as string, "-c", bootstrap("envoy", port), "--concurrency", "1", "--base-id", String(port), "-l", "error"], port);
      const theirs = await run("envoy", port);
      expect(theirs.size).toBe(ours.size);
      expect([...theirs].filter(([name, passed]) => passed && ours.get(name) !== true)).toEqual([]);
      console.log(`h2spec: ours passes ${ours.size - failures(ours).length} of ${ours.size}, Envoy ${theirs.size - failures(theirs).length}`);
    },
    120_000,
  );
});

async function start(command: string[], port: number): Promise<void> {
  children.push(Bun.spawn(command, { stdout: "ignore", stderr: "inherit" }));
  await waitForPort(port);
}

/** The cases by name, and whether each passed. */
async function run(name: string, port: number): Promise<Map<string, boolean>> {
  const report = join(scratch, `${name}.xml`);
  // A case in which a server stays silent fails after so many seconds; on loopback an answer takes none.
  const child = Bun.spawn([h2spec as string, "-h", "127.0.0.1", "-p", String(port), "--strict", "-o", "2", "-j", report], {
    stdout: "ignore",
    stderr: "inherit",
  });
  await child.exited;
  const cases = new Map<string, boolean>();
  for (const [, section, title, rest] of readFileSync(report, "utf8").matchAll(
    /<testcase package="([^"]*)" classname="([^"]*)" time="[^"]*">([\s\S]*?)<\/testcase>/g,
  )) {
    cases.set(`${section}: ${title}`, rest === "");
  }
  return cases;
}

function failures(cases: Map<string, boolean>): string[] {
  return [...cases].filter(([, passed]) => !passed).map(([name]) => name);
}

function bootstrap(name: string, port: number): string {
  const file = join(scratch, `${name}.json`);
  const type = "type.googleapis.com/envoy.extensions.filters";
  const address = (portValue: number) => ({ socketAddress: { address: "127.0.0.1", portValue } });
  const manager = {
    "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: "h2spec",
    codecType: "HTTP2",
    routeConfig: { name: "r", virtualHosts: [{ name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "backend" } }] }] },
    httpFilters: [{ name: "router", typedConfig: { "@type": `${type}.http.router.v3.Router` } }],
  };
  const staticResources = {
    listeners: [{ name: "l", address: address(port), filterChains: [{ filters: [{ name: "hcm", typedConfig: manager }] }] }],
    clusters: [
      {
        name: "backend",
        type: "STATIC",
        connectTimeout: "1s",
        loadAssignment: { clusterName: "backend", endpoints: [{ lbEndpoints: [{ endpoint: { address: address(backend?.port as number) } }] }] },
      },
    ],
  };
  writeFileSync(file, JSON.stringify({ staticResources }));
  return file;
}

function envoyPath(): string | undefined {
  try {
    return findEnvoy(process.env.CHAINMAIL_ENVOY).path;
  } catch {
    return undefined;
  }
}
