import { Database, type Statement } from "bun:sqlite";
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { ChainmailError, errorText } from "../../base/index.ts";
import type { ObjectRow, StoredObject } from "./stored-object.ts";

/** One row to write, or to take out. */
export interface RowChange {
  object: StoredObject;
  removed: boolean;
}

/**
 * 1 had the objects in the order of their names. 2 has them in the order of their making, since the names are all in
 * memory anyway: a write touches one page, where an index and the newest revision would make it three.
 */
const SCHEMA_VERSION = 2;

/** Pages after which the log is brought into the file, SQLite's own default: the log is read at a start after a crash. */
const CHECKPOINT_PAGES = 1000;
/** A page of 4 KB with its header, and one more for the log's own. */
const LOG_BYTES = (CHECKPOINT_PAGES + 1) * (4096 + 24);

/**
 * The SQLite file. WAL with synchronous=FULL: a commit that returned survives kill -9 and power loss. Exclusive
 * locking keeps a second cluster from opening the same state.
 */
export class ObjectDatabase {
  #db: Database;
  #insert: Statement;
  #update: Statement;
  #remove: Statement;
  #removed: Statement;
  #begin: Statement;
  #commit: Statement;

  /** Creates the file (mode 0600, and with it -wal and -shm) if missing. Throws STORE_LOCKED, STORE_DAMAGED, STORE_UNREADABLE. */
  constructor(path: string) {
    let db: Database | undefined;
    try {
      // SQLite gives -wal and -shm the mode of the database, so it is made with the right one first.
      if (path !== ":memory:") closeSync(openSync(path, "a", 0o600));
      db = this.#db = new Database(path, { create: true, strict: true });
      this.#db.run("PRAGMA locking_mode = EXCLUSIVE");
      this.#db.run("PRAGMA journal_mode = WAL");
      this.#db.run("PRAGMA synchronous = FULL");
      this.#db.run(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      this.#check();
      this.#migrate();
      if (path !== ":memory:") extendLog(`${path}-wal`);
    } catch (cause) {
      db?.close();
      throw openError(path, cause);
    }
    this.#insert = this.#db.prepare(
      "INSERT INTO objects (id, resource, namespace, name, revision, api_version, kind, tail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    );
    this.#update = this.#db.prepare("UPDATE objects SET revision = ?2, api_version = ?3, kind = ?4, tail = ?5 WHERE id = ?1");
    this.#remove = this.#db.prepare("DELETE FROM objects WHERE id = ?1");
    this.#removed = this.#db.prepare("INSERT INTO revisions (resource, revision) VALUES (?1, ?2) ON CONFLICT (resource) DO UPDATE SET revision = ?2");
    this.#begin = this.#db.prepare("BEGIN IMMEDIATE");
    this.#commit = this.#db.prepare("COMMIT");
  }

  rows(): ObjectRow[] {
    return this.#all<ObjectRow>("SELECT id, resource, namespace, name, revision, api_version, kind, tail FROM objects");
  }

  /** The newest revision at which something of each resource was removed. */
  removals(): Map<string, number> {
    const rows = this.#all<{ resource: string; revision: number }>("SELECT resource, revision FROM revisions");
    return new Map(rows.map((row) => [row.resource, row.revision]));
  }

  /** All or nothing, durable on return. Throws STORE_WRITE_FAILED, having changed nothing. */
  commit(changes: readonly RowChange[]): void {
    const [first] = changes;
    try {
      // One row is a transaction of its own.
      if (first && changes.length === 1 && !first.removed) this.#put(first.object);
      else this.#commitAll(changes);
    } catch (cause) {
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      throw new ChainmailError("STORE_WRITE_FAILED", `the cluster's database cannot be written: ${errorText(cause)}`, {
        cause,
        hint: "free disk space: df -h",
      });
    }
  }

  close(): void {
    // A statement that is still open would keep the file locked.
    for (const statement of [this.#insert, this.#update, this.#remove, this.#removed, this.#begin, this.#commit]) statement.finalize();
    this.#db.close(true);
  }

  #commitAll(changes: readonly RowChange[]): void {
    const removed = new Map<string, number>();
    this.#begin.run();
    for (const { object, removed: gone } of changes) {
      if (gone) {
        this.#remove.run(object.row);
        removed.set(object.resource, object.revision);
      } else this.#put(object);
    }
    for (const [resource, revision] of removed) this.#removed.run(resource, revision);
    this.#commit.run();
  }

  #put({ row, isNew, resource, namespace, name, revision, apiVersion, kind, tail }: StoredObject): void {
    if (isNew) this.#insert.run(row, resource, namespace, name, revision, apiVersion, kind, tail);
    else this.#update.run(row, revision, apiVersion, kind, tail);
  }

  #all<Row>(sql: string): Row[] {
    using statement = this.#db.prepare<Row, []>(sql);
    return statement.all();
  }

  #check(): void {
    const result = this.#all<{ quick_check: string }>("PRAGMA quick_check(1)")[0]?.quick_check;
    if (result !== "ok") throw new Error(`database disk image is malformed: ${result}`);
  }

  #migrate(): void {
    const version = this.#all<{ user_version: number }>("PRAGMA user_version")[0]?.user_version ?? 0;
    if (version > SCHEMA_VERSION) throw new Error(`it was written by a newer Chainmail (schema ${version}, this one knows ${SCHEMA_VERSION})`);
    if (version === SCHEMA_VERSION) return;
    this.#db.transaction(() => {
      if (version === 1) this.#db.run("ALTER TABLE objects RENAME TO objects_1");
      this.#db.run(
        "CREATE TABLE objects (id INTEGER PRIMARY KEY, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, " +
          "revision INTEGER NOT NULL, api_version TEXT NOT NULL, kind TEXT NOT NULL, tail TEXT NOT NULL)",
      );
      if (version === 1) {
        this.#db.run(
          "INSERT INTO objects (resource, namespace, name, revision, api_version, kind, tail) SELECT resource, namespace, name, revision, api_version, kind, tail FROM objects_1",
        );
        this.#db.run("DROP TABLE objects_1");
      } else this.#db.run("CREATE TABLE revisions (resource TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID");
      this.#db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    })();
  }
}

/**
 * Makes the log as long as it will get. Growing a file costs the filesystem a journal entry at each flush, more than all
 * the rest of a commit; and SQLite begins anew at the start of the log once it is in the file. Zeros are no valid frames:
 * whoever reads the log after a crash stops at them.
 */
function extendLog(path: string): void {
  const file = openSync(path, "a");
  try {
    const missing = LOG_BYTES - fstatSync(file).size;
    if (missing > 0) writeSync(file, new Uint8Array(missing));
  } catch (error) {
    // A full disk is told of by the first write; what is there can be read.
    if (!isNoSpace(error)) throw error;
  } finally {
    closeSync(file);
  }
}

function isNoSpace(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

function openError(path: string, cause: unknown): ChainmailError {
  const text = errorText(cause);
  if (/locked|busy/i.test(text)) {
    return new ChainmailError("STORE_LOCKED", `the cluster's database ${path} is in use by another process: a cluster of this name already runs`, {
      cause,
      hint: "chainmail status",
    });
  }
  if (/malformed|not a database|corrupt/i.test(text)) {
    return new ChainmailError("STORE_DAMAGED", `the cluster's database ${path} is damaged: ${text}`, {
      cause,
      hint: `move it away to start with an empty cluster: mv ${path} ${path}.damaged`,
    });
  }
  return new ChainmailError("STORE_UNREADABLE", `the cluster's database ${path} cannot be opened: ${text}`, { cause });
}
