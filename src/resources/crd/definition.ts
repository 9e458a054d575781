import { nameColumn, since, type Cell } from "../columns/format.ts";
import type { CrdSpec, CrdVersion, CustomResourceDefinition } from "../core.ts";
import { ref, str } from "../schema/dsl.ts";
import { validateMetadata } from "../validation/metadata.ts";
import type { Column, KubeObject, ResourceDefinition, Schema } from "../types.ts";
import { jsonPath } from "./json-path.ts";

/** Verbs of custom resources in the order in which discovery lists them. */
const VERBS: ResourceDefinition["verbs"] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

/** What the API server needs to know of a custom kind. The definition must have passed `validate` of its own kind. */
export function definitionFromCrd(crd: CustomResourceDefinition): ResourceDefinition {
  const spec = crd.spec as CrdSpec;
  const { names } = spec;
  const served = spec.versions.filter((version) => version.served).sort((a, b) => compareVersions(a.name, b.name));
  const storage = spec.versions.find((version) => version.storage) ?? served[0];
  const subresources = [...(storage?.subresources?.scale ? ["scale"] : []), ...(storage?.subresources?.status ? ["status"] : [])];
  const schemas = new Map<string, Schema>();
  return {
    group: spec.group,
    versions: served.map((version) => ({
      name: version.name,
      schema: schemaOf(version, schemas),
      columns: columnsOf(version),
      ...deprecationOf(version, spec),
    })),
    storageVersion: storage?.name ?? "",
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: spec.scope === "Namespaced",
    verbs: VERBS,
    subresources,
    columns: [nameColumn, ageColumn],
    custom: true,
    hasGeneration: true,
    validate: (object) => validateMetadata(object),
    ...(storage?.subresources?.scale ? { scale: storage.subresources.scale } : {}),
    selectableFields: Object.fromEntries(
      (storage?.selectableFields ?? []).map(({ jsonPath: path }) => {
        const find = jsonPath(path);
        return [path.replace(/^\./, ""), (object: KubeObject) => plainText(find(object)[0])];
      }),
    ),
  };
}

const ageColumn: Column = {
  name: "Age",
  type: "date",
  description: "time since creation",
  priority: 0,
  cell: (o, now) => since(o.metadata.creationTimestamp, now),
};

/**
 * Kubernetes' order of preference: v1 before v1beta1 before v1alpha1, higher numbers first, other names last by alphabet.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#version-priority
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [versionRank(a), versionRank(b)];
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : a > b ? 1 : 0;
  return right.stability - left.stability || right.major - left.major || right.minor - left.minor;
}

function versionRank(name: string): { stability: number; major: number; minor: number } | undefined {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(name);
  if (!match) return undefined;
  const [, major, stage, minor] = match;
  return { stability: stage === "alpha" ? 0 : stage === "beta" ? 1 : 2, major: Number(major), minor: Number(minor ?? 0) };
}

function deprecationOf({ name, deprecated, deprecationWarning }: CrdVersion, { group, names }: CrdSpec): { deprecation?: string } {
  return deprecated ? { deprecation: deprecationWarning ?? `${group}/${name} ${names.kind} is deprecated` } : {};
}

/** The kind's schema with the fields that every object has. Versions whose schemas are equal share one. */
function schemaOf(version: CrdVersion, made: Map<string, Schema>): Schema {
  const own = version.schema?.openAPIV3Schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const key = JSON.stringify(own);
  const known = made.get(key);
  if (known) return known;
  const metadata = own.properties?.["metadata"]?.properties;
  const schema: Schema = {
    ...own,
    properties: {
      ...own.properties,
      apiVersion: str,
      kind: str,
      // A CRD may restrict metadata.name and generateName and nothing else of it.
      metadata: metadata ? { type: "object", properties: metadata, "x-kubernetes-preserve-unknown-fields": true } : ref("meta.v1.ObjectMeta"),
    },
  };
  made.set(key, schema);
  return schema;
}

function columnsOf(version: CrdVersion): Column[] {
  const own = version.additionalPrinterColumns;
  if (!own || own.length === 0) return [nameColumn, ageColumn];
  return [
    nameColumn,
    ...own.map(({ name, type, format, description, priority, jsonPath: path }): Column => {
      const find = jsonPath(path);
      const columnType = type as Column["type"];
      return {
        name,
        type: columnType,
        ...(format ? { format } : {}),
        description: description ?? "",
        priority: priority ?? 0,
        cell: (object, now) => cellOf(columnType, find(object)[0], now),
      };
    }),
  ];
}

function cellOf(type: Column["type"], value: unknown, now: number): Cell {
  if (value === undefined || value === null) return null;
  switch (type) {
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      if (typeof value !== "string") return null;
      return Number.isNaN(Date.parse(value)) ? "<invalid>" : since(value, now);
    case "string":
      return plainText(value);
  }
}

function plainText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
