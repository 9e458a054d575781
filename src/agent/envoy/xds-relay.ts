import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { type GrpcCall, type GrpcCallHandlers, type GrpcClient, type GrpcStatus, type GrpcStream, type HeaderList } from "../../proxy/grpc/index.ts";
import { Backoff } from "../../proxy/xds/index.ts";
import { typeUrlOfResponse } from "./response-type.ts";

/** A type that the agent itself subscribes to on Envoy's stream; its answers do not reach Envoy. */
export interface AgentType {
  readonly typeUrl: string;
  /** The stream is open and has introduced the node: subscribe. Called again for each new stream. */
  opened(send: (request: Uint8Array) => void): void;
  received(response: Uint8Array): void;
  closed(): void;
}

export interface XdsRelayDeps {
  /** A new connection to the control plane. */
  readonly connect: () => Promise<GrpcClient>;
  /** Request metadata, read for each stream: tokens rotate. */
  readonly metadata: () => HeaderList;
  readonly agentTypes: readonly AgentType[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** What the relay has done, for the agent's metrics. */
export interface RelayCounts {
  readonly requests: number;
  readonly responses: number;
  readonly connectionFailures: number;
  readonly terminations: number;
}

/**
 * Carries Envoy's ADS stream to the control plane and back, byte for byte: Envoy knows one Unix socket, the agent the way,
 * the token and the certificate. When the control plane goes, Envoy's stream ends and it comes back with what it has; the
 * new stream then waits here until the control plane is back, so that nobody has to guess when that is.
 */
export class XdsRelay {
  readonly #streams = new Set<RelayedStream>();
  readonly counts = { requests: 0, responses: 0, connectionFailures: 0, terminations: 0 };
  #lastError: string | undefined;
  #everConnected = false;

  constructor(readonly deps: XdsRelayDeps) {}

  /** Takes Envoy's calls; undefined for what is not ADS. */
  accept(call: GrpcCall): GrpcCallHandlers | undefined {
    if (call.method !== DELTA && call.method !== SOTW) return undefined;
    const stream = new RelayedStream(call, this);
    this.#streams.add(stream);
    stream.start();
    return stream;
  }

  stop(): void {
    for (const stream of this.#streams) stream.closed();
  }

  connected(): void {
    const { log } = this.deps;
    if (!this.#everConnected || this.#lastError !== undefined) log.info("connected to the control plane");
    this.#everConnected = true;
    this.#lastError = undefined;
  }

  /** The first failure is worth a line; those that follow while it lasts are not, unless the reason changes. */
  lost(reason: string): void {
    if (this.#lastError === reason) return;
    this.#lastError = reason;
    this.deps.log.warn(`control plane lost, ${this.#everConnected ? "Envoy goes on with the configuration of before" : "nothing to serve yet"}`, {
      error: reason,
    });
  }

  forget(stream: RelayedStream): void {
    this.#streams.delete(stream);
  }
}

/** One stream of Envoy's with its counterpart at the control plane. */
class RelayedStream implements GrpcCallHandlers {
  readonly #backoff: Backoff;
  #state: "connecting" | "open" | "closed" = "connecting";
  /** What Envoy said before there was anybody to say it to. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #client: GrpcClient | undefined;
  #upstream: GrpcStream | undefined;
  #introduced = false;
  #answered = false;
  #cancelRetry = (): void => {};

  constructor(
    private readonly call: GrpcCall,
    private readonly relay: XdsRelay,
  ) {
    const { random } = relay.deps;
    this.#backoff = new Backoff({ firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS, random });
  }

  start(): void {
    void this.#connect();
  }

  message(bytes: Uint8Array): void {
    this.relay.counts.requests++;
    if (this.#upstream) return this.#send(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) return this.#end({ code: "RESOURCE_EXHAUSTED", message: "too many requests while the control plane is away" });
    // Copied: the buffer belongs to the socket.
    this.#waiting.push(Buffer.from(bytes));
  }

  halfClosed(): void {
    this.#end({ code: "OK", message: "" });
  }

  closed(): void {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open";
    this.#state = "closed";
    this.#cancelRetry();
    this.#upstream?.cancel();
    this.#client?.close();
    this.relay.forget(this);
    if (wasOpen) for (const type of this.relay.deps.agentTypes) type.closed();
  }

  async #connect(): Promise<void> {
    const { connect, metadata, clock, log } = this.relay.deps;
    try {
      const client = await connect();
      if (this.#state === "closed") return client.close();
      this.#client = client;
      this.#upstream = client.stream(this.call.method, metadata(), { message: (bytes) => this.#received(bytes), closed: (status) => this.#lost(status) });
      this.#state = "open";
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const bytes of waiting) this.#send(bytes);
    } catch (error) {
      if (this.#state === "closed") return;
      this.relay.counts.connectionFailures++;
      log.debug("control plane not reached", { error: errorText(error) });
      this.relay.lost(errorText(error));
      this.#cancelRetry = clock.after(this.#backoff.next(), () => void this.#connect());
    }
  }

  #send(bytes: Uint8Array): void {
    this.#upstream?.send(bytes);
    if (this.#introduced) return;
    this.#introduced = true;
    // Behind Envoy's first request, which names the node; the agent's own types are for delta streams only.
    if (this.call.method === DELTA) for (const type of this.relay.deps.agentTypes) type.opened((request) => this.#upstream?.send(request));
  }

  #received(bytes: Uint8Array): void {
    if (!this.#answered) {
      this.#answered = true;
      this.relay.connected();
    }
    this.relay.counts.responses++;
    const typeUrl = typeUrlOfResponse(bytes);
    const own = this.relay.deps.agentTypes.find((type) => type.typeUrl === typeUrl);
    if (own) own.received(bytes);
    else this.call.send(bytes);
  }

  #lost(status: GrpcStatus): void {
    if (this.#state === "closed") return;
    this.relay.counts.terminations++;
    this.relay.lost(`${status.code}: ${status.message}`);
    // Envoy asks again from where it stands, with the versions that it has.
    this.#end(status.code === "OK" ? { code: "UNAVAILABLE", message: "the control plane ended the stream" } : status);
  }

  #end(status: GrpcStatus): void {
    this.call.end(status);
    this.closed();
  }
}

const DELTA = "envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const SOTW = "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
/** As our own proxy's client: a local control plane is back soon, a far one should not be asked by all at once. */
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 5_000;
/** Envoy's first requests name all it has: 100 bytes a resource of 10,000. */
const MAX_WAITING_BYTES = 4 << 20;
