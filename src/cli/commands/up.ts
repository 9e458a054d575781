import { existsSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Command } from "commander";
import { ChainmailError } from "../../base/index.ts";
import { clusterRunning, launchCluster, machineError, probeMachine, requireUser } from "../../cluster/launch/index.ts";
import { type Readiness, adminClient, clusterStart, readiness } from "../cluster-api.ts";
import { findEnvoy } from "../envoy.ts";
import {
  type ClusterPaths,
  type ClusterSettings,
  DEFAULT_API_PORT,
  chainmailHome,
  chooseAddress,
  clusterNames,
  clusterPaths,
  prepareFolders,
  readSettings,
  writeSettings,
} from "../home.ts";
import { BUN_PATH, PROJECT_ROOT, buildPrograms } from "../programs.ts";
import { printStatus } from "./status.ts";

export interface BringUpOptions {
  name: string;
  apiPort?: number;
  mesh?: boolean;
  proxy?: string;
  envoyPath?: string;
  say(text: string): void;
}

/** Ten times what a slow machine needs; a pod that cannot start is reported long before. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
/** How long the mesh, once it is ready, waits for pods of its users: they start like its own, unless they cannot. */
const OTHERS_TIMEOUT_MS = 15_000;
/** Each look is a list of all pods, on the cores that start them. */
const READY_POLL_MS = 150;
/** The user that Istio's capture rules let pass: Envoy cannot mark its sockets as our own proxy does. */
const PROXY_UID = 1337;

export function upCommand(): Command {
  return new Command("up")
    .description("start the cluster and the mesh")
    .option("--name <cluster>", "a cluster of its own beside others", "default")
    .option("--port <port>", "port of the Kubernetes API", Number)
    .option("--mesh", "with istiod, gateway, console and metrics store (the default of a new cluster; kept for the next `up`)")
    .option("--no-mesh", "only the cluster")
    .option("--proxy <kind>", "chainmail, or envoy: a real Envoy in sidecars and gateways (kept for the next `up`)")
    .option("--envoy-path <file>", "Envoy's binary, where it is not on the path")
    .action(async ({ port, ...options }: { name: string; port?: number; mesh?: boolean; proxy?: string; envoyPath?: string }) => {
      await bringUp({ ...options, apiPort: port, say: (text) => process.stderr.write(`${text}\n`) });
      await printStatus(clusterPaths(options.name));
    });
}

/** Starts the cluster unless it runs, and returns when the mesh's pods are Ready, and all others that can be. */
export async function bringUp(options: BringUpOptions): Promise<void> {
  const paths = clusterPaths(options.name);
  const home = chainmailHome();
  prepareFolders(paths, home);
  const settings = settingsFor(paths, options);
  if (!clusterRunning({ pidPath: paths.pid })) await start(paths, settings, home, options.say);
  else requireSameProxy(paths, settings);
  await waitUntilReady(paths, options.say);
}

function settingsFor(paths: ClusterPaths, options: BringUpOptions): ClusterSettings {
  const old = readSettings(paths);
  const others = clusterNames().filter((name) => name !== paths.name);
  const taken = others.flatMap((name) => readSettings(clusterPaths(name))?.address ?? []);
  return {
    address: old?.address ?? chooseAddress(paths.name, taken),
    apiPort: options.apiPort ?? old?.apiPort ?? DEFAULT_API_PORT,
    mesh: options.mesh ?? old?.mesh ?? true,
    ...proxyFor(old, options),
  };
}

/** What was asked for, else what the cluster had. */
function proxyFor(old: ClusterSettings | undefined, { proxy, envoyPath }: BringUpOptions): Pick<ClusterSettings, "proxy" | "envoyPath"> {
  const kind = proxy ?? (envoyPath === undefined ? (old?.proxy ?? "chainmail") : "envoy");
  if (kind === "chainmail" && envoyPath === undefined) return { proxy: kind };
  if (kind !== "envoy")
    throw new ChainmailError("USAGE", `--proxy ${kind}: it is either chainmail or envoy, and --envoy-path goes with envoy`, {
      hint: "chainmail up --proxy envoy",
    });
  return { proxy: kind, envoyPath: findEnvoy(envoyPath ?? old?.envoyPath).path };
}

