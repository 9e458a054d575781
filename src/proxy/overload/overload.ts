import type { Clock } from "../../base/index.ts";
import type { CoreStats } from "../telemetry/core-stats.ts";
import { HEAP_MONITOR, type ActionName, type OverloadConfig } from "./overload-config.ts";

export interface OverloadDeps {
  readonly clock: Clock;
  readonly core: CoreStats;
  /** Bytes of resident memory. */
  readonly memory: () => number;
  /** Gives back memory that is not needed. */
  readonly shrink: () => void;
}

/** Why a connection is not taken. */
export type Refusal = "global_limit" | "listener_limit" | "overload";

/** Watches pressure and says what is to be shed. */
export class Overload {
  /** New requests are answered with 503. */
  sheds = false;
  /** Connections end after the request under way. */
  noKeepAlive = false;
  #connections = 0;
  #rejects = false;
  readonly #active = new Set<ActionName>();
  #cancel: () => void = () => {};

  constructor(
    private readonly config: OverloadConfig,
    private readonly deps: OverloadDeps,
  ) {
    if (config.maxHeapBytes !== undefined && config.actions.length > 0) this.#watch();
  }

  stop(): void {
    this.#cancel();
  }

  /** Whether one more connection may come; `open` are those of its listener. */
  refuses(listener: { readonly name: string; readonly ignoresGlobalLimit: boolean; readonly bypasses: boolean }, open: number): Refusal | undefined {
    if (this.#rejects && !listener.bypasses) return "overload";
    const limit = this.config.listenerLimits.get(listener.name);
    if (limit !== undefined && open >= limit) return "listener_limit";
    const { maxConnections } = this.config;
    if (maxConnections !== undefined && !listener.ignoresGlobalLimit && this.#connections >= maxConnections) return "global_limit";
    return undefined;
  }

  opened(): void {
    this.#connections++;
  }

  closed(): void {
    this.#connections--;
  }

  /** Looks at the memory now. */
  refresh(): void {
    const { maxHeapBytes, actions } = this.config;
    if (maxHeapBytes === undefined) return;
    const pressure = this.deps.memory() / maxHeapBytes;
    this.deps.core.scope(`overload.${HEAP_MONITOR}`).counter("pressure").value = Math.floor(pressure * 100);
    for (const { name, from } of actions) this.#set(name, pressure >= from);
    this.sheds = this.#active.has("stop_accepting_requests");
    this.noKeepAlive = this.#active.has("disable_http_keepalive");
    // Bun cannot leave connections waiting in the kernel: both actions end them at once.
    this.#rejects = this.#active.has("reject_incoming_connections") || this.#active.has("stop_accepting_connections");
    if (this.#active.has("shrink_heap")) this.deps.shrink();
  }

  #set(name: ActionName, active: boolean): void {
    if (active) this.#active.add(name);
    else this.#active.delete(name);
    this.deps.core.scope(`overload.envoy.overload_actions.${name}`).counter("active").value = active ? 1 : 0;
  }

  #watch(): void {
    this.refresh();
    this.#cancel = this.deps.clock.after(this.config.refreshMs, () => this.#watch());
  }
}
