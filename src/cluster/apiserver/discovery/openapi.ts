import { referencedComponents, resolveSchema, type Schema } from "../../../resources/index.ts";
import type { Catalogue, Resource } from "../catalogue.ts";
import { hashOf } from "./documents.ts";
import { explainedComponents } from "./explained.ts";
import { explanationsStamp, readExplanations, type Explanations } from "./explanations.ts";
import { swaggerOf, type SwaggerDocument } from "./openapi-v2.ts";
import { subresourcesOf } from "./subresources.ts";

export type JsonNode = Record<string, unknown>;

const BODY_TYPES = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const PREFIX = "#/components/schemas/";
const LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const SCALE = "io.k8s.api.autoscaling.v1.Scale";

/**
 * OpenAPI v3, one document a group version, made when asked for and not kept: clients keep it by its hash. kubectl
 * validates, diffs and explains by it; what it reads are the paths' patch operations (x-kubernetes-group-version-kind,
 * fieldValidation, content types) and the schemas.
 */
export class OpenApi {
  #hashes = new Map<string, { resources: Resource[]; hash: string }>();
  #index = "";
  #generation = -1;
  /** Of the newest change, for Last-Modified: whole seconds, in milliseconds. */
  #changed = 0;

  constructor(
    private readonly catalogue: Catalogue,
    private readonly now: () => number,
  ) {}

