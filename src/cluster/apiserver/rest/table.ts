import type { StoredObject } from "../../store/index.ts";
import type { Resource } from "../catalogue.ts";
import { viewed } from "./view.ts";

/** Which part of each object a table's row carries. */
export type IncludeObject = "None" | "Metadata" | "Object";

/** The `columnDefinitions` of a table. */
export function columnDefinitions({ columns }: Resource): string {
  return JSON.stringify(columns.map(({ name, type, format, description, priority }) => ({ name, type, format: format ?? "", description, priority })));
}

/** One row as JSON: the finished cells, and what the client needs of the object. */
export function tableRow(resource: Resource, stored: StoredObject, now: number, include: IncludeObject, metaVersion: string): string {
  const cells = JSON.stringify(resource.columns.map((column) => column.cell(stored.object, now)));
  const object =
    include === "Object" ? viewed(resource, stored).json(resource.apiVersion) : include === "Metadata" ? partialObject(stored, metaVersion) : "null";
  return `{"cells":${cells},"object":${object}}`;
}

/** A Table as JSON. `meta`: the list's metadata as JSON; `columns`: "null" after the first event of a watch. */
export function table(meta: string, columns: string, rows: readonly string[], metaVersion: string): string {
  return `{"kind":"Table","apiVersion":"meta.k8s.io/${metaVersion}","metadata":${meta},"columnDefinitions":${columns},"rows":[${rows.join(",")}]}`;
}

export function partialObject(stored: StoredObject, metaVersion: string): string {
  return `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${metaVersion}","metadata":${stored.metadataJson}}`;
}
