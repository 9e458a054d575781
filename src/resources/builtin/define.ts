import { defaultColumns } from "../columns/cluster.ts";
import { ref } from "../schema/dsl.ts";
import type { Column, ResourceDefinition, Verb } from "../types.ts";
import { rulesOf } from "./rules.ts";

const ALL: Verb[] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

interface Options extends Partial<Omit<ResourceDefinition, "group" | "kind" | "plural" | "versions">> {
  version?: string;
  /** The schema's component where its package is not `<first label of group>.<version>`. */
  component?: string;
  columns?: Column[];
}

/** A built-in kind: what is the same for most is left out. */
export function define(group: string, plural: string, kind: string, options: Options = {}): ResourceDefinition {
  const { version = "v1", component = `${packageOf(group)}.${version}.${kind}`, ...rest } = options;
  return {
    group,
    versions: [{ name: version, schema: ref(component) }],
    storageVersion: version,
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    verbs: ALL,
    subresources: [],
    columns: defaultColumns,
    custom: false,
    hasGeneration: false,
    selectableFields: {},
    ...rulesOf(kind),
    ...rest,
  };
}

/** Kinds that are asked and answered but never stored. */
export function review(group: string, plural: string, kind: string, options: Options = {}): ResourceDefinition {
  const { validate: _, ...definition } = define(group, plural, kind, { verbs: ["create"], namespaced: false, ...options });
  return definition; // reviews have no name
}

function packageOf(group: string): string {
  if (group === "") return "core";
  return group.split(".")[0] ?? group;
}
