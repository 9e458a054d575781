import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { WORKLOAD_TYPE, XDS_TYPES } from "../../proto/index.ts";
import type { Caller } from "../ca/index.ts";
import type { MeshSnapshot } from "../registry/snapshot.ts";
import type { RegistryChange } from "../registry/types.ts";
import { parseNode } from "../xds/node.ts";
import type { ProxyNode, XdsGenerator, XdsResource } from "../xds/types.ts";
import type { CredentialSource } from "./credentials.ts";
import type { DebugTypes } from "./debug-types.ts";
import { Deliveries, type Delivery } from "./distribution.ts";
import { XdsError } from "./errors.ts";
import { checkIdentity } from "./identity.ts";
import type { XdsMetrics } from "./metrics.ts";
import { decodeRequest, type Protocol, type XdsRequest } from "./requests.ts";
import { encodeDelta, encodeSotw, type EncodedResponse } from "./responses.ts";
import { missingFrom, type Difference } from "./sent.ts";
import type { Subscriptions } from "./subscription.ts";
import { applyDelta, applySotw, type Watch, type Watches } from "./watch.ts";
import { changesWorkloads, workloadResources } from "./workload-names.ts";

/** One gRPC stream, seen from here. */
export interface XdsStream {
  /** Resolves when the peer can take more; rejects when it is gone. */
  write(message: EncodedResponse): Promise<void>;
  /** Stop and go on reading, so that a client that sends faster than it reads does not fill our memory. */
  pause(): void;
  resume(): void;
  /** Ends the stream; with an error, by its status. */
  end(error?: XdsError): void;
}

export interface ConnectionDeps {
  snapshot(): MeshSnapshot;
  /** The version under which answers go out now: `<time>/<counter>`. */
  version(): string;
  generator: XdsGenerator;
  credentials: CredentialSource;
  debugTypes: DebugTypes;
  metrics: XdsMetrics;
  clock: Clock;
  log: Logger;
  uuid(): string;
  /** Where clients with the same subscription find each other. */
  subscriptions: Subscriptions;
  /** Waits for this connection's share of the processor. */
  turn(): Promise<void>;
}

/** Clusters before their endpoints, listeners before their routes: a proxy never learns of a name before its target. */
const PUSH_ORDER: readonly string[] = [XDS_TYPES.CDS, XDS_TYPES.EDS, XDS_TYPES.LDS, XDS_TYPES.RDS, XDS_TYPES.SDS, XDS_TYPES.ECDS, XDS_TYPES.NDS, WORKLOAD_TYPE];

/** A proxy has at most a handful of requests under way; more than this and we stop reading until we have answered. */
const MAX_INBOX = 64;

/** Endpoints that changed one by one are compared one by one; after this many the client is brought to a shared list again. */
const MAX_EXCEPTIONS = 128;
const NO_NAMES: readonly string[] = [];

/** One proxy's stream: requests are answered in order, and changes are pushed between them, the newest state only. */
export class XdsConnection {
  readonly watches: Watches = new Map();
  readonly connectedAt: number;
  /** Known after the first request; a tool has none. */
  node: ProxyNode | undefined;
  id = "";
  readonly #inbox: Uint8Array[] = [];
  /** The last answer a tool got of each debug type. */
  readonly #toolNonces = new Map<string, string>();
  /** Changes that somebody waits for, until this proxy has answered what it was sent for them. */
  readonly #deliveries = new Deliveries(() => this.id);
  #pending: RegistryChange | undefined;
  #running = false;
  #closed = false;
  #paused = false;

  constructor(
    private readonly deps: ConnectionDeps,
    private readonly stream: XdsStream,
    readonly protocol: Protocol,
    readonly caller: Caller | undefined,
    readonly address: string,
    private readonly number: number,
    private readonly onNode: (connection: XdsConnection) => void,
  ) {
    this.connectedAt = deps.clock.now();
  }

  receive(message: Uint8Array): void {
    this.deps.metrics.received(message.length);
    this.#inbox.push(message);
    if (this.#inbox.length > MAX_INBOX && !this.#paused) {
      this.#paused = true;
      this.stream.pause();
    }
    void this.#run();
  }

  /** Something changed. While a push is under way changes add up, and the next push sends the state of then. */
  changed(change: RegistryChange, delivery?: Delivery): void {
    if (delivery) this.#deliveries.add(delivery);
    this.#pending = this.#pending ? merge(this.#pending, change) : change;
    void this.#run();
  }

