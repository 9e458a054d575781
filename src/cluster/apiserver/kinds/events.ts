import type { Clock } from "../../../base/index.ts";
import type { Event, KubeObject } from "../../../resources/index.ts";
import { type Store, WriteConflict } from "../../store/index.ts";

const EVENTS = "/events";
/** As the real server's --event-ttl. */
const LIFETIME_MS = 3600_000;
/** Often enough that a storm of events does not stay much longer than its hour. */
const SWEEP_INTERVAL_MS = 60_000;

/** Removes events an hour after they last happened. Returns what stops it. */
export function expireEvents(store: Store, clock: Clock): () => void {
  let cancel = () => {};
  const next = () => {
    cancel = clock.after(SWEEP_INTERVAL_MS, () => {
      const oldest = clock.now() - LIFETIME_MS;
      for (const stored of store.list(EVENTS)) if (lastSeen(stored.object) < oldest) void remove(store, stored);
      next();
    });
  };
  next();
  return () => cancel();
}

async function remove(store: Store, stored: Parameters<Store["remove"]>[0]): Promise<void> {
  try {
    await store.remove(stored);
  } catch (error) {
    // It happened again just now, or the disk is full: the next sweep comes.
    if (!(error instanceof WriteConflict) && !(error instanceof Error && "code" in error && error.code === "STORE_WRITE_FAILED")) throw error;
  }
}

function lastSeen(object: KubeObject): number {
  const event = object as KubeObject as Event & { eventTime?: string; series?: { lastObservedTime?: string } };
  const times = [event.metadata.creationTimestamp, event.lastTimestamp, event.eventTime, event.series?.lastObservedTime];
  return Math.max(...times.map((time) => (time ? Date.parse(time) : 0)));
}
