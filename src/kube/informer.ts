import { errorText, systemClock, type Clock } from "../base/index.ts";
import type { KubeObject } from "../resources/types.ts";
import { ApiError, isExpired } from "./errors.ts";
import { ObjectStore } from "./object-store.ts";
import type { Change, GroupVersionResource, Informer, InformerOptions, KubeClient, WatchOptions } from "./types.ts";

/** Doubling from 100 ms (a server that restarts is back within a second) to client-go's 30 s, jittered so that clients do not come at once. */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 30_000;
/** A watch that lived this long was healthy: reconnect at once and start the back-off anew. */
const HEALTHY_WATCH_MS = 5_000;
/** As client-go: the server ends each watch after 5–10 minutes, so that a dead connection is not trusted for ever. */
const WATCH_SECONDS = 300;
/** After the server should have ended the stream: then the connection is dead. */
const WATCH_GRACE_MS = 30_000;

const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** Starts a list and watch of `gvr` and keeps its copy current until `stop`. */
export function createInformer<T extends KubeObject>(client: KubeClient, gvr: GroupVersionResource, options: InformerOptions<T> = {}): Informer<T> {
  const informer = new ListWatchInformer<T>(client, gvr, options);
  void informer.run();
  return informer;
}

class ListWatchInformer<T extends KubeObject> implements Informer<T> {
  readonly synced: Promise<void>;
  #markSynced: () => void = () => {};
  readonly #store: ObjectStore<T>;
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #waiters = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #clock: Clock;
  readonly #random: () => number;
  /** The version to go on from; undefined when everything must be read anew. */
  #version: string | undefined;
  #live = false;
  /** False once a server has refused WatchList. */
  #watchList = true;

  constructor(
    readonly client: KubeClient,
    readonly gvr: GroupVersionResource,
    readonly options: InformerOptions<T>,
  ) {
    this.#store = new ObjectStore(options.indexes);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.synced = new Promise((resolve) => (this.#markSynced = resolve));
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#store.get(name, namespace);
  }
  list(namespace?: string): T[] {
    return this.#store.list(namespace);
  }
  byIndex(index: string, key: string): T[] {
    return this.#store.byIndex(index, key);
  }

  onChange(listener: (change: Change<T>) => void): () => void {
    for (const object of this.#store.list()) this.#call(listener, { type: "ADDED", object });
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  waitFor(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    if (this.#stop.signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (result: boolean) => {
        cancel();
        this.#waiters.delete(look);
        resolve(result);
      };
      const look = () => {
        if (condition()) settle(true);
        else if (this.#stop.signal.aborted) settle(false);
      };
      const cancel = this.#clock.after(timeoutMs, () => settle(condition()));
      this.#waiters.add(look);
    });
  }

  stop(): void {
    this.#stop.abort();
    this.#listeners.clear();
    for (const look of this.#waiters) look();
  }

  async run(): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    while (!this.#stop.signal.aborted) {
      const started = this.#clock.now();
      let failure: unknown;
      try {
        await this.#readAndFollow();
      } catch (thrown) {
        failure = thrown;
      }
      this.#connected(false);
      if (this.#stop.signal.aborted) return;
      if (isExpired(failure)) this.#version = undefined;
      const lived = this.#clock.now() - started;
      if (lived >= HEALTHY_WATCH_MS) backoff = FIRST_BACKOFF_MS;
      if (lived >= HEALTHY_WATCH_MS && (failure === undefined || isExpired(failure))) continue;
      const wait = backoff * (0.5 + this.#random());
      if (failure !== undefined && !isExpired(failure)) {
        this.options.log?.warn("watch failed, trying again", { resource: this.gvr.resource, error: errorText(failure), wait_ms: Math.round(wait) });
      }
      await this.#sleep(wait);
      backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
    }
  }

  /** One connection: returns when the server ends the stream. */
  async #readAndFollow(): Promise<void> {
    if (this.#version !== undefined) return this.#follow({ resourceVersion: this.#version });
    if (this.#watchList) {
      try {
        return await this.#follow({ resourceVersion: "", sendInitialEvents: true });
      } catch (thrown) {
        if (!(thrown instanceof ApiError) || (thrown.status !== 400 && thrown.status !== 422)) throw thrown;
        this.#watchList = false;
      }
    }
    const { items, resourceVersion } = await this.client.list<T>(this.gvr, this.options);
    if (this.#stop.signal.aborted) return;
    this.#replace(
      items.map((item) => this.#transform(item)),
      resourceVersion,
    );
    await this.#follow({ resourceVersion });
  }

  async #follow(start: Pick<WatchOptions, "resourceVersion" | "sendInitialEvents">): Promise<void> {
    const timeoutSeconds = Math.round(WATCH_SECONDS * (1 + this.#random()));
    const dead = new AbortController();
    const cancelTimer = this.#clock.after(timeoutSeconds * 1000 + WATCH_GRACE_MS, () => dead.abort());
    const stopped = () => dead.abort();
    this.#stop.signal.addEventListener("abort", stopped);
    let initial = start.sendInitialEvents ? new Map<string, T>() : undefined;
    try {
      const { namespace, labelSelector, fieldSelector } = this.options;
      for await (const { type, object } of this.client.watch<T>(this.gvr, {
        namespace,
        labelSelector,
        fieldSelector,
        ...start,
        timeoutSeconds,
        signal: dead.signal,
      })) {
        if (this.#stop.signal.aborted) return;
        const version = object.metadata.resourceVersion ?? "";
        if (!initial) this.#connected(true);
        if (type === "BOOKMARK") {
          if (initial && object.metadata.annotations?.[INITIAL_EVENTS_END] === "true") {
            this.#replace(initial.values(), version);
            initial = undefined;
          } else if (!initial) this.#version = version;
          continue;
        }
        if (initial) {
          const key = `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
          if (type === "DELETED") initial.delete(key);
          else initial.set(key, this.#transform(object));
          continue;
        }
        this.#version = version;
        this.#emit(type === "DELETED" ? this.#store.remove(object.metadata.name, object.metadata.namespace, object) : this.#store.put(this.#transform(object)));
      }
    } finally {
      cancelTimer();
      this.#stop.signal.removeEventListener("abort", stopped);
    }
  }

  #replace(objects: Iterable<T>, version: string): void {
    this.#version = version;
    for (const change of this.#store.replace(objects)) this.#emit(change);
    this.#connected(true);
    this.#markSynced();
  }

  #connected(live: boolean): void {
    if (this.#live === live) return;
    this.#live = live;
    this.options.onConnection?.(live);
  }

  #transform(object: T): T {
    return this.options.transform ? this.options.transform(object) : object;
  }

  #emit(change: Change<T> | undefined): void {
    if (!change) return;
    for (const listener of this.#listeners) this.#call(listener, change);
    for (const look of this.#waiters) look();
  }

  /** One listener's fault must neither reach the others nor end the watch. */
  #call(listener: (change: Change<T>) => void, change: Change<T>): void {
    try {
      listener(change);
    } catch (thrown) {
      if (this.options.log) this.options.log.error("a listener failed", { resource: this.gvr.resource, error: errorText(thrown) });
      else queueMicrotask(() => Promise.reject(thrown)); // surfaces as an unhandled rejection instead of being lost
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#stop.signal.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.#clock.after(ms, done);
      this.#stop.signal.addEventListener("abort", done);
    });
  }
}