  closed(): void {
    this.#closed = true;
    this.#deliveries.closed();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (!this.#closed) {
        const message = this.#inbox.shift();
        if (message) {
          await this.#handle(decodeRequest(this.protocol, message));
          continue;
        }
        if (this.#paused) {
          this.#paused = false;
          this.stream.resume();
        }
        if (!this.#pending || !this.node) break;
        await this.deps.turn();
        // A request that came meanwhile goes first: its answer brings the new state as well.
        if (this.#inbox.length > 0) continue;
        // Taken only now: what changed while this waited for its turn is part of it.
        const change: RegistryChange = this.#pending;
        this.#pending = undefined;
        const deliveries = this.#deliveries.take();
        this.#deliveries.pushed(deliveries, await this.#push(this.node, change));
      }
    } catch (thrown) {
      if (this.#closed) return;
      this.#closed = true;
      const error = thrown instanceof XdsError ? thrown : new XdsError("XDS_UNAVAILABLE", "the control plane could not serve this stream", { cause: thrown });
      this.deps.log.warn("ADS stream ended", {
        proxy: this.id || this.address,
        code: error.code,
        error: thrown instanceof XdsError ? error.message : errorText(thrown),
      });
      this.stream.end(error);
    } finally {
      this.#running = false;
    }
  }

  async #handle(request: XdsRequest): Promise<void> {
    if (this.id === "") this.#introduce(request);
    const { typeUrl } = request;
    if (this.deps.debugTypes.serves(typeUrl)) return this.#answerTool(request);
    const { node } = this;
    if (request.responseNonce !== "") this.#deliveries.answered(request.responseNonce, request.error);
    if (!node) throw new XdsError("XDS_INVALID_REQUEST", `a tool may ask for istio.io/debug types only, not for ${typeUrl}`);
    const outcome = request.protocol === "sotw" ? applySotw(this.watches, request) : applyDelta(this.watches, request);
    if (request.error !== undefined && (outcome.kind === "nack" || outcome.kind === "respond")) {
      this.deps.metrics.rejected(typeUrl, `${node.podName}.${node.namespace}`);
      this.deps.log.warn("proxy refused its configuration", { proxy: this.id, type: typeUrl, error: request.error.slice(0, 2_000) });
    }
    if (outcome.kind === "respond") await this.#respond(node, outcome.watch, outcome.names, outcome.first);
  }

