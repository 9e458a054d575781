import { errorText } from "../../base/index.ts";
import type { Listener as ListenerProto } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import type { Services } from "../services.ts";
import type { ListenerSnapshot, SocketAddress } from "../types.ts";
import type { RouteSources } from "./chain.ts";
import { compileListener, disposeChain, type ListenerConfig } from "./listener-config.ts";
import { Listener } from "./listener.ts";

/** Connections of a listener that was removed may go on for so long (Istio's drain duration). */
const DRAIN_MS = 45_000;

/** Whether what a listener waits for is there. */
export interface Readiness {
  hasRoutes(name: string): boolean;
  hasSecret(name: string): boolean;
  hasExtension(name: string): boolean;
}

/** All listeners: those in force, and those that wait for their routes or secrets. */
export class ListenerManager {
  readonly #active = new Map<string, Listener>();
  readonly #warming = new Map<string, ListenerConfig>();
  /** Listeners that are no more, with their last connections; the value calls the deadline off. */
  readonly #draining = new Map<Listener, () => void>();
  /** Unbound listeners by `address:port`, for connections that were redirected. */
  #byAddress = new Map<string, Listener>();
  readonly counts = { added: 0, modified: 0, removed: 0, createSuccess: 0, createFailure: 0 };

  constructor(
    private readonly services: Services,
    private readonly routes: RouteSources,
    private readonly readiness: Readiness,
  ) {}

  /** In force when this returns, unless it waits for something. Throws InvalidResource. */
  set(proto: ListenerProto): void {
    const active = this.#active.get(proto.name);
    const base = active?.config;
    let config: ListenerConfig;
    try {
      config = compileListener(proto, base, this.routes, this.services);
    } catch (error) {
      this.counts.createFailure++;
      throw error;
    }
    if (base && base.fingerprint === config.fingerprint) {
      this.#drop(this.#warming.get(proto.name), base);
      this.#warming.delete(proto.name);
      return;
    }
    if (active) this.counts.modified++;
    else this.counts.added++;
    this.#drop(this.#warming.get(proto.name), base, config);
    if (this.#missing(config)) {
      this.#warming.set(proto.name, config);
      return;
    }
    this.#warming.delete(proto.name);
    this.#activate(config);
  }

  remove(name: string): void {
    this.#drop(this.#warming.get(name), this.#active.get(name)?.config);
    this.#warming.delete(name);
    const listener = this.#active.get(name);
    if (!listener) return;
    this.#active.delete(name);
    this.counts.removed++;
    this.#index();
    this.#retire(listener);
  }

