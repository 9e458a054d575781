import type { ProxyServer } from "../bootstrap/index.ts";
import type { XdsTypeName } from "../../proto/index.ts";
import { daysUntilFirstExpiry } from "./certs.ts";

/** A number of the server itself by Envoy's dotted name; its Prometheus name is that with underscores. */
export interface ServerStat {
  readonly name: string;
  readonly kind: "counter" | "gauge";
  readonly value: number;
}

const STATES = ["LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING"] as const;

/** What the data plane does not count: discovery, listeners, certificates, the process. */
export function serverStats(server: ProxyServer): ServerStat[] {
  const { store, ads, deps } = server;
  const now = deps.clock.now();
  const memory = process.memoryUsage();
  const secrets = [...(deps.localSecrets?.list() ?? []), ...server.adsSecrets.list(), ...server.staticSecrets.list()];
  const counter = (name: string, value: number): ServerStat => ({ name, kind: "counter", value });
  const gauge = (name: string, value: number): ServerStat => ({ name, kind: "gauge", value });
  const updates = (prefix: string, type: XdsTypeName): ServerStat[] => {
    const { updateAttempt, updateSuccess, updateRejected } = store.stats(type);
    return [
      counter(`${prefix}.update_attempt`, updateAttempt),
      counter(`${prefix}.update_rejected`, updateRejected),
      counter(`${prefix}.update_success`, updateSuccess),
    ];
  };
  return [
    ...updates("cluster_manager.cds", "CDS"),
    gauge("control_plane.connected_state", ads?.status().connected ? 1 : 0),
    ...updates("listener_manager.lds", "LDS"),
    gauge("listener_manager.workers_started", server.state === "LIVE" ? 1 : 0),
    gauge("server.concurrency", deps.concurrency),
    gauge("server.days_until_first_cert_expiring", daysUntilFirstExpiry(secrets, now) ?? MAX_UINT32),
    gauge("server.live", server.state === "LIVE" ? 1 : 0),
    gauge("server.memory_allocated", memory.heapUsed),
    gauge("server.memory_heap_size", memory.heapTotal),
    gauge("server.memory_physical_size", memory.rss),
    gauge("server.state", STATES.indexOf(server.state)),
    gauge("server.uptime", Math.floor((now - server.startedAt) / 1000)),
  ];
}

/** What Envoy shows when no certificate is loaded. */
const MAX_UINT32 = 4294967295;

/** All metrics of a proxy in Prometheus' text format. */
export function prometheusText(server: ProxyServer): string {
  return server.dataPlane.prometheus() + serverStatsPrometheus(serverStats(server));
}

function serverStatsPrometheus(stats: readonly ServerStat[]): string {
  return stats.map(({ name, kind, value }) => `# TYPE envoy_${flat(name)} ${kind}\nenvoy_${flat(name)}{} ${value}\n`).join("");
}

function flat(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, "_");
}
