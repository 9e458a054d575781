import { ChainmailError, type Clock, systemClock } from "../../base/index.ts";
import type { KubeObject } from "../../resources/index.ts";
import { type Change, ChangeLog, type ChangeLogLimits, DEFAULT_LIMITS } from "./change-log.ts";
import { ObjectDatabase } from "./database.ts";
import { ObjectTable } from "./object-table.ts";
import { objectKey, StoredObject } from "./stored-object.ts";

export interface StoreOptions {
  /** A file, or ":memory:" for tests. */
  path: string;
  clock?: Clock;
  history?: ChangeLogLimits;
}

/** A reader of one resource's changes that keeps its place; it pulls, so a slow reader costs no memory. */
export interface ChangeReader {
  /** The next durable change; undefined when there is none yet; "expired" when it fell out of the history. */
  next(): Change | undefined | "expired";
  close(): void;
}

interface Pending {
  change: Change;
  resolve(object: StoredObject): void;
  reject(error: unknown): void;
}

/**
 * All objects of the cluster: in memory for reading, in SQLite for keeping, with one increasing revision
 * (resourceVersion) over all kinds. Writes of one turn of the event loop share one transaction; their promises settle
 * after it is on disk, and only then do watches see them.
 */
export class Store {
  #db: ObjectDatabase;
  #clock: Clock;
  #tables = new Map<string, ObjectTable>();
  #log: ChangeLog;
  #readers = new Map<string, Set<() => void>>();
  #pending: Pending[] = [];
  #settled: Promise<void> | undefined;
  #assigned = 0;
  #durable = 0;
  #lastRow = 0;
  #closed = false;
  #writable = true;

  constructor(options: StoreOptions) {
    this.#db = new ObjectDatabase(options.path);
    this.#clock = options.clock ?? systemClock;
    const revisions = this.#db.removals();
    this.#log = new ChangeLog((resource) => revisions.get(resource) ?? 0, options.history ?? DEFAULT_LIMITS);
    // Tables take what comes in order without looking for its place.
    const objects = this.#db
      .rows()
      .map(StoredObject.fromRow)
      .sort((a, b) => (a.resource === b.resource ? (a.key < b.key ? -1 : 1) : a.resource < b.resource ? -1 : 1));
    for (const object of objects) {
      this.#table(object.resource).set(object);
      revisions.set(object.resource, Math.max(revisions.get(object.resource) ?? 0, object.revision));
      this.#lastRow = Math.max(this.#lastRow, object.row);
    }
    for (const revision of revisions.values()) this.#durable = Math.max(this.#durable, revision);
    // Clients take 0 for "any version", so an empty cluster begins at 1.
    this.#durable = Math.max(this.#durable, 1);
    this.#assigned = this.#durable;
  }

  /** The newest durable revision: what a list reports. */
  get revision(): number {
    return this.#durable;
  }

  /** The newest state, which may be an instant away from being durable: await `settled` before answering with it. */
  get(resource: string, namespace: string, name: string): StoredObject | undefined {
    return this.#tables.get(resource)?.get(objectKey(namespace, name));
  }

  /** In key order. `start`: the key to begin at. */
  list(resource: string, namespace?: string, start?: string): StoredObject[] {
    return this.#tables.get(resource)?.list(namespace, start) ?? [];
  }

  /** Whether the disk took the newest write. */
  get writable(): boolean {
    return this.#writable;
  }

  /** How often anything of a resource has changed since the start, what is not durable yet included. */
  changes(resource: string): number {
    return this.#tables.get(resource)?.changes ?? 0;
  }

  count(resource: string): number {
    return this.#tables.get(resource)?.size ?? 0;
  }

