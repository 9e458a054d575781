import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** Debian's package `prometheus`; any 2.42 answers the same. */
const MODULE = "github.com/prometheus/prometheus/cmd/prometheus@v0.42.0";
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "chainmail", "prometheus-v0.42.0");
/** A first build fetches and compiles every cloud's client. */
const BUILD_TIMEOUT_MS = 20 * 60_000;
/** Under the load of other tests a start takes seconds. */
const START_TIMEOUT_MS = 60_000;

export type Found = { readonly path: string; readonly reason?: undefined } | { readonly path?: undefined; readonly reason: string };

/** The real Prometheus: on the path (Debian's package `prometheus`), in the cache, or built there by Go. In conformance runs only. */
export function findPrometheus(): Found {
  if (process.env.CHAINMAIL_CONFORMANCE !== "1") return { reason: "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)" };
  const known = Bun.which("prometheus", { PATH: `${process.env.PATH ?? ""}:${CACHE}` });
  if (known) return { path: known };
  if (!Bun.which("go")) return { reason: "no prometheus on the path (apt-get install prometheus), and no Go to build it" };
  mkdirSync(CACHE, { recursive: true });
  const { exitCode, stderr } = Bun.spawnSync(["go", "install", MODULE], { env: { ...process.env, GOBIN: CACHE }, stderr: "pipe", timeout: BUILD_TIMEOUT_MS });
  return exitCode === 0 ? { path: join(CACHE, "prometheus") } : { reason: `Go cannot build ${MODULE}: ${stderr.toString().trim().split("\n").slice(-2).join(" ")}` };
}

export interface RunningPrometheus {
  url: string;
  pid: number;
  folder: string;
  /** Ends it and waits until it is gone; its folder goes too. */
  stop(): Promise<void>;
}

/** Starts one on a free port with an empty store; `config` is its prometheus.yml. */
export async function startPrometheus(path: string, config: string, flags: readonly string[] = []): Promise<RunningPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-prometheus-"));
  writeFileSync(join(folder, "prometheus.yml"), config);
  const port = freePort();
  const child = Bun.spawn([path, `--config.file=${join(folder, "prometheus.yml")}`, `--storage.tsdb.path=${join(folder, "data")}`, `--web.listen-address=127.0.0.1:${port}`, "--log.level=error", ...flags], { cwd: folder, stdout: "inherit", stderr: "inherit" });
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill();
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  for (const end = Date.now() + START_TIMEOUT_MS; ; await Bun.sleep(100)) {
    if (await fetch(`${url}/-/ready`).then((answer) => answer.ok, () => false)) return { url, pid: child.pid, folder, stop };
    if (child.exitCode === null && Date.now() < end) continue;
    await stop();
    throw new Error(`prometheus did not become ready on ${url}`);
  }
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
