import { errorText, type Clock, type Logger } from "../../base/index.ts";
import type { GrpcClient, GrpcStatus, GrpcStream, HeaderList } from "../grpc/index.ts";
import type { ConfigApplier, NamedType } from "./apply.ts";
import { Backoff } from "./backoff.ts";
import type { XdsProtocol, XdsUpdate } from "./protocol.ts";
import type { XdsStore } from "./store.ts";

export interface AdsClientDeps {
  /** A new connection to the control plane. */
  readonly connect: () => Promise<GrpcClient>;
  /** Request metadata, read for each stream: tokens rotate. */
  readonly metadata: () => HeaderList;
  readonly protocol: XdsProtocol;
  readonly applier: ConfigApplier;
  readonly store: XdsStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Called after every applied answer and every change of the connection. */
  readonly onChange?: () => void;
}

export interface AdsStatus {
  readonly connected: boolean;
  /** Epoch milliseconds of the last change of `connected`. */
  readonly since: number;
  readonly lastError?: string;
}

/**
 * Keeps one ADS stream open and the data plane as the control plane wants it. Without a control plane the proxy goes on
 * with what it has; the client tries again with growing, jittered waits and says so once.
 */
export class AdsClient {
  readonly #deps: AdsClientDeps;
  readonly #backoff: Backoff;
  #client: GrpcClient | undefined;
  #stream: GrpcStream | undefined;
  #status: AdsStatus;
  #answers = 0;
  /** Listeners and routes that wait for the endpoints of clusters they may use. */
  #held: XdsUpdate[] = [];
  #cancelHold: (() => void) | undefined;
  #cancelRetry: () => void = () => {};
  #stopped = false;
  #live = false;
  #secretsOverdue = false;
  #cancelSecretWait: (() => void) | undefined;