  /** Takes the node of the first request. istioctl is no proxy: what it may see goes by its proved identity alone. */
  #introduce(request: XdsRequest): void {
    if (!request.node?.id) throw new XdsError("XDS_INVALID_REQUEST", "missing node information");
    if (request.node.metadata?.["GENERATOR"] === "event") {
      this.id = `tool-${this.number}`;
      return;
    }
    let node: ProxyNode;
    try {
      node = parseNode(request.node.id, request.node.metadata, request.node.locality);
    } catch (cause) {
      throw new XdsError("XDS_INVALID_REQUEST", errorText(cause), { cause });
    }
    checkIdentity(node, this.caller);
    this.node = node;
    this.id = `${node.podName}.${node.namespace}-${this.number}`;
    this.onNode(this);
    this.deps.log.info("ADS: new connection", { proxy: this.id, address: this.address, protocol: this.protocol });
  }

  async #answerTool(request: XdsRequest): Promise<void> {
    // An ACK is told by the nonces we sent, not by having one: Istio's own client sets a nonce of its own on first requests.
    const { typeUrl } = request;
    if (request.responseNonce !== "" && this.#toolNonces.get(typeUrl) === request.responseNonce) return;
    const names = request.protocol === "sotw" ? request.resourceNames : request.subscribe;
    const { resources, identifier } = await this.deps.debugTypes.answer(typeUrl, names, this.caller);
    const version = this.deps.version();
    const nonce = version + this.deps.uuid();
    this.#toolNonces.set(typeUrl, nonce);
    await this.#write({ typeUrl, version, nonce, identifier }, resources, []);
  }

  /** Answers a request for `names`, or for all that the watch covers. */
  async #respond(node: ProxyNode, watch: Watch, names: readonly string[] | undefined, first: boolean): Promise<void> {
    const resources = await this.#generate(node, watch, names);
    if (!resources) return;
    if (this.protocol === "sotw") {
      if (names === undefined) watch.sent.adopt(resources);
      else for (const { name, version } of resources) watch.sent.set(name, version);
      await this.#send(watch, resources, NO_NAMES);
      return;
    }
    const scope = names ?? (watch.wildcard ? watch.sent.keys() : watch.names.list(this.deps.subscriptions));
    const removed = missingFrom(scope, resources);
    const changed = first ? watch.sent.differenceTo(resources).changed : resources;
    if (names === undefined) watch.sent.adopt(resources);
    else {
      for (const { name, version } of resources) watch.sent.set(name, version);
      for (const name of removed) watch.sent.delete(name);
    }
    await this.#send(watch, changed, removed);
  }

  /** Returns the nonces of what was sent. */
  async #push(node: ProxyNode, change: RegistryChange): Promise<string[]> {
    const endpoints = this.watches.get(XDS_TYPES.EDS);
    const affected = new Map(this.deps.generator.affected(node, this.deps.snapshot(), change, endpoints?.names.list(this.deps.subscriptions) ?? NO_NAMES));
    if (this.deps.credentials.affectedBy(change)) affected.set(XDS_TYPES.SDS, undefined);
    if (changesWorkloads(change)) affected.set(WORKLOAD_TYPE, undefined);
    const started = this.deps.clock.now();
    const nonces: string[] = [];
    for (const typeUrl of PUSH_ORDER) {
      const watch = this.watches.get(typeUrl);
      if (!watch || !affected.has(typeUrl) || this.#closed) continue;
      const names = watch.sent.exceptions > MAX_EXCEPTIONS ? undefined : affected.get(typeUrl);
      const difference = await this.#difference(node, watch, names);
      if (!difference) continue;
      const { changed, removed } = difference;
      // A cluster that changes warms up until its endpoints come again, even if those are the same.
      if (typeUrl === XDS_TYPES.CDS && endpoints) {
        for (const { name } of changed) if (endpoints.sent.delete(name)) affected.set(XDS_TYPES.EDS, undefined);
      }
      if (this.protocol === "sotw" && watch.wildcard) nonces.push(await this.#send(watch, difference.all, NO_NAMES));
      // State of the world cannot say that something else than a wildcard's resource is gone.
      else if (this.protocol === "delta" || changed.length > 0) nonces.push(await this.#send(watch, changed, this.protocol === "delta" ? removed : NO_NAMES));
    }
    if (nonces.length === 0) return nonces;
    this.deps.metrics.converged((this.deps.clock.now() - started) / 1_000);
    this.deps.log.debug("pushed", { proxy: this.id, ms: this.deps.clock.now() - started });
    return nonces;
  }

  /**
   * What the client lacks, counted as sent; undefined for nothing. `names` are all that can differ, undefined for any:
   * then `all` is the whole list.
   */
  async #difference(node: ProxyNode, watch: Watch, names: readonly string[] | undefined): Promise<(Difference & { all: readonly XdsResource[] }) | undefined> {
    const all = await this.#generate(node, watch, names);
    if (!all) return undefined;
    const { sent } = watch;
    if (names === undefined) {
      const difference = sent.differenceTo(all);
      sent.adopt(all);
      return difference.changed.length === 0 && difference.removed.length === 0 ? undefined : { ...difference, all };
    }
    const changed = all.filter(({ name, version }) => sent.get(name) !== version);
    const removed = missingFrom(names, all).filter((name) => sent.has(name));
    for (const { name, version } of changed) sent.set(name, version);
    for (const name of removed) sent.delete(name);
    return changed.length === 0 && removed.length === 0 ? undefined : { changed: changed.length === all.length ? all : changed, removed, all };
  }

  /** undefined when generation failed: the proxy keeps what it has. */
  async #generate(node: ProxyNode, watch: Watch, names: readonly string[] | undefined): Promise<readonly XdsResource[] | undefined> {
    const wanted = names ?? (watch.wildcard ? undefined : watch.names.list(this.deps.subscriptions));
    const started = performance.now();
    try {
      if (watch.typeUrl === XDS_TYPES.SDS) return await this.deps.credentials.resources(this.caller, node, this.deps.snapshot(), wanted ?? NO_NAMES);
      if (watch.typeUrl === WORKLOAD_TYPE) return workloadResources(this.deps.snapshot(), wanted ?? NO_NAMES);
      return this.deps.generator.generate(node, this.deps.snapshot(), watch.typeUrl, wanted);
    } catch (thrown) {
      this.deps.metrics.generationFailed(watch.typeUrl);
      this.deps.log.error("could not generate configuration", { proxy: this.id, type: watch.typeUrl, error: errorText(thrown) });
      return undefined;
    } finally {
      this.deps.metrics.generated(watch.typeUrl, (performance.now() - started) / 1000);
    }
  }

  /** Resources have been counted as sent before. Returns the nonce of the answer that is waited for. */
  async #send(watch: Watch, resources: readonly XdsResource[], removed: readonly string[]): Promise<string> {
    const version = this.deps.version();
    const nonce = version + this.deps.uuid();
    watch.nonceSent = nonce;
    watch.sentAt = this.deps.clock.now();
    await this.#write({ typeUrl: watch.typeUrl, version, nonce }, resources, removed);
    return nonce;
  }

  async #write(head: Parameters<typeof encodeSotw>[0], resources: readonly XdsResource[], removed: readonly string[]): Promise<void> {
    const response = this.protocol === "sotw" ? encodeSotw(head, resources) : encodeDelta(head, resources, removed);
    const started = performance.now();
    await this.stream.write(response);
    this.deps.metrics.pushed(head.typeUrl, response.byteLength, (performance.now() - started) / 1000);
  }
}

function merge(a: RegistryChange, b: RegistryChange): RegistryChange {
  return {
    kinds: union(a.kinds, b.kinds),
    keys: union(a.keys, b.keys),
    endpoints: union(a.endpoints, b.endpoints),
    identities: union(a.identities, b.identities),
  };
}

function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): ReadonlySet<T> {
  return new Set([...a, ...b]);
}
