import { ChainmailError } from "../../base/index.ts";

/** Whether Envoy serves what the control plane wants, in the terms of Istio's readiness. */
export interface EnvoyState {
  readonly live: boolean;
  /** Why not: what a probe's failure event shows. */
  readonly reason: string;
}

/** Envoy's own admin port, as far as the agent asks it. All of it rejects when Envoy does not answer in time. */
export class EnvoyAdmin {
  constructor(private readonly port: number) {}

  /** Ready means: configured once by the control plane, workers running, and not on the way out. */
  async state(): Promise<EnvoyState> {
    const stats = await this.#stats(`^(${Object.values(STATS).join("|").replaceAll(".", "\\.")})$`);
    const value = (name: keyof typeof STATS): number => stats.get(STATS[name]) ?? 0;
    if (value("state") !== LIVE) return { live: false, reason: `server is not live: state ${STATE_NAMES[value("state")] ?? "unknown"}` };
    if (value("workers") !== 1) return { live: false, reason: "workers have not yet started" };
    const counts = `cds updates: ${value("cdsSuccess")} successful, ${value("cdsRejected")} rejected; lds updates: ${value("ldsSuccess")} successful, ${value("ldsRejected")} rejected`;
    const configured = value("cdsSuccess") > 0 && value("ldsSuccess") > 0;
    return configured ? { live: true, reason: "" } : { live: false, reason: `config not fully received: ${counts}` };
  }

  /** Connections that clients have open, the admin's and the agent's own not counted. */
  async openConnections(): Promise<number> {
    return (await this.#stats(`^${CONNECTIONS.replaceAll(".", "\\.")}$`)).get(CONNECTIONS) ?? 0;
  }

  /** Prometheus text. */
  metrics(): Promise<string> {
    return this.#ask("GET", "/stats/prometheus?usedonly");
  }

  /** Clients are told to go elsewhere, and nothing new is taken once the drain time is over. */
  async drain(inboundOnly: boolean): Promise<void> {
    await this.#ask("POST", `/drain_listeners?${inboundOnly ? "inboundonly&" : ""}graceful`);
  }

  async #stats(filter: string): Promise<Map<string, number>> {
    const text = await this.#ask("GET", `/stats?filter=${encodeURIComponent(filter)}`);
    return new Map(
      text.split("\n").flatMap((line) => (line.includes(": ") ? [[line.slice(0, line.indexOf(": ")), Number(line.slice(line.indexOf(": ") + 2))]] : [])),
    );
  }

  async #ask(method: "GET" | "POST", path: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { method, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    if (!response.ok) throw new ChainmailError("ENVOY_ADMIN", `Envoy answered ${path} with ${response.status}: ${text.slice(0, 200)}`);
    return text;
  }
}

const STATS = {
  state: "server.state",
  workers: "listener_manager.workers_started",
  cdsSuccess: "cluster_manager.cds.update_success",
  cdsRejected: "cluster_manager.cds.update_rejected",
  ldsSuccess: "listener_manager.lds.update_success",
  ldsRejected: "listener_manager.lds.update_rejected",
} as const;
const CONNECTIONS = "server.total_connections";
/** envoy.admin.v3.ServerInfo.State */
const STATE_NAMES = ["LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING"];
const LIVE = 0;
/** The admin thread answers in milliseconds, also while workers are busy; a probe has three seconds. */
const TIMEOUT_MS = 2_000;
