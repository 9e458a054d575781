import type { StoredObject } from "./stored-object.ts";

export interface Change {
  type: "ADDED" | "MODIFIED" | "DELETED";
  /** The new state; for DELETED the last state, carrying the deletion's revision. */
  object: StoredObject;
  /** The state before, absent for ADDED: selectors need both sides. */
  previous: StoredObject | undefined;
  /** Milliseconds since the epoch. */
  at: number;
  /** Encodings made for one watcher and reused for the others, keyed by form. */
  encoded: Map<string, Uint8Array> | undefined;
}

export interface ChangeLogLimits {
  /** Changes kept over all resources. */
  count: number;
  /** Milliseconds. */
  age: number;
  /** Characters of JSON kept over all resources. */
  size: number;
}

/**
 * How much history watches can resume from. Real clusters compact after 5 minutes; the count is what a busy minute of
 * one machine makes; the size bounds memory, of which old versions take about three times their text.
 */
export const DEFAULT_LIMITS: ChangeLogLimits = { count: 4096, age: 5 * 60_000, size: 8 << 20 };

/** Below this many changes age does not matter: an idle cluster keeps its short history. */
const KEPT_REGARDLESS_OF_AGE = 256;

interface ResourceLog {
  changes: Change[];
  /** How many were dropped from the front since the start: makes positions absolute. */
  dropped: number;
  /** Changes up to and including this revision may be missing. */
  compacted: number;
}

/** The recent history of every resource, in order, bounded by count, age and size over all of them. */
export class ChangeLog {
  #logs = new Map<string, ResourceLog>();
  /** All changes in order of revision, oldest at #head. */
  #order: Change[] = [];
  #head = 0;
  #size = 0;

  /** `baseline(resource)`: the newest revision of the resource before this process started. */
  constructor(
    private readonly baseline: (resource: string) => number,
    private readonly limits: ChangeLogLimits = DEFAULT_LIMITS,
  ) {}

  append(change: Change): void {
    this.#log(change.object.resource).changes.push(change);
    this.#order.push(change);
    this.#size += change.object.tail.length;
  }

  /** Drops what is beyond the limits. */
  trim(now: number): void {
    for (;;) {
      const oldest = this.#order[this.#head];
      if (!oldest) break;
      const count = this.#order.length - this.#head;
      const tooOld = count > KEPT_REGARDLESS_OF_AGE && oldest.at < now - this.limits.age;
      if (!tooOld && count <= this.limits.count && this.#size <= this.limits.size) break;
      const log = this.#log(oldest.object.resource);
      log.changes.shift();
      log.dropped++;
      log.compacted = oldest.object.revision;
      this.#size -= oldest.object.tail.length;
      this.#head++;
    }
    // Slicing at each step would copy the whole array each time.
    if (this.#head > 1024) {
      this.#order = this.#order.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The revision up to which the history of a resource may be incomplete: a watch may start from it or later. */
  compacted(resource: string): number {
    return this.#log(resource).compacted;
  }

  /** Absolute position of the first change after `revision`. */
  positionAfter(resource: string, revision: number): number {
    const log = this.#log(resource);
    let low = 0;
    let high = log.changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((log.changes[middle] as Change).object.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return log.dropped + low;
  }

  /** undefined: nothing there yet. "expired": dropped before it was read. */
  at(resource: string, position: number): Change | undefined | "expired" {
    const log = this.#log(resource);
    return position < log.dropped ? "expired" : log.changes[position - log.dropped];
  }

  /** Changes of a resource after a revision, newest first. */
  *newestFirst(resource: string, after: number): Iterable<Change> {
    const { changes } = this.#log(resource);
    for (let i = changes.length - 1; i >= 0; i--) {
      const change = changes[i] as Change;
      if (change.object.revision <= after) return;
      yield change;
    }
  }

  #log(resource: string): ResourceLog {
    let log = this.#logs.get(resource);
    if (!log) this.#logs.set(resource, (log = { changes: [], dropped: 0, compacted: this.baseline(resource) }));
    return log;
  }
}