  /** The list as it stood at a revision. Throws REVISION_EXPIRED when the history no longer reaches back to it. */
  listAt(revision: number, resource: string, namespace?: string, start = ""): StoredObject[] {
    if (revision < this.#log.compacted(resource)) throw new RevisionExpired(revision, this.#log.compacted(resource));
    const changed = new Map<string, StoredObject | undefined>();
    for (const change of this.#log.newestFirst(resource, revision)) changed.set(change.object.key, change.previous);
    if (changed.size === 0) return this.list(resource, namespace, start);
    const objects = this.list(resource, namespace, start).filter((object) => !changed.has(object.key));
    for (const [key, object] of changed) {
      if (object && key >= start && (!namespace || object.namespace === namespace)) objects.push(object);
    }
    return objects.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /**
   * Writes an object over the version it was made from (`base` undefined creates), takes it over and numbers it.
   * Throws WriteConflict at once when `base` is no longer the newest version; rejects with STORE_WRITE_FAILED when the
   * disk refuses, having changed nothing.
   */
  put(resource: string, object: KubeObject, base: StoredObject | undefined): Promise<StoredObject> {
    const table = this.#table(resource);
    if (table.get(objectKey(object.metadata.namespace ?? "", object.metadata.name)) !== base) throw new WriteConflict();
    const stored = StoredObject.fromObject(resource, object, ++this.#assigned, base?.row ?? ++this.#lastRow, !base);
    table.set(stored);
    return this.#enqueue(base ? "MODIFIED" : "ADDED", stored, base);
  }

  /** Removes a version if it is the newest; resolves to its last state with the deletion's revision. */
  remove(base: StoredObject): Promise<StoredObject> {
    const table = this.#table(base.resource);
    if (table.get(base.key) !== base) throw new WriteConflict();
    const stored = base.renumbered(++this.#assigned);
    table.delete(base.key);
    return this.#enqueue("DELETED", stored, base);
  }

  /** Undefined when all that can be read is durable; else resolves when it is. Never rejects. */
  get settled(): Promise<void> | undefined {
    return this.#settled;
  }

  /** The oldest revision from which changes of a resource can be read without a gap. */
  oldest(resource: string): number {
    return this.#log.compacted(resource);
  }

  /**
   * Reads changes after a revision; `wake` is called whenever there may be more. Throws RevisionExpired when the
   * history does not reach back so far.
   */
  read(resource: string, after: number, wake: () => void): ChangeReader {
    const compacted = this.#log.compacted(resource);
    if (after < compacted) throw new RevisionExpired(after, compacted);
    let position = this.#log.positionAfter(resource, after);
    let readers = this.#readers.get(resource);
    if (!readers) this.#readers.set(resource, (readers = new Set()));
    readers.add(wake);
    return {
      next: () => {
        const change = this.#log.at(resource, position);
        if (change && change !== "expired") position++;
        return change;
      },
      close: () => {
        readers.delete(wake);
      },
    };
  }

  /** Commits what is pending and closes the file. */
  close(): void {
    if (this.#closed) return;
    if (this.#pending.length > 0) this.#commit();
    this.#closed = true;
    this.#db.close();
  }

  #enqueue(type: Change["type"], object: StoredObject, previous: StoredObject | undefined): Promise<StoredObject> {
    const change: Change = { type, object, previous, at: this.#clock.now(), encoded: undefined };
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0) {
        this.#settled = new Promise((done) => {
          // After the turn's I/O, so that requests that arrived together share one fsync.
          setImmediate(() => {
            if (this.#pending.length > 0) this.#commit();
            done();
          });
        });
      }
      this.#pending.push({ change, resolve, reject });
    });
  }

  #commit(): void {
    const batch = this.#pending;
    this.#pending = [];
    this.#settled = undefined;
    try {
      this.#db.commit(batch.map(({ change }) => ({ object: change.object, removed: change.type === "DELETED" })));
    } catch (error) {
      this.#writable = false;
      for (const { change } of batch.toReversed()) this.#revert(change);
      for (const { reject } of batch) reject(error);
      return;
    }
    this.#writable = true;
    this.#durable = this.#assigned;
    const touched = new Set<string>();
    for (const { change, resolve } of batch) {
      this.#log.append(change);
      touched.add(change.object.resource);
      resolve(change.object);
    }
    this.#log.trim(this.#clock.now());
    for (const resource of touched) for (const wake of this.#readers.get(resource) ?? []) wake();
  }

  #revert({ object, previous }: Change): void {
    const table = this.#table(object.resource);
    if (previous) table.set(previous);
    else table.delete(object.key);
  }

  #table(resource: string): ObjectTable {
    let table = this.#tables.get(resource);
    if (!table) this.#tables.set(resource, (table = new ObjectTable()));
    return table;
  }
}

/** Somebody else changed the object since it was read. */
export class WriteConflict extends ChainmailError {
  constructor() {
    super("WRITE_CONFLICT", "the object has been modified");
  }
}

export class RevisionExpired extends ChainmailError {
  constructor(
    readonly revision: number,
    /** The oldest revision that can still be asked for. */
    readonly oldest: number,
  ) {
    super("REVISION_EXPIRED", `too old resource version: ${revision} (${oldest})`);
  }
}
