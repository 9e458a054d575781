import type { Clock } from "../../../base/index.ts";
import { type Change, RevisionExpired, type Store, type StoredObject } from "../../store/index.ts";
import type { Resource } from "../catalogue.ts";
import type { ApiResponse, Sink } from "../http/exchange.ts";
import type { Negotiated } from "../http/negotiate.ts";
import { expired, futureRevision, type StatusError } from "../http/status.ts";
import type { ListOptions } from "./list-options.ts";
import { viewed } from "./view.ts";
import { columnDefinitions, type IncludeObject, partialObject, table, tableRow } from "./table.ts";

/** Real servers end watches after a random time between 30 and 60 minutes, so that clients spread over servers. */
const DEFAULT_TIMEOUT_SECONDS = 1800;
/** As often as the real server sends bookmarks on a quiet watch. */
const BOOKMARK_INTERVAL_MS = 60_000;
/** A bookmark goes out this long before the end, so that the client resumes from a fresh revision. */
const FINAL_BOOKMARK_MS = 2_000;

export interface WatchRequest {
  store: Store;
  clock: Clock;
  resource: Resource;
  namespace: string;
  options: ListOptions;
  negotiated: Negotiated;
  include: IncludeObject;
}

/** Starts a watch. Throws 504 for revisions from the future; too old ones become an ERROR event, as clients expect. */
export async function watchObjects(request: WatchRequest): Promise<ApiResponse> {
  const { store, options } = request;
  while (store.settled) await store.settled;
  if ((options.resourceVersion ?? 0) > store.revision) throw futureRevision(options.resourceVersion ?? 0, store.revision);
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    stream: (sink, signal) => void new Watch(request, sink, signal).start(),
  };
}

type EventType = Change["type"] | "BOOKMARK" | "ERROR";

/**
 * One client's watch. It pulls from the store's history at the client's pace: a client that does not read holds no
 * events in memory, and one that falls out of the history is told so and ends.
 */
class Watch {
  #cancel: (() => void)[] = [];
  #read: () => Change | undefined | "expired" = () => undefined;
  #done = false;
  #blocked = false;
  #columnsSent = false;
  /** The newest revision that the client knows of. */
  #sent = 0;

  constructor(
    private readonly request: WatchRequest,
    private readonly sink: Sink,
    private readonly signal: AbortSignal,
  ) {}

  async start(): Promise<void> {
    const { store, clock, options, resource } = this.request;
    // The first list must hold only what is durable, and nothing that the history will bring again.
    while (store.settled) await store.settled;
    if (this.signal.aborted) return;
    const initial = options.sendInitialEvents ?? (options.resourceVersion === undefined || options.resourceVersion === 0);
    // WatchList begins at the newest state, whatever the version asked for.
    const from = initial ? store.revision : (options.resourceVersion ?? store.revision);
    let reader;
    try {
      reader = store.read(resource.id, from || store.revision, () => this.#pump());
    } catch (error) {
      if (!(error instanceof RevisionExpired)) throw error;
      this.#fail(expired(error.message));
      return;
    }
    this.#read = reader.next;
    this.#sent = from;
    this.#cancel.push(reader.close);
    this.signal.addEventListener("abort", () => this.#close(), { once: true });
    const seconds = options.timeoutSeconds || DEFAULT_TIMEOUT_SECONDS;
    this.#cancel.push(clock.after(seconds * 1000, () => this.#end()));
    if (options.allowBookmarks) this.#scheduleBookmarks(seconds * 1000);
    if (initial) this.#sendInitial();
    this.#pump();
  }

  #sendInitial(): void {
    const { store, resource, namespace, options } = this.request;
    for (const stored of store.list(resource.id, namespace)) {
      if (!options.filter || options.filter(stored.object)) this.#write(encodeEvent(this.#payload("ADDED", stored)));
    }
    if (options.sendInitialEvents && options.allowBookmarks) this.#bookmark({ "k8s.io/initial-events-end": "true" });
  }

  #pump(): void {
    while (!this.#done && !this.#blocked) {
      const change = this.#read();
      if (!change) return;
      if (change === "expired") {
        this.#fail(expired("The resourceVersion for the provided watch is too old."));
        return;
      }
      this.#sent = change.object.revision;
      this.#send(change);
    }
  }

