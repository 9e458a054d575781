import { istioCrds } from "../../resources/index.ts";
import { ApiProblem, type Route, param } from "./router.ts";

/** What may stand at one place of a manifest. */
export interface SchemaNode {
  type: string;
  description?: string;
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  /** Of the values of a map with any keys. */
  additional?: SchemaNode;
  enum?: string[];
}

interface OpenApi {
  type?: string;
  description?: string;
  properties?: Record<string, OpenApi>;
  items?: OpenApi;
  additionalProperties?: OpenApi | boolean;
  enum?: unknown[];
  "x-kubernetes-int-or-string"?: boolean;
}

/** Deeper than any of Istio's kinds. */
const MAX_DEPTH = 14;
const METADATA: SchemaNode = {
  type: "object",
  properties: {
    name: { type: "string" },
    namespace: { type: "string" },
    labels: { type: "object", additional: { type: "string" } },
    annotations: { type: "object", additional: { type: "string" } },
  },
};

/** What an editor needs to know of a kind. */
export const SCHEMA_ROUTES: Route[] = [
  {
    pattern: "/istio/schema/:kind",
    answer(request): SchemaNode {
      const kind = param(request, "kind");
      const crd = istioCrds().find(({ spec }) => spec?.names.kind === kind)?.spec;
      const version = crd?.versions.find(({ storage }) => storage);
      if (!crd || !version) throw new ApiProblem(404, `no such kind: ${kind}`);
      const schema = version.schema?.openAPIV3Schema as OpenApi | undefined;
      return {
        type: "object",
        ...(schema?.description && { description: schema.description }),
        properties: {
          apiVersion: { type: "string", enum: [`${crd.group}/${version.name}`] },
          kind: { type: "string", enum: [kind] },
          metadata: METADATA,
          spec: nodeOf(schema?.properties?.spec ?? {}, 0),
        },
      };
    },
  },
];

function nodeOf({ type, description, properties, items, additionalProperties, enum: values, ...rest }: OpenApi, depth: number): SchemaNode {
  const deeper = depth < MAX_DEPTH;
  return {
    type: type ?? (rest["x-kubernetes-int-or-string"] ? "number or string" : "object"),
    ...(description && { description }),
    ...(properties && deeper && { properties: Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, nodeOf(field, depth + 1)])) }),
    ...(items && deeper && { items: nodeOf(items, depth + 1) }),
    ...(typeof additionalProperties === "object" && deeper && { additional: nodeOf(additionalProperties, depth + 1) }),
    ...(values && { enum: values.map(String) }),
  };
}
