import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentOptions, type AgentOptions } from "../options.ts";
import { TestControlPlane } from "../test-control-plane.ts";
import { runEnvoy } from "./run-envoy.ts";

/**
 * Stands where Envoy will: writes down how it was called, serves the admin pages that the agent asks, and tells of one
 * request. It is live after it has been told so, by a file.
 */
const STAND_IN = `
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
const [, , , path] = process.argv;
const { admin } = JSON.parse(await Bun.file(path).text());
const folder = path.slice(0, path.lastIndexOf("/"));
writeFileSync(folder + "/called.json", JSON.stringify({ argv: process.argv.slice(2), env: process.env }));
Bun.serve({ hostname: "127.0.0.1", port: admin.address.socket_address.port_value, fetch(request) {
  const { pathname, search } = new URL(request.url);
  appendFileSync(folder + "/asked", request.method + " " + pathname + decodeURIComponent(search) + "\\n");
  const live = existsSync(folder + "/live");
  if (pathname === "/stats/prometheus") return new Response("# TYPE envoy_x counter\\nenvoy_x{} 1\\n");
  if (pathname === "/stats") return new Response("cluster_manager.cds.update_success: " + Number(live) + "\\nlistener_manager.lds.update_success: " + Number(live) + "\\nlistener_manager.workers_started: 1\\nserver.state: 0\\nserver.total_connections: 0\\n");
  return new Response("OK\\n");
} });
appendFileSync("/dev/fd/3", JSON.stringify({ kind: "http", class: "outbound", status: 200, cluster: "outbound|80||x" }) + "\\n");
process.on("SIGTERM", () => process.exit(0));
`;

const folder = mkdtempSync(join(tmpdir(), "envoy-"));
let plane: TestControlPlane;
const [adminPort, statusPort] = [freePort(), freePort()];

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

beforeAll(async () => {
  plane = await TestControlPlane.start("a-token");
  writeFileSync(join(folder, "token"), "a-token\n");
  writeFileSync(join(folder, "root-cert.pem"), plane.root.pem);
  writeFileSync(join(folder, "stand-in.ts"), STAND_IN);
  writeFileSync(join(folder, "envoy"), `#!/bin/sh\nexec ${process.execPath} ${join(folder, "stand-in.ts")} "$@"\n`, { mode: 0o755 });
});
afterAll(() => {
  plane.ads.stop();
  rmSync(folder, { recursive: true });
});

function options(binaryPath: string): AgentOptions {
  const name = "pod";
  mkdirSync(join(folder, name), { recursive: true });
  const config = { discoveryAddress: `localhost:${plane.ads.port}`, proxyAdminPort: adminPort, statusPort, binaryPath, drainDuration: "7s", concurrency: 3 };
  return agentOptions(
    ["sidecar", "--domain", "ns1.svc.cluster.local", "--proxyLogLevel=warning", "--proxyComponentLogLevel=misc:error", "--log_output_level=default:none"],
    {
      POD_NAME: "web-1",
      POD_NAMESPACE: "ns1",
      INSTANCE_IP: "127.0.0.1",
      SERVICE_ACCOUNT: "web",
      CA_ADDR: `localhost:${plane.ads.port}`,
      PROXY_CONFIG: JSON.stringify(config),
      CHAINMAIL_PROXY: "envoy",
    },
    {
      token: join(folder, "token"),
      rootCert: join(folder, "root-cert.pem"),
      revocations: join(folder, "crl.pem"),
      workloadSocket: join(folder, name, "sds"),
      podInfo: folder,
      configFolder: join(folder, name),
    },
  );
}

const status = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${statusPort}${path}`);
const written = (name: string): string => readFileSync(join(folder, "pod", name), "utf8");

test("the agent starts Envoy as Istio's does, counts for it, is ready when it is, and ends it gracefully", async () => {
  const running = runEnvoy(options(join(folder, "envoy")));
  await until(async () => (await (await status("/healthz/ready")).text()).startsWith("config not fully received"));
  const { argv, env } = JSON.parse(written("called.json")) as { argv: string[]; env: Record<string, string> };
  const bootstrap = join(folder, "pod/envoy-rev.json");
  expect(argv.join(" ")).toBe(
    `-c ${bootstrap} --drain-time-s 7 --drain-strategy immediate --local-address-ip-version v4 --file-flush-interval-msec 250 --disable-hot-restart --allow-unknown-static-fields -l warning --component-log-level misc:error --concurrency 3`,
  );
  expect(Object.keys(env)).not.toContain("POD_NAME");
  expect(JSON.parse(readFileSync(bootstrap, "utf8"))).toMatchObject({ node: { id: "sidecar~127.0.0.1~web-1.ns1~ns1.svc.cluster.local" } });

  writeFileSync(join(folder, "pod/live"), "");
  await until(async () => (await status("/healthz/ready")).status === 200);
  await until(async () => (await (await status("/stats/prometheus")).text()).includes('response_code="200"'));
  const metrics = await (await status("/stats/prometheus")).text();
  expect(metrics).toContain("envoy_x{} 1\n");
  expect(metrics).toMatch(/^istio_requests_total\{reporter="source",source_workload="unknown".* 1$/m);
  expect(metrics).toMatch(/^istio_agent_startup_duration_seconds \d/m);

  running.terminate();
  expect(await running.done).toBe(0);
  expect(written("asked")).toContain("POST /drain_listeners?inboundonly&graceful\n");
  await expect(status("/healthz/ready")).rejects.toThrow();
});

test("the agent ends with an Envoy that fails, with its code", async () => {
  writeFileSync(join(folder, "broken"), "#!/bin/sh\nexit 3\n", { mode: 0o755 });
  expect(await runEnvoy(options(join(folder, "broken"))).done).toBe(3);
});

test("an image without an Envoy says so and what would help", () => {
  const path = process.env.PATH;
  process.env.PATH = folder + "/nowhere";
  try {
    expect(() => runEnvoy(options("/no/envoy"))).toThrow("there is no Envoy at /no/envoy");
  } finally {
    process.env.PATH = path;
  }
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (await condition().catch(() => false)) return;
    await Bun.sleep(20);
  }
  throw new Error("waited in vain");
}
