import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createLogger, errorText, systemClock, VERSION, type Logger } from "../../base/index.ts";
import { GrpcClient, serveGrpcUnix } from "../../proxy/grpc/index.ts";
import { agentMetrics } from "../agent-metrics.ts";
import { serveSds } from "../identity/sds-server.ts";
import { WORKLOAD_SECRET } from "../identity/workload-identity.ts";
import { istioLevel } from "../log-levels.ts";
import { nodeIdentity } from "../node-metadata.ts";
import type { AgentOptions } from "../options.ts";
import { writeError } from "../output.ts";
import { connectThrough, PodSockets } from "../sockets.ts";
import { readAppMetrics } from "../status/app-metrics.ts";
import { readAppProbes } from "../status/app-probes.ts";
import { serveStatus } from "../status/status-server.ts";
import { startWorkload, type Workload } from "../workload.ts";
import { EnvoyAdmin } from "./admin.ts";
import { envoyBootstrap } from "./bootstrap.ts";
import { envoyBinary, startEnvoy, type EnvoyProcess } from "./process.ts";
import { RequestCounter } from "./request-counter.ts";
import { WorkloadNames } from "./workload-names.ts";
import { XdsRelay } from "./xds-relay.ts";

/** A running agent with its Envoy. */
export interface RunningEnvoy {
  /** Resolves when both have ended, with the process's exit code. */
  readonly done: Promise<number>;
  /** Begins the graceful end: drain, then stop. A second call ends at once. */
  terminate(): void;
}

/**
 * `pilot-agent proxy` with a real Envoy as data plane: the agent writes its bootstrap, gets the certificate and serves it,
 * carries its configuration, counts its requests, answers probes, and ends with it.
 */
export function runEnvoy(options: AgentOptions): RunningEnvoy {
  const startedAt = systemClock.now();
  const binary = envoyBinary(options);
  const log = createLogger("agent", { level: istioLevel(options.logLevel), write: writeError });
  const node = nodeIdentity(options);
  log.info("Envoy starts", { version: VERSION, node: node.id });
  const workload = startWorkload(options, connectThrough(new PodSockets()), log);
  const admin = new EnvoyAdmin(options.proxyConfig.proxyAdminPort);
  const names = new WorkloadNames(systemClock, log.child("names"));
  const counter = new RequestCounter(node.metadata, names, log.child("telemetry"));
  const relay = new XdsRelay({
    connect: () => GrpcClient.connect({ dial: workload.dialDiscovery, authority: options.proxyConfig.discoveryAddress, clock: systemClock }),
    metadata: workload.credentials,
    agentTypes: [names],
    clock: systemClock,
    random: Math.random,
    log: log.child("xds"),
  });
  const folder = resolve(options.paths.configFolder);
  mkdirSync(folder, { recursive: true });
  const xdsSocket = join(folder, "XDS");
  const bootstrapPath = join(folder, "envoy-rev.json");
  writeFileSync(bootstrapPath, JSON.stringify(envoyBootstrap(options, node, xdsSocket), null, 2), { mode: 0o600 });
  const sockets = [serveSds(options.paths.workloadSocket, workload.secrets), serveGrpcUnix(xdsSocket, (call) => relay.accept(call))];
  const envoy = startEnvoy(binary, options, bootstrapPath, (line) => counter.line(line), log);

  const startup: { durationMs: number | undefined } = { durationMs: undefined };
  let draining = false;
  const ready = async (): Promise<{ ready: boolean; reason: string }> => {
    if (draining) return { ready: false, reason: "draining" };
    if (!workload.secrets.get(WORKLOAD_SECRET)) return { ready: false, reason: "no certificate from the CA yet" };
    const { live, reason } = await admin.state();
    if (live && startup.durationMs === undefined) {
      startup.durationMs = systemClock.now() - startedAt;
      log.info("proxy is ready", { milliseconds: startup.durationMs });
    }
    return { ready: live, reason };
  };
  const drain = (): void => {
    draining = true;
    admin.drain(options.type === "sidecar").catch((error: unknown) => log.warn("Envoy was not told to drain", { error: errorText(error) }));
  };
  const terminate = terminator(options, envoy, admin, drain, log);
  const status = serveStatus(
    { hostname: "0.0.0.0", port: options.proxyConfig.statusPort },
    {
      ready: () => ready().catch((error: unknown) => ({ ready: false, reason: `Envoy does not answer: ${errorText(error)}` })),
      proxyMetrics: async () => (await admin.metrics()) + counter.prometheus(),
      agentMetrics: () => agentMetrics(workload.identity, startup, systemClock.now(), relay.counts),
      appMetrics: readAppMetrics(options.appMetrics),
      probes: readAppProbes(options.appProbers),
      podIp: options.instanceIp,
      drain,
      quit: terminate,
      log: log.child("status"),
    },
  );
  return { done: whenEnded(envoy, { workload, relay, servers: [status, ...sockets], asked: () => draining, log }), terminate };
}

interface Everything {
  readonly workload: Workload;
  readonly relay: XdsRelay;
  readonly servers: readonly { stop(): void }[];
  /** Whether the end was asked for. */
  asked(): boolean;
  readonly log: Logger;
}

/** The agent ends with its Envoy: the kubelet starts both anew, which is the only sound state after a crash. */
async function whenEnded(envoy: EnvoyProcess, { workload, relay, servers, asked, log }: Everything): Promise<number> {
  const code = await envoy.exited;
  if (!asked()) log.error("Envoy has ended", { code });
  workload.identity.stop();
  relay.stop();
  for (const server of servers) server.stop();
  return asked() ? 0 : code || 1;
}

function terminator(options: AgentOptions, envoy: EnvoyProcess, admin: EnvoyAdmin, drain: () => void, log: Logger): () => void {
  let called = 0;
  return () => {
    if (++called > 1) {
      log.warn("asked to end again, ending now");
      return envoy.stop();
    }
    const deadline = systemClock.now() + options.proxyConfig.terminationDrainDurationMs;
    log.info("draining", { deadlineMs: options.proxyConfig.terminationDrainDurationMs });
    drain();
    const look = async (): Promise<void> => {
      // An Envoy that does not answer has nothing left to wait for.
      const open = await admin.openConnections().catch(() => 0);
      if (open === 0 || systemClock.now() >= deadline) envoy.stop();
      else systemClock.after(LOOK_EVERY_MS, () => void look());
    };
    // Clients outside know nothing of endpoints: so long a gateway goes on accepting until load balancers have noticed.
    systemClock.after(options.type === "router" ? Math.min(GATEWAY_GRACE_MS, options.proxyConfig.terminationDrainDurationMs) : 0, () => void look());
  };
}

const GATEWAY_GRACE_MS = 1_000;
const LOOK_EVERY_MS = 100;