  /** `{"paths": {"apis/apps/v1": {"serverRelativeURL": …}}}` with the time of the last change in milliseconds. */
  index(): { body: string; lastModified: number } {
    if (this.#generation !== this.catalogue.generation) {
      const paths: JsonNode = {};
      for (const [group, versions] of this.catalogue.groups()) {
        for (const [version, resources] of versions) {
          const name = group ? `apis/${group}/${version}` : `api/${version}`;
          paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${this.#hash(name, resources)}` };
        }
      }
      this.#index = JSON.stringify({ paths });
      this.#generation = this.catalogue.generation;
      this.#changed = Math.floor(this.now() / 1000) * 1000;
    }
    return { body: this.#index, lastModified: this.#changed };
  }

  /** The document of `api/v1` or `apis/group/version`. */
  document(name: string): { body: string; hash: string } | undefined {
    const match = /^(?:api|apis\/([^/]+))\/([^/]+)$/.exec(name);
    const resources =
      match &&
      this.catalogue
        .groups()
        .get(match[1] ?? "")
        ?.get(match[2] ?? "");
    return resources ? { body: JSON.stringify(explain(describe(name, resources), readExplanations())), hash: this.#hash(name, resources) } : undefined;
  }

  /** All groups as one document of version 2, and a hash that is another once it is. */
  swagger(): { document: () => SwaggerDocument; hash: string } {
    const groups = [...this.catalogue.groups()].flatMap(([group, versions]) =>
      [...versions].map(([version, resources]) => ({ name: group ? `apis/${group}/${version}` : `api/${version}`, resources })),
    );
    return {
      document: () => {
        const explanations = readExplanations();
        return swaggerOf(groups.map(({ name, resources }) => explain(describe(name, resources), explanations)));
      },
      hash: hashOf(groups.map(({ name, resources }) => this.#hash(name, resources)).join()),
    };
  }

  /** Of all that makes the document. Kept until a resource of the group changes: creating a CRD does not remake the others. */
  #hash(name: string, resources: Resource[]): string {
    const known = this.#hashes.get(name);
    if (known && known.resources.length === resources.length && known.resources.every((resource, i) => resource === resources[i])) return known.hash;
    const hash = hashOf(JSON.stringify(describe(name, resources)) + explanationsStamp());
    this.#hashes.set(name, { resources, hash });
    return hash;
  }
}

export interface OpenApiDocument {
  openapi: string;
  info: JsonNode;
  paths: JsonNode;
  components: { schemas: Record<string, Schema> };
}

function explain(document: OpenApiDocument, explanations: Explanations): OpenApiDocument {
  return { ...document, components: { schemas: explainedComponents(document.components.schemas, explanations) } };
}

function describe(name: string, resources: Resource[]): OpenApiDocument {
  const paths: JsonNode = {};
  const schemas: Record<string, Schema> = {};
  const referenced: Schema[] = [
    { $ref: `${PREFIX}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta` },
    { $ref: `${PREFIX}io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions` },
    { $ref: `${PREFIX}${LIST_META}` },
  ];
  for (const resource of resources) {
    const component = componentName(resource);
    const schema = kindSchema(resource);
    schemas[component] = schema;
    if (resource.definition.verbs.includes("list")) schemas[`${component}List`] = listSchema(resource, component);
    referenced.push(schema);
    if (resource.definition.subresources.includes("scale")) referenced.push({ $ref: `${PREFIX}${SCALE}` });
    addPaths(paths, name, resource, component);
  }
  for (const [component, schema] of Object.entries(referencedComponents(referenced))) schemas[component] ??= schema;
  return { openapi: "3.0.0", info: { title: "Kubernetes", version: "v1.33.1" }, paths, components: { schemas } };
}

/** `io.k8s.api.apps.v1.Deployment`; for custom kinds the group reversed: `io.istio.security.v1.PeerAuthentication`. */
function componentName({ definition, version, schema }: Resource): string {
  if (schema?.$ref?.startsWith(PREFIX)) return schema.$ref.slice(PREFIX.length);
  return `${definition.group.split(".").reverse().join(".")}.${version}.${definition.kind}`;
}

function kindSchema({ definition, version, schema }: Resource): Schema {
  const resolved = schema ? resolveSchema(schema) : { type: "object" as const, "x-kubernetes-preserve-unknown-fields": true };
  return {
    ...resolved,
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      ...resolved.properties,
      metadata: { $ref: `${PREFIX}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta` },
    },
    "x-kubernetes-group-version-kind": [{ group: definition.group, version, kind: definition.kind }],
  };
}

function listSchema({ definition, version }: Resource, component: string): Schema {
  return {
    type: "object",
    required: ["items"],
    properties: {
      apiVersion: { type: "string" },
      items: { type: "array", items: { $ref: PREFIX + component } },
      kind: { type: "string" },
      metadata: { $ref: `${PREFIX}${LIST_META}` },
    },
    "x-kubernetes-group-version-kind": [{ group: definition.group, version, kind: definition.listKind }],
  };
}

function addPaths(paths: JsonNode, name: string, resource: Resource, component: string): void {
  const { definition, version } = resource;
  const scope = definition.namespaced ? "/namespaces/{namespace}" : "";
  const collection = `/${name}${scope}/${definition.plural}`;
  const gvk = { group: definition.group, version, kind: definition.kind };
  const verbs = new Set<string>(definition.verbs);
  const one = answers(component);
  const list = answers(`${component}List`);
  const parameters = scope ? [pathParameter("namespace")] : [];
  if (verbs.has("list") || verbs.has("create") || verbs.has("deletecollection")) {
    paths[collection] = {
      ...(verbs.has("list") ? { get: operation("list", gvk, LIST_PARAMETERS, list) } : {}),
      ...(verbs.has("create") ? { post: operation("post", gvk, WRITE_PARAMETERS, one, body(component)) } : {}),
      ...(verbs.has("deletecollection") ? { delete: operation("deletecollection", gvk, LIST_PARAMETERS, list) } : {}),
      parameters,
    };
  }
  if (scope && verbs.has("list")) paths[`/${name}/${definition.plural}`] = { get: operation("list", gvk, LIST_PARAMETERS, list) };
  if (!verbs.has("get")) return;
  const named = { parameters: [pathParameter("name"), ...parameters] };
  paths[`${collection}/{name}`] = { ...objectOperations(verbs, gvk, component, definition.custom), ...named };
  for (const subresource of subresourcesOf(definition)) {
    if (subresource.name !== "status" && subresource.name !== "scale") continue;
    const kind = subresource.kind ?? gvk;
    const of = subresource.kind ? SCALE : component;
    paths[`${collection}/{name}/${subresource.name}`] = { ...objectOperations(new Set(subresource.verbs), kind, of, definition.custom), ...named };
  }
}

function objectOperations(verbs: Set<string>, gvk: JsonNode, component: string, custom: boolean): JsonNode {
  const one = answers(component);
  const patchTypes = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    ...(custom ? [] : ["application/strategic-merge-patch+json"]),
  ];
  const patchBody = { content: Object.fromEntries(patchTypes.map((type) => [type, { schema: { type: "object" } }])) };
  return {
    ...(verbs.has("get") ? { get: operation("get", gvk, [], one) } : {}),
    ...(verbs.has("update") ? { put: operation("put", gvk, WRITE_PARAMETERS, one, body(component)) } : {}),
    ...(verbs.has("patch") ? { patch: operation("patch", gvk, [...WRITE_PARAMETERS, queryParameter("force", "boolean")], one, patchBody) } : {}),
    ...(verbs.has("delete") ? { delete: operation("delete", gvk, DELETE_PARAMETERS, one) } : {}),
  };
}

function operation(action: string, gvk: JsonNode, parameters: JsonNode[], responses: JsonNode, requestBody?: JsonNode): JsonNode {
  return {
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(requestBody ? { requestBody } : {}),
    responses,
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": gvk,
  };
}

function answers(component: string): JsonNode {
  return { "200": { description: "OK", content: { "application/json": { schema: { $ref: PREFIX + component } } } }, "401": { description: "Unauthorized" } };
}

function body(component: string): JsonNode {
  return { content: Object.fromEntries(BODY_TYPES.map((type) => [type, { schema: { $ref: PREFIX + component } }])), required: true };
}

function queryParameter(name: string, type: string): JsonNode {
  return { name, in: "query", schema: { type, uniqueItems: true } };
}

function pathParameter(name: string): JsonNode {
  return { name, in: "path", required: true, schema: { type: "string", uniqueItems: true } };
}

const WRITE_PARAMETERS = ["dryRun", "fieldManager", "fieldValidation"].map((name) => queryParameter(name, "string"));
const DELETE_PARAMETERS = [queryParameter("dryRun", "string"), queryParameter("gracePeriodSeconds", "integer"), queryParameter("propagationPolicy", "string")];
const LIST_PARAMETERS = [
  ...["continue", "fieldSelector", "labelSelector", "resourceVersion", "resourceVersionMatch"].map((name) => queryParameter(name, "string")),
  ...["limit", "timeoutSeconds"].map((name) => queryParameter(name, "integer")),
  ...["allowWatchBookmarks", "sendInitialEvents", "watch"].map((name) => queryParameter(name, "boolean")),
];
