import { RevisionExpired, type Store, type StoredObject } from "../../store/index.ts";
import type { Resource } from "../catalogue.ts";
import type { Negotiated } from "../http/negotiate.ts";
import { badRequest, expired, futureRevision, notFound } from "../http/status.ts";
import { continueExpired, encodeContinue, type ListOptions } from "./list-options.ts";
import { viewed } from "./view.ts";
import { columnDefinitions, type IncludeObject, partialObject, table, tableRow } from "./table.ts";

/** The newest durable version, which is not older than `revision`. Throws 404, and 504 for a revision from the future. */
export async function readObject(store: Store, resource: Resource, namespace: string, name: string, revision?: number): Promise<StoredObject> {
  if (revision !== undefined && revision > store.revision) throw futureRevision(revision, store.revision);
  // Nobody may see what a power cut could still take back.
  while (store.settled) await store.settled;
  const stored = store.get(resource.id, namespace, name);
  if (!stored) throw notFound((resource.converted?.storage ?? resource).definition, name);
  return stored;
}

export interface Page {
  items: StoredObject[];
  revision: number;
  continueToken: string | undefined;
  remaining: number | undefined;
}

/** A list, or a page of one at the revision of its first page. Throws 410 and 504. */
export async function listObjects(store: Store, resource: Resource, namespace: string, options: ListOptions): Promise<Page> {
  while (store.settled) await store.settled;
  const { resourceVersion, match, continueFrom, limit, filter, name } = options;
  if (resourceVersion !== undefined && resourceVersion > store.revision) throw futureRevision(resourceVersion, store.revision);
  const exact = match === "Exact" || (limit > 0 && match === "" && resourceVersion !== undefined && resourceVersion > 0);
  const revision = continueFrom?.revision ?? (exact ? (resourceVersion ?? store.revision) : store.revision);
  const candidates = snapshot(store, resource.id, namespace, revision, continueFrom?.start, name, continueFrom !== undefined);
  const matching = filter ? candidates.filter((stored) => filter(stored.object)) : candidates;
  const items = limit > 0 && matching.length > limit ? matching.slice(0, limit) : matching;
  const last = items.at(-1);
  if (items.length === matching.length || !last) return { items, revision, continueToken: undefined, remaining: undefined };
  // With a selector the real server cannot say how many remain; clients rely on the field's absence then.
  return { items, revision, continueToken: encodeContinue(revision, last.key), remaining: filter ? undefined : matching.length - items.length };
}

function snapshot(
  store: Store,
  id: string,
  namespace: string,
  revision: number,
  start: string | undefined,
  name: string | undefined,
  continued: boolean,
): StoredObject[] {
  if (revision !== store.revision) {
    try {
      return store.listAt(revision, id, namespace, start);
    } catch (error) {
      if (!(error instanceof RevisionExpired)) throw error;
      throw continued ? continueExpired() : expired("The resourceVersion for the provided list is too old.");
    }
  }
  if (name !== undefined && namespace !== "" && start === undefined) {
    const stored = store.get(id, namespace, name);
    return stored ? [stored] : [];
  }
  return store.list(id, namespace, start);
}

/** What a list looks like in the form that the client asked for, as JSON. */
export function renderList(resource: Resource, page: Page, { form, metaVersion }: Negotiated, include: IncludeObject, now: number): string {
  const { definition, apiVersion } = resource;
  const meta = listMeta(page, definition.custom && form === "object");
  switch (form) {
    case "table":
      return table(
        meta,
        columnDefinitions(resource),
        page.items.map((stored) => tableRow(resource, stored, now, include, metaVersion)),
        metaVersion,
      );
    case "partial":
    case "partial-list": {
      const items = page.items.map((stored) => partialObject(stored, metaVersion)).join(",");
      return `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${metaVersion}","metadata":${meta},"items":[${items}]}`;
    }
    case "object": {
      // Items of built-in lists carry no kind of their own.
      const item = definition.custom ? (stored: StoredObject) => stored.json(apiVersion) : (stored: StoredObject) => `{${viewed(resource, stored).tail}`;
      return `{"kind":"${definition.listKind}","apiVersion":"${apiVersion}","metadata":${meta},"items":[${page.items.map(item).join(",")}]}`;
    }
  }
}

/** One object in the form that the client asked for, as JSON. */
export function renderObject(resource: Resource, stored: StoredObject, { form, metaVersion }: Negotiated, include: IncludeObject, now: number): string {
  switch (form) {
    case "table": {
      const meta = `{"resourceVersion":"${stored.revision}"}`;
      return table(meta, columnDefinitions(resource), [tableRow(resource, stored, now, include, metaVersion)], metaVersion);
    }
    case "partial":
    case "partial-list":
      return partialObject(stored, metaVersion);
    case "object":
      return viewed(resource, stored).json(resource.apiVersion);
  }
}

/** `empty`: lists of custom resources show the token even where there is none. */
function listMeta({ revision, continueToken, remaining }: Page, empty: boolean): string {
  return JSON.stringify({
    ...(continueToken || empty ? { continue: continueToken ?? "" } : {}),
    resourceVersion: String(revision),
    ...(remaining !== undefined ? { remainingItemCount: remaining } : {}),
  });
}

/** Throws 400. */
export function includeObject(query: URLSearchParams): IncludeObject {
  const value = query.get("includeObject");
  if (value && !["None", "Object", "Metadata"].includes(value))
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
    );
  return value === "None" || value === "Object" ? value : "Metadata";
}
