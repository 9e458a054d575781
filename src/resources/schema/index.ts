import type { Schema } from "../types.ts";
import { clusterComponents } from "./cluster.ts";
import { coreComponents } from "./core.ts";
import { fullName, refName, type Components } from "./dsl.ts";
import { metaComponents } from "./meta.ts";
import { podComponents } from "./pod.ts";
import { storedComponents } from "./stored.ts";
import { workloadComponents } from "./workloads.ts";

const thunks = new Map<string, () => Schema>();
for (const components of [metaComponents, coreComponents, podComponents, workloadComponents, clusterComponents, storedComponents] satisfies Components[]) {
  for (const name in components) {
    const make = components[name];
    if (make) thunks.set(fullName(name), make);
  }
}
const made = new Map<string, Schema>();

/** The component that a `$ref` names by its full name, such as io.k8s.api.core.v1.PodSpec; made when first asked for. */
export function schemaComponent(name: string): Schema | undefined {
  const known = made.get(name);
  if (known) return known;
  const schema = thunks.get(name)?.();
  if (schema) made.set(name, schema);
  return schema;
}

/** By the whole `$ref`: this is asked for at each value of each object that comes. */
const resolved = new Map<string, Schema>();

/** The schema itself, or what its `$ref` stands for. */
export function resolveSchema(schema: Schema): Schema {
  const { $ref } = schema;
  if ($ref === undefined) return schema;
  const known = resolved.get($ref);
  if (known) return known;
  const name = refName(schema);
  if (name === undefined) return schema;
  const target = schemaComponent(name);
  if (!target) throw new Error(`no schema component ${name}`); // a fault of this room: a test resolves every reference
  resolved.set($ref, target);
  return target;
}

/** Everything that `schemas` refer to, directly or not, by full name: the components of an OpenAPI document. */
export function referencedComponents(schemas: Iterable<Schema>): Record<string, Schema> {
  const found: Record<string, Schema> = {};
  const visit = (schema: Schema): void => {
    const name = refName(schema);
    if (name !== undefined) {
      if (found[name]) return;
      const target = resolveSchema(schema);
      found[name] = target;
      visit(target);
      return;
    }
    for (const field of Object.values(schema.properties ?? {})) visit(field);
    if (schema.items) visit(schema.items);
    if (typeof schema.additionalProperties === "object") visit(schema.additionalProperties);
  };
  for (const schema of schemas) visit(schema);
  return found;
}

/** The last part of a component's name: the Go type that Kubernetes names in decoding errors (`DeploymentSpec`). */
export function schemaTypeName(schema: Schema): string | undefined {
  const { $ref } = schema;
  if ($ref === undefined) return undefined;
  let name = typeNames.get($ref);
  if (name === undefined) typeNames.set($ref, (name = refName(schema)?.split(".").pop() ?? ""));
  return name === "" ? undefined : name;
}

/** By the whole `$ref`, as above. */
const typeNames = new Map<string, string>();