/** Pods that run have the proxy that they were made with. */
function requireSameProxy(paths: ClusterPaths, wanted: ClusterSettings): void {
  const running = readSettings(paths);
  if (!running || (running.proxy === wanted.proxy && running.envoyPath === wanted.envoyPath)) return;
  const name = paths.name === "default" ? "" : ` --name ${paths.name}`;
  throw new ChainmailError("PROXY_DIFFERS", `the cluster "${paths.name}" runs with another proxy (${running.envoyPath ?? running.proxy})`, {
    hint: `chainmail down${name} && chainmail up${name} --proxy ${wanted.proxy}`,
  });
}

async function start(paths: ClusterPaths, settings: ClusterSettings, home: string, say: (text: string) => void): Promise<void> {
  const rootless = process.getuid?.() !== 0;
  const report = await probeMachine({ rootless });
  if (!report.ok) throw machineError(report);
  const users = settings.proxy === "envoy" ? requireUser(PROXY_UID) : "host";
  await requirePortFree(paths, settings);
  writeSettings(paths, settings);
  const { folder: programs, built } = await buildPrograms(home);
  if (built) say("bundled the programs that run in pods");
  for (const path of [paths.failure, paths.started]) rmSync(path, { force: true });
  const launched = await launchCluster({
    argv: [BUN_PATH, join(PROJECT_ROOT, "src/cli/cluster-process.ts"), paths.name, programs],
    env: { ...process.env, CHAINMAIL_HOME: home } as Record<string, string>,
    logPath: paths.log,
    pidPath: paths.pid,
    rootless,
    users,
  });
  await waitForApi(paths, launched.pid);
}

/** A taken port must be said before anything starts. */
async function requirePortFree(paths: ClusterPaths, settings: ClusterSettings): Promise<void> {
  const { address, apiPort } = settings;
  const server = createServer();
  const problem = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve);
    server.listen(apiPort, address, () => server.close(() => resolve(undefined)));
  });
  if (!problem) return;
  if (problem.code === "EADDRINUSE") {
    throw new ChainmailError("API_PORT_TAKEN", `the API's port ${address}:${apiPort} is taken by another program`, {
      cause: problem,
      hint: `chainmail up${paths.name === "default" ? "" : ` --name ${paths.name}`} --port ${apiPort + 10000}   (who has it: ss -ltnp 'sport = :${apiPort}')`,
    });
  }
  throw new ChainmailError("API_PORT_REFUSED", `the API cannot listen on ${address}:${apiPort}: ${problem.message}`, {
    cause: problem,
    hint: "chainmail up --port 16443",
  });
}

/** The cluster process answers, or has said why it does not. */
async function waitForApi(paths: ClusterPaths, pid: number): Promise<void> {
  for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline; await Bun.sleep(POLL_MS)) {
    if (existsSync(paths.failure)) {
      const { code, message, hint } = JSON.parse(readFileSync(paths.failure, "utf8")) as { code: string; message: string; hint?: string };
      throw new ChainmailError(code, message, { hint: hint ?? `less ${paths.log}` });
    }
    if (!clusterRunning({ pidPath: paths.pid })) break;
    if (existsSync(paths.started)) return;
  }
  throw new ChainmailError("CLUSTER_DID_NOT_START", `the cluster process (${pid}) did not come up: ${lastLines(paths.log)}`, { hint: `less ${paths.log}` });
}

async function waitUntilReady(paths: ClusterPaths, say: (text: string) => void): Promise<void> {
  const client = await adminClient(paths);
  let state: Readiness | undefined;
  let said = "";
  let othersSince: number | undefined;
  for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline; await Bun.sleep(READY_POLL_MS)) {
    state = await readiness(client, clusterStart(paths));
    const text = `pods: ${state.ready} of ${state.total} ready`;
    if (text !== said && state.total > 0) say((said = text));
    if (state.complete) return;
    if (state.total === 0 || state.waiting.length === 0 || state.waiting.some((pod) => pod.ofMesh)) othersSince = undefined;
    else if (state.waiting.every((pod) => pod.stuck) || Date.now() > (othersSince ??= Date.now()) + OTHERS_TIMEOUT_MS) {
      // The mesh is there, and somebody's own broken pod is no reason to keep it from them.
      return say(`not ready, and not waited for: ${state.waiting.map((pod) => `${pod.name} (${pod.reason})`).join(", ")}`);
    }
  }
  const waiting = state?.waiting.map((pod) => `${pod.name} (${pod.reason})`).join(", ");
  throw new ChainmailError("PODS_NOT_READY", `not ready after ${READY_TIMEOUT_MS / 1000} s: ${waiting || "a Deployment has too few pods"}`, {
    hint: "kubectl get events -A",
  });
}

function lastLines(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n").slice(-5).join("\n") : "its log is empty";
}
