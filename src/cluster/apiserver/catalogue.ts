import { type Column, compareVersions, type Conversion, type ResourceDefinition, type Schema } from "../../resources/index.ts";

/** One resource in one served version: what a request is about. */
export interface Resource {
  definition: ResourceDefinition;
  version: string;
  /** `group/version`, or `v1` for core. */
  apiVersion: string;
  /** The version in which it is stored. */
  storageApiVersion: string;
  /** The store's name of it: `group/plural`. */
  id: string;
  /** How the stored objects look in this version, where that differs, and the resource that they are stored as. */
  converted?: { storage: Resource; conversion: Conversion };
  schema: Schema | undefined;
  /** Shown as a warning with every answer. */
  deprecation: string | undefined;
  columns: readonly Column[];
}

/** All resources being served, built-in and custom; discovery, OpenAPI and routing read from it. */
export class Catalogue {
  #byId = new Map<string, Map<string, Resource>>();
  #generation = 0;

  constructor(definitions: Iterable<ResourceDefinition>) {
    for (const definition of definitions) this.add(definition);
  }

  /** Grows with each change, so that what is derived from the catalogue knows when it is old. */
  get generation(): number {
    return this.#generation;
  }

  /** Replaces a definition of the same group and plural. One that is stored as another comes after that. */
  add(definition: ResourceDefinition): void {
    const { group, plural, storedAs, storageVersion } = definition;
    const storage = storedAs && this.preferred(storedAs.group, storedAs.plural);
    const versions = new Map<string, Resource>();
    for (const { name, schema, columns, deprecation } of definition.versions) {
      versions.set(name, {
        definition,
        version: name,
        apiVersion: apiVersionOf(group, name),
        storageApiVersion: storage?.apiVersion ?? apiVersionOf(group, storageVersion),
        id: storage?.id ?? resourceId(group, plural),
        schema,
        deprecation,
        columns: columns ?? definition.columns,
      });
    }
    for (const { name, conversion } of definition.versions) {
      const resource = versions.get(name);
      const stored = storage ?? versions.get(storageVersion);
      if (conversion && resource && stored) resource.converted = { storage: stored, conversion };
    }
    this.#byId.set(resourceId(group, plural), versions);
    this.#generation++;
  }

  /** Whether a group has kinds of the server's own. */
  isBuiltin(group: string): boolean {
    for (const versions of this.#byId.values()) {
      const definition = versions.values().next().value?.definition;
      if (definition?.group === group && !definition.custom) return true;
    }
    return false;
  }

  remove(group: string, plural: string): void {
    if (this.#byId.delete(resourceId(group, plural))) this.#generation++;
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#byId.get(resourceId(group, plural))?.get(version);
  }

  /** Any served version of a resource, the preferred first. */
  preferred(group: string, plural: string): Resource | undefined {
    return this.#byId.get(resourceId(group, plural))?.values().next().value;
  }

  /** The resource of a kind, for owner references and webhooks. */
  findKind(group: string, version: string, kind: string): Resource | undefined {
    for (const versions of this.#byId.values()) {
      const resource = versions.get(version);
      if (resource && resource.definition.group === group && resource.definition.kind === kind) return resource;
    }
    return undefined;
  }

  definitions(): ResourceDefinition[] {
    const definitions: ResourceDefinition[] = [];
    for (const versions of this.#byId.values()) {
      const first = versions.values().next().value;
      if (first) definitions.push(first.definition);
    }
    return definitions;
  }

  /** Groups in order, each with its versions (preferred first) and their resources by name. */
  groups(): Map<string, Map<string, Resource[]>> {
    const groups = new Map<string, Map<string, Resource[]>>();
    for (const versions of this.#byId.values()) {
      for (const resource of versions.values()) {
        const { group } = resource.definition;
        let byVersion = groups.get(group);
        if (!byVersion) groups.set(group, (byVersion = new Map()));
        const resources = byVersion.get(resource.version);
        if (resources) resources.push(resource);
        else byVersion.set(resource.version, [resource]);
      }
    }
    const builtin = (group: string) => [...(groups.get(group)?.values() ?? [])].some((list) => list.some((resource) => !resource.definition.custom));
    // Built-in groups keep their order; custom ones follow by name, as the real server's priorities put them.
    const names = [...groups.keys()];
    const ordered = [...names.filter(builtin), ...names.filter((name) => !builtin(name)).sort()];
    return new Map(ordered.map((name) => [name, sortVersions(groups.get(name) ?? new Map())]));
  }
}

export function resourceId(group: string, plural: string): string {
  return `${group}/${plural}`;
}

export function apiVersionOf(group: string, version: string): string {
  return group ? `${group}/${version}` : version;
}

/** `apps/v1` → ["apps", "v1"]; `v1` → ["", "v1"]. */
export function parseApiVersion(apiVersion: string): [group: string, version: string] {
  const at = apiVersion.indexOf("/");
  return at < 0 ? ["", apiVersion] : [apiVersion.slice(0, at), apiVersion.slice(at + 1)];
}

function sortVersions(versions: Map<string, Resource[]>): Map<string, Resource[]> {
  const names = [...versions.keys()].sort(compareVersions);
  return new Map(names.map((name) => [name, (versions.get(name) ?? []).toSorted((a, b) => (a.definition.plural < b.definition.plural ? -1 : 1))]));
}
