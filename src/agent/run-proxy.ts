import { edenGC } from "bun:jsc";
import { createRegistry } from "@bufbuild/protobuf";
import { createLogger, systemClock, VERSION, type Logger } from "../base/index.ts";
import { file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager } from "../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { file_envoy_extensions_filters_http_router_v3_router } from "../proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import { file_envoy_extensions_transport_sockets_tls_v3_tls } from "../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { file_envoy_extensions_upstreams_http_v3_http_protocol_options } from "../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import { Admin, printInChild, serveAdmin } from "../proxy/admin/index.ts";
import { ProxyServer, readBootstrap } from "../proxy/bootstrap/index.ts";
import type { DataPlaneFactory } from "../proxy/data-plane.ts";
import type { SecretStore } from "../proxy/xds/index.ts";
import { accessLogSinks } from "./access-log.ts";
import { agentMetrics } from "./agent-metrics.ts";
import { sidecarBootstrap } from "./bootstrap-json.ts";
import { EarlyCollection } from "./collect-early.ts";
import { startDns } from "./dns/start.ts";
import { serveSds } from "./identity/sds-server.ts";
import { ROOT_SECRET, WORKLOAD_SECRET } from "./identity/workload-identity.ts";
import { envoyLevel, istioLevel } from "./log-levels.ts";
import { nodeIdentity } from "./node-metadata.ts";
import { writeError } from "./output.ts";
import type { AgentOptions } from "./options.ts";
import { processCpuMs, shrinkWhenQuiet } from "./shrink.ts";
import { connectThrough, PodSockets } from "./sockets.ts";
import { readAppProbes } from "./status/app-probes.ts";
import { readAppMetrics } from "./status/app-metrics.ts";
import { serveStatus } from "./status/status-server.ts";
import { startWorkload } from "./workload.ts";

/** A running agent with its proxy. */
export interface RunningProxy {
  readonly server: ProxyServer;
  /** Resolves after a graceful end, with the process's exit code. */
  readonly done: Promise<number>;
  /** Begins the graceful end: drain, then stop. A second call ends at once. */
  terminate(): void;
}

/**
 * `pilot-agent proxy`: certificate, configuration and data plane of one pod, and what the kubelet and Prometheus ask.
 * `dumpCommand` starts this program again to print a configuration dump.
 */
export function runProxy(options: AgentOptions, createDataPlane: DataPlaneFactory, dumpCommand: readonly string[]): RunningProxy {
  const startedAt = systemClock.now();
  const log = createLogger("agent", { level: istioLevel(options.logLevel), write: writeError });
  const proxyLevel = envoyLevel(options.proxyLogLevel);
  const loggers = {
    main: createLogger("proxy", { level: proxyLevel, write: writeError }),
    admin: createLogger("admin", { level: proxyLevel, write: writeError }),
  };
  const sockets = new PodSockets();
  const connect = connectThrough(sockets);
  const node = nodeIdentity(options);
  log.info("proxy starts", { version: VERSION, node: node.id });

  const { secrets, identity, credentials } = startWorkload(options, connect, log);

  const dns = startDns(options, sockets, log.child("dns"));

  const collection = new EarlyCollection(edenGC);
  const server = new ProxyServer({
    bootstrap: readBootstrap(sidecarBootstrap(options, node), staticRegistry()),
    createDataPlane,
    sockets,
    accessLog: accessLogSinks(),
    localSecrets: secrets,
    localSecretNames: [WORKLOAD_SECRET, ROOT_SECRET],
    streamMetadata: credentials,
    connect,
    ...(dns && { nameTable: (table) => dns.setTable(table) }),
    onTaken: collection.taken,
    concurrency: options.proxyConfig.workers,
    drainTimeMs: options.proxyConfig.drainDurationMs,
    clock: systemClock,
    random: Math.random,
    log: loggers.main,
    // At the agent's level: that the control plane is back is worth as much as that it was lost.
    adsLog: log.child("xds"),
  });
  const startup: { durationMs: number | undefined } = { durationMs: undefined };
  let stopShrink: () => void = () => {};
  server.whenLive(() => {
    collection.end();
    startup.durationMs = systemClock.now() - startedAt;
    log.info("proxy is ready", { milliseconds: startup.durationMs });
    stopShrink = shrinkWhenQuiet(
      systemClock,
      processCpuMs,
      () => process.memoryUsage.rss(),
      () => Bun.shrink(),
    );
  });

  const { promise: done, resolve: end } = Promise.withResolvers<number>();
  const terminate = terminator(server, options, log, () => {
    stopShrink();
    dns?.stop();
    identity.stop();
    server.stop();
    for (const { stop } of listeners) stop();
    end(0);
  });
  const admin = new Admin({ server, print: (input) => printInChild(dumpCommand, input), loggers, logLevel: proxyLevel, quit: terminate });
  const listeners = [
    serveAdmin(admin, { hostname: "127.0.0.1", port: options.proxyConfig.proxyAdminPort }, loggers.admin),
    serveStatus(
      { hostname: "0.0.0.0", port: options.proxyConfig.statusPort },
      {
        ready: () => readiness(server, secrets),
        proxyMetrics: () => admin.prometheus(),
        agentMetrics: () => agentMetrics(identity, startup, systemClock.now()),
        appMetrics: readAppMetrics(options.appMetrics),
        probes: readAppProbes(options.appProbers),
        podIp: options.instanceIp,
        // The pod's end has begun, but its application may still be at work: only the end of the proxy closes listeners.
        drain: () => server.announceDrain(),
        quit: terminate,
        log: log.child("status"),
      },
    ),
    serveSds(options.paths.workloadSocket, secrets),
  ];
  server.start();
  return { server, done, terminate };
}

/** Ready means: configured, with a certificate, and not on the way out. The reason is what a probe's failure event shows. */
function readiness(server: ProxyServer, secrets: SecretStore): { ready: boolean; reason: string } {
  if (!secrets.get(WORKLOAD_SECRET)) return { ready: false, reason: "no certificate from the CA yet" };
  if (server.healthy) return { ready: true, reason: "" };
  const cds = server.store.stats("CDS");
  const lds = server.store.stats("LDS");
  const reason =
    server.state === "LIVE"
      ? "health check failed by request"
      : `config not fully received: state ${server.state}, cds updates: ${cds.updateSuccess} successful, ${cds.updateRejected} rejected; lds updates: ${lds.updateSuccess} successful, ${lds.updateRejected} rejected`;
  return { ready: false, reason };
}

function terminator(server: ProxyServer, options: AgentOptions, log: Logger, finish: () => void): () => void {
  let called = 0;
  return () => {
    if (++called > 1) {
      log.warn("asked to end again, ending now");
      return finish();
    }
    const deadline = options.proxyConfig.terminationDrainDurationMs;
    const grace = options.type === "router" ? Math.min(GATEWAY_GRACE_MS, deadline) : 0;
    log.info("draining", { deadlineMs: deadline });
    server.announceDrain();
    systemClock.after(grace, () => void server.drain(deadline - grace).then(finish, finish));
  };
}

/** Clients outside know nothing of endpoints: so long a gateway goes on accepting until load balancers have noticed. */
const GATEWAY_GRACE_MS = 1_000;

/** The types that `sidecarBootstrap` uses. */
function staticRegistry() {
  return createRegistry(
    file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager,
    file_envoy_extensions_filters_http_router_v3_router,
    file_envoy_extensions_transport_sockets_tls_v3_tls,
    file_envoy_extensions_upstreams_http_v3_http_protocol_options,
  );
}
