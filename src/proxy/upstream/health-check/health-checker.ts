import type { Host } from "../host.ts";
import type { HealthCheckConfig } from "./config.ts";
import { startProbe, type ProbeContext, type ReusableConnection } from "./probe.ts";
import type { ProbeResult } from "./result.ts";

/** What a checker needs of its cluster. */
export interface HealthCheckOwner extends ProbeContext {
  readonly random: () => number;
  /** Whether anything has been sent to the cluster. */
  hasTraffic(): boolean;
  /** A host's health has changed. */
  onChange(host: Host): void;
  /** Every host that was there at the start has been checked once. */
  onFirstRound(): void;
}

/** Asks the hosts of a cluster how they are. A host starts unhealthy, and its first answer decides at once. */
export class HealthChecker {
  readonly #sessions = new Map<Host, Session>();
  #firstRound: Set<Host> | undefined = new Set();

  constructor(
    readonly config: HealthCheckConfig,
    private readonly owner: HealthCheckOwner,
  ) {}

  /** The hosts that are to be checked; those that are new begin, those that are gone end. */
  update(hosts: ReadonlySet<Host>): void {
    for (const [host, session] of this.#sessions) {
      if (hosts.has(host)) continue;
      this.#sessions.delete(host);
      session.stop();
      this.#checked(host);
    }
    for (const host of hosts) {
      if (this.#sessions.has(host)) continue;
      host.failedHealthCheck = true;
      this.#firstRound?.add(host);
      this.#sessions.set(host, new Session(host, this.config, this.owner, () => this.#checked(host)));
    }
    if (this.#firstRound?.size === 0) this.#checked(undefined);
  }

  stop(): void {
    for (const session of this.#sessions.values()) session.stop();
    this.#sessions.clear();
  }

  #checked(host: Host | undefined): void {
    const waiting = this.#firstRound;
    if (!waiting) return;
    if (host) waiting.delete(host);
    if (waiting.size > 0) return;
    this.#firstRound = undefined;
    this.owner.onFirstRound();
  }
}

/** The checks of one host. */
class Session {
  #first = true;
  #good = 0;
  #bad = 0;
  #stopped = false;
  #cancelTimer: () => void = () => {};
  #cancelProbe: () => void = () => {};
  #connection: ReusableConnection = { client: undefined };

  constructor(
    private readonly host: Host,
    private readonly config: HealthCheckConfig,
    private readonly owner: HealthCheckOwner,
    private readonly onChecked: () => void,
  ) {
    const { initialJitterMs } = config;
    if (initialJitterMs > 0) this.#cancelTimer = owner.services.clock.after(owner.random() * initialJitterMs, () => this.#check());
    else this.#check();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    this.#cancelProbe();
    this.#connection.client?.retire();
  }

  #check(): void {
    const { stats } = this.owner;
    stats.counter("health_check.attempt").inc();
    this.#cancelProbe = startProbe(this.host, this.config, this.#connection, this.owner, (result) => {
      if (this.#stopped) return;
      const changed = result.healthy ? this.#succeeded(result.degraded) : this.#failed(result);
      stats.counter(result.healthy ? "health_check.success" : "health_check.failure").inc();
      if (!result.healthy && result.network) stats.counter("health_check.network_failure").inc();
      if (!this.config.reuseConnection) this.#connection.client?.retire();
      this.#first = false;
      if (changed) this.owner.onChange(this.host);
      this.onChecked();
      this.#cancelTimer = this.owner.services.clock.after(this.#wait(changed), () => this.#check());
    });
  }

  #succeeded(degraded: boolean): boolean {
    const { host } = this;
    this.#bad = 0;
    const wasDegraded = host.degradedByCheck;
    host.degradedByCheck = degraded;
    if (!host.failedHealthCheck) return wasDegraded !== degraded;
    if (!this.#first && ++this.#good < this.config.healthyThreshold) return false;
    host.failedHealthCheck = false;
    return true;
  }

  /** An answer that says so makes a host unhealthy at once; silence only when it is repeated. */
  #failed({ network }: ProbeResult & { healthy: false }): boolean {
    const { host } = this;
    this.#good = 0;
    if (host.failedHealthCheck) return false;
    if (network && ++this.#bad < this.config.unhealthyThreshold) return false;
    host.failedHealthCheck = true;
    return true;
  }

  #wait(changed: boolean): number {
    const { config, host, owner } = this;
    const healthy = !host.failedHealthCheck;
    let base: number;
    if (!owner.hasTraffic()) base = healthy ? config.noTrafficHealthyMs : config.noTrafficMs;
    else if (healthy) base = changed ? config.healthyEdgeMs : config.intervalMs;
    else base = changed ? config.unhealthyEdgeMs : config.unhealthyIntervalMs;
    return base + owner.random() * config.jitterMs + owner.random() * ((base * config.jitterPercent) / 100);
  }
}
