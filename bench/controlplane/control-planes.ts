/** The two control planes under test, started the same way on the same API server, and what each has cost. */
import { createServer } from "node:net";
import { buildPrograms, BUN_PATH, commandOf } from "../../src/cli/programs.ts";
import { cpuMs, nowMs } from "./process-figures.ts";

export type ControlPlaneName = "chainmail" | "istiod";

export interface ControlPlane {
  readonly name: ControlPlaneName;
  readonly pid: number;
  readonly ports: { plaintext: number; secure: number };
  /** From its start to its first ready answer. */
  readonly readyMs: number;
  readonly readyCpuMs: number;
  stop(): Promise<void>;
}

/** Long enough for 5,000 services on a busy machine. */
const READY_TIMEOUT_MS = 60_000;
const ENVIRONMENT = {
  POD_NAMESPACE: "istio-system",
  POD_NAME: "istiod-bench",
  GOMAXPROCS: "2",
  // Its default lets 25 proxies a second come in, which would measure the limit and not the work.
  PILOT_MAX_REQUESTS_PER_SECOND: "10000",
  // Nothing stands at the addresses of webhooks here.
  // Its templates are not part of this world.
  INJECT_ENABLED: "false",
  INJECTION_WEBHOOK_CONFIG_NAME: "",
  VALIDATION_WEBHOOK_CONFIG_NAME: "",
};

/** Our own program, bundled as pods get it. */
export async function chainmailCommand(folder: string): Promise<string[]> {
  const programs = await buildPrograms(folder);
  return commandOf("pilot-discovery", BUN_PATH, programs.folder);
}

export async function startControlPlane(name: ControlPlaneName, command: readonly string[], kubeconfig: string, log: string): Promise<ControlPlane> {
  const ports = { plaintext: await freePort(), secure: await freePort() };
  const http = await freePort();
  const flags = {
    kubeconfig,
    grpcAddr: `127.0.0.1:${ports.plaintext}`,
    secureGRPCAddr: `127.0.0.1:${ports.secure}`,
    httpAddr: `127.0.0.1:${http}`,
    httpsAddr: `127.0.0.1:${await freePort()}`,
    monitoringAddr: `127.0.0.1:${await freePort()}`,
    log_output_level: "default:info",
  };
  const started = nowMs();
  const child = Bun.spawn(
    [...command, "discovery", ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`), ...(name === "istiod" ? ["--ctrlz_port=0"] : [])],
    {
      env: { ...process.env, ...ENVIRONMENT },
      stdout: Bun.file(`${log}.out`),
      stderr: Bun.file(`${log}.err`),
    },
  );
  while (!(await isReady(http))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: see ${log}.err`);
    if (nowMs() - started > READY_TIMEOUT_MS) throw new Error(`${name} does not become ready: see ${log}.err`);
    await Bun.sleep(2);
  }
  return {
    name,
    pid: child.pid,
    ports,
    readyMs: nowMs() - started,
    readyCpuMs: cpuMs(child.pid),
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/ready`)).ok;
  } catch {
    // Nobody listens yet.
    return false;
  }
}

/** Below the ports that outgoing connections are given: one of those could have been taken before the program listens. */
const PORTS = { from: 12_000, to: 32_000 };

async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  });
}