  #send(change: Change): void {
    const { namespace, options } = this.request;
    if (namespace && change.object.namespace !== namespace) return;
    const { filter } = options;
    if (!filter) {
      this.#write(this.#shared(change.type, change));
      return;
    }
    const before = change.previous !== undefined && filter(change.previous.object);
    const after = change.type !== "DELETED" && filter(change.object.object);
    if (after) this.#write(this.#shared(before ? "MODIFIED" : "ADDED", change));
    else if (before) this.#write(this.#shared("DELETED", change));
  }

  /** An event's bytes; made once for all watchers that want the same form. Tables differ in age and columns. */
  #shared(type: Change["type"], change: Change): Uint8Array | string {
    const { negotiated, resource } = this.request;
    // An object that left the selection is shown as it was, with the revision of the change.
    const stored = type === "DELETED" && change.type !== "DELETED" ? asOf(change) : change.object;
    if (negotiated.form === "table") return encodeEvent(this.#payload(type, stored));
    const key = `${type} ${negotiated.form} ${resource.apiVersion}`;
    change.encoded ??= new Map();
    let bytes = change.encoded.get(key);
    if (!bytes) change.encoded.set(key, (bytes = Buffer.from(encodeEvent(this.#payload(type, stored)))));
    return bytes;
  }

  #payload(type: EventType, stored: StoredObject): [EventType, string] {
    const { resource, negotiated, include, clock } = this.request;
    const { form, metaVersion } = negotiated;
    if (form === "object") return [type, viewed(resource, stored).json(resource.apiVersion)];
    if (form !== "table") return [type, partialObject(stored, metaVersion)];
    const columns = this.#columnsSent ? "null" : columnDefinitions(resource);
    this.#columnsSent = true;
    const row = tableRow(resource, stored, clock.now(), include, metaVersion);
    return [type, table(`{"resourceVersion":"${stored.revision}"}`, columns, [row], metaVersion)];
  }

  #bookmark(annotations?: Record<string, string>): void {
    const { resource, negotiated } = this.request;
    const { form, metaVersion } = negotiated;
    const metadata = { resourceVersion: String(this.#position()), ...(annotations ? { annotations } : {}) };
    if (form === "table") {
      const object = `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${metaVersion}","metadata":${JSON.stringify(metadata)}}`;
      const columns = this.#columnsSent ? "null" : columnDefinitions(resource);
      this.#columnsSent = true;
      const cells = JSON.stringify(resource.columns.map(() => null));
      this.#write(
        encodeEvent([
          "BOOKMARK",
          table(JSON.stringify({ resourceVersion: metadata.resourceVersion }), columns, [`{"cells":${cells},"object":${object}}`], metaVersion),
        ]),
      );
      return;
    }
    const type =
      form === "object"
        ? { kind: resource.definition.kind, apiVersion: resource.apiVersion }
        : { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${metaVersion}` };
    this.#write(encodeEvent(["BOOKMARK", JSON.stringify({ ...type, metadata })]));
  }

  /** A client that has read all there is may resume from the newest revision, although it was another resource's. */
  #position(): number {
    return this.#blocked ? this.#sent : Math.max(this.#sent, this.request.store.revision);
  }

  #scheduleBookmarks(lifetime: number): void {
    const { clock } = this.request;
    const end = clock.now() + lifetime;
    const next = () => {
      const left = end - clock.now() - FINAL_BOOKMARK_MS;
      if (left <= 0) return;
      this.#cancel.push(
        clock.after(Math.min(BOOKMARK_INTERVAL_MS, left), () => {
          if (this.#done) return;
          if (!this.#blocked) this.#bookmark();
          next();
        }),
      );
    };
    next();
  }

  #fail(error: StatusError): void {
    this.#write(encodeEvent(["ERROR", JSON.stringify(error.status)]));
    this.#end();
  }

  #write(chunk: string | Uint8Array): void {
    if (this.#done) return;
    if (!this.sink.write(chunk) && !this.#blocked) {
      this.#blocked = true;
      this.sink.onDrain(() => {
        this.#blocked = false;
        this.#pump();
      });
    }
  }

  #end(): void {
    if (this.#done) return;
    this.#close();
    this.sink.end();
  }

  #close(): void {
    this.#done = true;
    for (const cancel of this.#cancel.splice(0)) cancel();
  }
}

function encodeEvent([type, object]: [EventType, string]): string {
  return `{"type":"${type}","object":${object}}\n`;
}

/** The state before a change, numbered by it: what a client sees when an object leaves its selection. */
function asOf({ previous, object }: Change): StoredObject {
  return previous ? previous.renumbered(object.revision) : object;
}
