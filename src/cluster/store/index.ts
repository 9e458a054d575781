/**
 * The store keeps every object of the embedded cluster: in memory for reading and in SQLite for keeping.
 * It gives one increasing revision over all kinds, optimistic concurrency, a bounded history that watches and
 * consistent lists read from, and durability before it answers.
 * It knows nothing of kinds, versions or HTTP: that is the API server's.
 */
export type { Change, ChangeLogLimits } from "./change-log.ts";
export { objectKey, StoredObject } from "./stored-object.ts";
export { type ChangeReader, RevisionExpired, Store, type StoreOptions, WriteConflict } from "./store.ts";
