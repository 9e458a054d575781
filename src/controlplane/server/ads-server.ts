import { randomUUID } from "node:crypto";
import type { Clock, Logger } from "../../base/index.ts";
import type { Caller } from "../ca/index.ts";
import type { Registry, RegistryChange } from "../registry/types.ts";
import type { XdsGenerator } from "../xds/types.ts";
import { XdsConnection, type ConnectionDeps, type XdsStream } from "./connection.ts";
import type { CredentialSource } from "./credentials.ts";
import { Distribution } from "./distribution.ts";
import { XdsError } from "./errors.ts";
import type { DebugTypes } from "./debug-types.ts";
import type { XdsMetrics } from "./metrics.ts";
import type { Protocol } from "./requests.ts";
import { Subscriptions } from "./subscription.ts";

export interface AdsServerOptions {
  registry: Registry;
  generator: XdsGenerator;
  credentials: CredentialSource;
  debugTypes: DebugTypes;
  metrics: XdsMetrics;
  clock: Clock;
  log: Logger;
  uuid?: () => string;
}

/** All connected proxies, and the pushes to them. Knows nothing of gRPC. */
export class AdsServer {
  readonly #connections = new Set<XdsConnection>();
  readonly #streams = new Set<XdsStream>();
  readonly #deps: ConnectionDeps;
  readonly #unsubscribe: () => void;
  readonly #turns = new Turns();
  /** How far the last changes have come. */
  readonly distribution: Distribution;
  #counter = 0;
  #version: string;
  #number = 0;
  #pushes = 0;

  constructor(private readonly options: AdsServerOptions) {
    this.distribution = new Distribution(() => options.clock.now());
    this.#version = this.#nextVersion();
    this.#deps = {
      ...options,
      uuid: options.uuid ?? randomUUID,
      snapshot: () => options.registry.current(),
      version: () => this.#version,
      subscriptions: new Subscriptions(),
      turn: () => this.#turns.next(),
    };
    this.#unsubscribe = options.registry.onChange((change) => this.push(change));
  }

  /** Takes a stream whose caller has been authenticated; the plaintext port has none. Call `closed` when it ends. */
  accept(stream: XdsStream, protocol: Protocol, caller: Caller | undefined, address: string): { receive(message: Uint8Array): void; closed(): void } {
    const connection = new XdsConnection(this.#deps, stream, protocol, caller, address, ++this.#number, (known) => this.#connections.add(known));
    this.#streams.add(stream);
    return {
      receive: (message) => connection.receive(message),
      closed: () => {
        connection.closed();
        this.#streams.delete(stream);
        if (this.#connections.delete(connection)) this.options.log.info("ADS: connection closed", { proxy: connection.id });
      },
    };
  }

  /** Connected proxies, in no order. */
  connections(): SetIterator<XdsConnection> {
    return this.#connections.values();
  }

  get version(): string {
    return this.#version;
  }

  /** How often something changed since the start. */
  get pushes(): number {
    return this.#pushes;
  }

  /** Sends every proxy what such a change alters for it. */
  push(change: RegistryChange): void {
    this.#version = this.#nextVersion();
    this.#pushes++;
    const delivery = this.distribution.begin(change, this.#connections.size);
    for (const connection of this.#connections) connection.changed(change, delivery);
  }

  /** Ends all streams, so that proxies turn to another istiod, or to our successor, at once. */
  stop(): void {
    this.#unsubscribe();
    for (const stream of this.#streams) stream.end(new XdsError("XDS_UNAVAILABLE", "this control plane is stopping"));
  }

  #nextVersion(): string {
    return `${new Date(this.options.clock.now()).toISOString().slice(0, 19)}Z/${++this.#counter}`;
  }
}

/**
 * Lets connections generate one after the other, and the event loop run in between: hundreds of pushes must not stall
 * requests. A slice of time serves as many as fit, since going round the loop for each would cost more than the push.
 */
class Turns {
  readonly #waiting: (() => void)[] = [];
  #running = false;

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const end = performance.now() + SLICE_MS;
      // Whoever has waited longest goes on as soon as this function waits.
      for (let resume = this.#waiting.shift(); resume; resume = performance.now() < end ? this.#waiting.shift() : undefined) {
        resume();
        await undefined;
      }
    }
    this.#running = false;
  }
}

/** What a request may wait for pushes: less than anybody notices, and many small pushes. */
const SLICE_MS = 4;
