import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Under the load of other tests a start takes seconds. */
const START_TIMEOUT_MS = 60_000;

export type Found = { readonly path: string; readonly reason?: undefined } | { readonly path?: undefined; readonly reason: string };

/** The real Prometheus, which Debian's package `prometheus` brings. In conformance runs only. */
export function findPrometheus(): Found {
  if (process.env.CHAINMAIL_CONFORMANCE !== "1") return { reason: "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)" };
  const path = Bun.which("prometheus");
  return path === null ? { reason: "there is no prometheus on the path (apt-get install prometheus)" } : { path };
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
  const child = Bun.spawn(
    [
      path,
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=error",
      ...flags,
    ],
    { cwd: folder, stdout: "inherit", stderr: "inherit" },
  );
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill();
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  for (const end = Date.now() + START_TIMEOUT_MS; ; await Bun.sleep(100)) {
    if (
      await fetch(`${url}/-/ready`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return { url, pid: child.pid, folder, stop };
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