  /** Something that listeners wait for has come. */
  recheck(): void {
    for (const [name, config] of this.#warming) {
      if (this.#missing(config)) continue;
      this.#warming.delete(name);
      try {
        this.#activate(config);
      } catch (error) {
        this.services.log.error("a listener cannot be put in force", { listener: name, error: errorText(error) });
      }
    }
  }

  references(): { rds: string[]; secrets: string[]; extensions: string[] } {
    const configs = [...[...this.#active.values()].map((listener) => listener.config), ...this.#warming.values()];
    const chains = configs.flatMap((config) => [...config.chains, ...(config.defaultChain ? [config.defaultChain] : [])]);
    return {
      rds: [...new Set(chains.flatMap((chain) => chain.rds))],
      secrets: [...new Set(chains.flatMap((chain) => chain.secrets))],
      extensions: [...new Set(chains.flatMap((chain) => chain.extensions))],
    };
  }

  snapshots(): ListenerSnapshot[] {
    return [
      ...[...this.#active.values()].map((listener) => listener.snapshot("active")),
      ...[...this.#warming.values()].map((config) => ({ name: config.name, addresses: config.addresses, state: "warming" as const, openConnections: 0 })),
    ];
  }

  totals(): { active: number; warming: number; draining: number; connections: number } {
    let connections = 0;
    for (const listener of [...this.#active.values(), ...this.#draining.keys()]) connections += listener.openConnections;
    return { active: this.#active.size, warming: this.#warming.size, draining: this.#draining.size, connections };
  }

  tick(now: number): void {
    for (const listener of this.#active.values()) listener.tick(now);
    for (const [listener, cancel] of this.#draining) {
      listener.tick(now);
      if (listener.openConnections > 0) continue;
      cancel();
      this.#draining.delete(listener);
      listener.close();
    }
  }

  drain(): void {
    for (const listener of this.#active.values()) listener.drain();
  }

  stopAccepting(inboundOnly: boolean): void {
    for (const listener of this.#active.values()) if (!inboundOnly || listener.config.direction === "inbound") listener.stopAccepting();
  }

  askToGo(inboundOnly: boolean): void {
    for (const listener of this.#active.values()) if (!inboundOnly || listener.config.direction === "inbound") listener.askToGo();
  }

  close(): void {
    for (const cancel of this.#draining.values()) cancel();
    for (const listener of [...this.#active.values(), ...this.#draining.keys()]) listener.close();
    for (const config of this.#warming.values()) this.#drop(config, this.#active.get(config.name)?.config);
    this.#active.clear();
    this.#warming.clear();
    this.#draining.clear();
    this.#index();
  }

  #activate(config: ListenerConfig): void {
    const active = this.#active.get(config.name);
    if (active && sameAddresses(active.config, config)) {
      active.update(config);
      this.#index();
      this.counts.createSuccess++;
      return;
    }
    const listener = new Listener(config, this.services, (destination) => this.#find(destination));
    // The old sockets go first: the new ones may be at the same port of another address.
    if (active) this.#retire(active);
    try {
      listener.listen();
    } catch (error) {
      this.counts.createFailure++;
      this.#active.delete(config.name);
      this.#index();
      throw error;
    }
    this.counts.createSuccess++;
    this.#active.set(config.name, listener);
    this.#index();
  }

  #retire(listener: Listener): void {
    listener.drain();
    if (listener.openConnections === 0) {
      listener.close();
      return;
    }
    const cancel = this.services.clock.after(DRAIN_MS, () => {
      if (this.#draining.delete(listener)) listener.close();
    });
    this.#draining.set(listener, cancel);
  }

  /** The unbound listener for a destination: of its address, else of any address. */
  #find(destination: SocketAddress): Listener | undefined {
    const { address, port } = destination;
    return this.#byAddress.get(`${address}:${port}`) ?? this.#byAddress.get(`${address.includes(":") ? "::" : "0.0.0.0"}:${port}`);
  }

  #index(): void {
    this.#byAddress = new Map();
    for (const listener of this.#active.values()) {
      if (listener.config.bind) continue;
      for (const { address, port } of listener.config.addresses) this.#byAddress.set(`${address}:${port}`, listener);
    }
  }

  #missing(config: ListenerConfig): boolean {
    return [...config.chains, ...(config.defaultChain ? [config.defaultChain] : [])].some(
      (chain) =>
        chain.rds.some((name) => !this.readiness.hasRoutes(name)) ||
        chain.secrets.some((name) => !this.readiness.hasSecret(name)) ||
        chain.extensions.some((name) => !this.readiness.hasExtension(name)),
    );
  }

  /** Releases chains of a configuration that never came into force. */
  #drop(config: ListenerConfig | undefined, ...keep: (ListenerConfig | undefined)[]): void {
    if (!config) return;
    const kept = new Set(keep.flatMap((each) => (each ? [...each.chains, each.defaultChain] : [])));
    for (const chain of [...config.chains, config.defaultChain]) if (chain && !kept.has(chain)) disposeChain(chain);
  }
}

function sameAddresses(a: ListenerConfig, b: ListenerConfig): boolean {
  const text = (config: ListenerConfig): string => `${config.bind} ${config.addresses.map(({ address, port }) => `${address}:${port}`).join()}`;
  return text(a) === text(b);
}
