import type { KubeObject, ObjectMeta } from "../../resources/index.ts";

/**
 * One version of one object. Immutable: everything handed out by it is shared between requests, watches and the
 * cache, so nobody may change it. JSON is made once for each version and reused for the database row, gets, lists and
 * watch events.
 */
export class StoredObject {
  #object: KubeObject | undefined;
  #metadata: string | undefined;

  private constructor(
    /** `group/plural`, as `apps/deployments`; core kinds begin with "/". */
    readonly resource: string,
    readonly namespace: string,
    readonly name: string,
    readonly revision: number,
    /** As stored. */
    readonly apiVersion: string,
    readonly kind: string,
    /** The object's JSON from `"metadata"` to the closing brace: what follows apiVersion and kind. */
    readonly tail: string,
    object: KubeObject | undefined,
    /** Which row keeps it, over all its versions; 0 for what is not kept. */
    readonly row: number,
    /** Whether it is the first version. */
    readonly isNew: boolean,
  ) {
    this.#object = object;
  }

  /** What was never stored: the outcome of a dry run, the last state of something removed. Its metadata stays as it is. */
  static transient(resource: string, object: KubeObject): StoredObject {
    return StoredObject.#of(resource, object, Number(object.metadata.resourceVersion ?? 0), 0, false);
  }

  /** Takes over `object`, writing the revision into it. */
  static fromObject(resource: string, object: KubeObject, revision: number, row: number, isNew: boolean): StoredObject {
    object.metadata.resourceVersion = String(revision);
    return StoredObject.#of(resource, object, revision, row, isNew);
  }

  static #of(resource: string, object: KubeObject, revision: number, row: number, isNew: boolean): StoredObject {
    const { apiVersion, kind, metadata, ...rest } = object;
    const tail = JSON.stringify({ metadata, ...rest }).slice(1);
    return new StoredObject(resource, metadata.namespace ?? "", metadata.name, revision, apiVersion, kind, tail, object, row, isNew);
  }

  /** From a database row; parsed when first looked into. Throws SyntaxError-free: rows are written by fromObject only. */
  static fromRow(row: ObjectRow): StoredObject {
    return new StoredObject(row.resource, row.namespace, row.name, row.revision, row.api_version, row.kind, row.tail, undefined, row.id, false);
  }

  /** Within its resource; sorts as etcd sorts. */
  get key(): string {
    return objectKey(this.namespace, this.name);
  }

  get object(): KubeObject {
    return (this.#object ??= JSON.parse(this.json(this.apiVersion)) as KubeObject);
  }

  get metadata(): ObjectMeta {
    return this.object.metadata;
  }

  /** The whole object as JSON in a served version (conversion is "None": only apiVersion differs). */
  json(apiVersion: string): string {
    return `{"kind":"${this.kind}","apiVersion":"${apiVersion}",${this.tail}`;
  }

  /** The same state under another revision. */
  renumbered(revision: number): StoredObject {
    const { object } = this;
    return StoredObject.fromObject(this.resource, { ...object, metadata: { ...object.metadata } }, revision, this.row, false);
  }

  /** `metadata` alone as JSON, for tables and PartialObjectMetadata. */
  get metadataJson(): string {
    return (this.#metadata ??= JSON.stringify(this.object.metadata));
  }
}

/** A row of the `objects` table. */
export interface ObjectRow {
  id: number;
  resource: string;
  namespace: string;
  name: string;
  revision: number;
  api_version: string;
  kind: string;
  tail: string;
}

export function objectKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
