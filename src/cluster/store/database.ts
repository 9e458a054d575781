import { Database, type Statement } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import { ChainmailError, errorText } from "../../base/index.ts";
import type { ObjectRow, StoredObject } from "./stored-object.ts";

/** One row to write: `next` absent removes it. */
export interface RowChange {
  object: StoredObject;
  removed: boolean;
}

const SCHEMA_VERSION = 1;

/**
 * The SQLite file. WAL with synchronous=FULL: a commit that returned survives kill -9 and power loss. Exclusive
 * locking keeps a second cluster from opening the same state.
 */
export class ObjectDatabase {
  #db: Database;
  #put: Statement;
  #remove: Statement;
  #revision: Statement;

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
      this.#check();
      this.#migrate();
    } catch (cause) {
      db?.close();
      throw openError(path, cause);
    }
    this.#put = this.#db.prepare(
      "INSERT INTO objects (resource, namespace, name, revision, api_version, kind, tail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) " +
        "ON CONFLICT (resource, namespace, name) DO UPDATE SET revision = ?4, api_version = ?5, kind = ?6, tail = ?7",
    );
    this.#remove = this.#db.prepare("DELETE FROM objects WHERE resource = ?1 AND namespace = ?2 AND name = ?3");
    this.#revision = this.#db.prepare("INSERT INTO revisions (resource, revision) VALUES (?1, ?2) ON CONFLICT (resource) DO UPDATE SET revision = ?2");
  }

  rows(): ObjectRow[] {
    return this.#all<ObjectRow>("SELECT resource, namespace, name, revision, api_version, kind, tail FROM objects");
  }

  /** The newest revision of each resource, deletions included. */
  revisions(): Map<string, number> {
    const rows = this.#all<{ resource: string; revision: number }>("SELECT resource, revision FROM revisions");
    return new Map(rows.map((row) => [row.resource, row.revision]));
  }

  /** All or nothing, durable on return. Throws STORE_WRITE_FAILED, having changed nothing. */
  commit(changes: Iterable<RowChange>): void {
    const newest = new Map<string, number>();
    try {
      this.#db.run("BEGIN IMMEDIATE");
      for (const { object, removed } of changes) {
        const { resource, namespace, name, revision } = object;
        if (removed) this.#remove.run(resource, namespace, name);
        else this.#put.run(resource, namespace, name, revision, object.apiVersion, object.kind, object.tail);
        newest.set(resource, revision);
      }
      for (const [resource, revision] of newest) this.#revision.run(resource, revision);
      this.#db.run("COMMIT");
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
    for (const statement of [this.#put, this.#remove, this.#revision]) statement.finalize();
    this.#db.close(true);
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
    this.#db.run(
      "CREATE TABLE objects (resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, " +
        "api_version TEXT NOT NULL, kind TEXT NOT NULL, tail TEXT NOT NULL, PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID",
    );
    this.#db.run("CREATE TABLE revisions (resource TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID");
    this.#db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  }
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