  constructor(deps: AdsClientDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS, random: deps.random });
    this.#status = { connected: false, since: deps.clock.now() };
  }

  start(): void {
    void this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRetry();
    this.#cancelHold?.();
    this.#cancelSecretWait?.();
    this.#client?.close();
  }

  status(): AdsStatus {
    return this.#status;
  }

  /**
   * True from the moment that clusters and listeners were taken and all they refer to has been answered for. A secret that
   * does not come keeps its own listener waiting, not the whole proxy: after a moment the others are served.
   */
  get live(): boolean {
    if (!this.#live) {
      const { store, applier } = this.#deps;
      const configured = this.#held.length === 0 && store.stats("CDS").updateSuccess > 0 && store.stats("LDS").updateSuccess > 0;
      this.#live =
        configured && REQUIRED.every((type) => applier.unanswered(type).length === 0) && (this.#secretsOverdue || applier.unanswered("SDS").length === 0);
    }
    return this.#live;
  }

  /** Names that resources refer to and the control plane has not answered for, each with its type. */
  unanswered(): string[] {
    return NAMED.flatMap((type) => this.#deps.applier.unanswered(type).map((name) => `${type} ${name}`));
  }

  async #connect(): Promise<void> {
    const { connect, metadata, protocol, log } = this.#deps;
    try {
      const client = await connect();
      if (this.#stopped) return client.close();
      this.#client = client;
      this.#answers = 0;
      protocol.reset();
      this.#stream = client.stream(protocol.method, metadata(), {
        message: (bytes) => this.#receive(bytes),
        closed: (status) => this.#lost(status),
      });
      for (const type of this.#deps.applier.wholeTypes) this.#send(protocol.subscribe(type, "*"));
      this.#subscribeNamed();
    } catch (error) {
      log.debug("control plane not reached", { error: errorText(error) });
      this.#lost({ code: "UNAVAILABLE", message: errorText(error) });
    }
  }

  #receive(bytes: Uint8Array): void {
    const { protocol, log } = this.#deps;
    let update: XdsUpdate | undefined;
    try {
      update = protocol.receive(bytes);
    } catch (error) {
      log.error("unreadable answer from the control plane", { error: errorText(error) });
      this.#stream?.cancel();
      return;
    }
    if (this.#answers++ === 0) this.#connected();
    if (!update) return;
    const waits = (update.type === "LDS" || update.type === "RDS") && (this.#held.length > 0 || this.#endpointsDue());
    if (waits) {
      this.#held.push(update);
      this.#cancelHold ??= this.#deps.clock.after(HOLD_MS, () => this.#release());
    } else {
      this.#take(update);
      if (this.#held.length > 0 && !this.#endpointsDue()) this.#release();
    }
    this.#deps.onChange?.();
  }

  #take(update: XdsUpdate): void {
    const { applier, protocol, log } = this.#deps;
    const error = applier.apply(update);
    if (error !== undefined) log.warn("configuration refused, the last good one stays in force", { type: update.type, version: update.version, error });
    else log.debug("configuration applied", { type: update.type, version: update.version, resources: update.resources.length, removed: update.removed.length });
    this.#send(protocol.acknowledge(update, error));
    if (update.type === "CDS" || update.type === "LDS") for (const type of NAMED) applier.prune(type);
    this.#subscribeNamed();
    if (update.type === "LDS") {
      this.#cancelSecretWait ??= this.#deps.clock.after(SECRET_WAIT_MS, () => {
        this.#secretsOverdue = true;
        this.#deps.onChange?.();
      });
    }
  }

  /** Make before break: a listener or route goes in when the endpoints of new clusters are there, or late. */
  #release(): void {
    this.#cancelHold?.();
    this.#cancelHold = undefined;
    const held = this.#held;
    this.#held = [];
    for (const update of held) this.#take(update);
    this.#deps.onChange?.();
  }

  #endpointsDue(): boolean {
    return this.#deps.applier.unanswered("EDS").length > 0;
  }

  #subscribeNamed(): void {
    const { applier, protocol } = this.#deps;
    for (const type of NAMED) this.#send(protocol.subscribe(type, applier.wanted(type)));
  }

  #send(request: Uint8Array | undefined): void {
    if (request) this.#stream?.send(request);
  }

  #connected(): void {
    this.#backoff.reset();
    if (!this.#status.connected) {
      this.#status = { connected: true, since: this.#deps.clock.now() };
      this.#deps.log.info("connected to the control plane");
    }
  }

  #lost(status: GrpcStatus): void {
    this.#client?.close();
    this.#client = undefined;
    this.#stream = undefined;
    if (this.#stopped) return;
    const { clock, log, onChange } = this.#deps;
    const lastError = `${status.code}: ${status.message}`;
    // The first failure is worth a line; those that follow while it lasts are not, unless the reason changes.
    if (this.#status.connected || this.#status.lastError !== lastError) {
      const serving = this.#live ? "serving with the configuration of before" : "nothing to serve yet";
      log.warn(`control plane lost, ${serving}`, { error: lastError });
    }
    this.#status = { connected: false, since: this.#status.connected ? clock.now() : this.#status.since, lastError };
    // What was held back can no longer be completed by this stream.
    if (this.#held.length > 0) this.#release();
    const wait = this.#backoff.next();
    this.#cancelRetry = clock.after(this.#live ? wait : Math.min(wait, START_RETRY_MAX_MS), () => void this.#connect());
    onChange?.();
  }
}

const NAMED: NamedType[] = ["EDS", "RDS", "SDS", "ECDS"];
/** Without these a listener would answer with errors. */
const REQUIRED: NamedType[] = ["EDS", "RDS"];
/** A secret that exists is answered within a round trip. */
const SECRET_WAIT_MS = 2_000;
/** Envoy begins at 500 ms; a local control plane is back sooner, and 50 ms doubles to seconds quickly. */
const RETRY_FIRST_MS = 50;
/** Envoy's ceiling is 30 s. A restarted control plane of one machine should not be waited for that long; jitter spreads the rest. */
const RETRY_MAX_MS = 5_000;
/** Until the first configuration somebody waits for the pod; a refused connection a second harms nobody. */
const START_RETRY_MAX_MS = 1_000;
/** Endpoints follow their cluster within one round trip; a control plane that never answers must not block listeners. */
const HOLD_MS = 1_000;
