import { createHash } from "node:crypto";
import { apiVersionOf, type Catalogue, type Resource } from "../catalogue.ts";
import { subresourcesOf } from "./subresources.ts";

/** A JSON document with its ETag. */
export interface Document {
  body: string;
  etag: string;
}

/** Discovery in both forms, remade when the catalogue has changed. */
export class Discovery {
  #made = new Map<string, Document | undefined>();
  #generation = -1;

  constructor(
    private readonly catalogue: Catalogue,
    /** `127.0.0.1:6443`, shown to clients that ask for APIVersions. */
    private readonly serverAddress: string,
  ) {}

  /** /api and /apis as APIGroupDiscoveryList. */
  aggregated(core: boolean): Document {
    return this.#document(`aggregated ${core}`, () => ({
      kind: "APIGroupDiscoveryList",
      apiVersion: "apidiscovery.k8s.io/v2",
      metadata: {},
      items: [...this.catalogue.groups()].filter(([group]) => (group === "") === core).map(([group, versions]) => aggregatedGroup(group, versions)),
    })) as Document;
  }

  /** Plain /api, /apis, /apis/G, /apis/G/V and /api/v1; undefined when there is no such group or version. */
  legacy(path: string): Document | undefined {
    return this.#document(path, () => this.#legacy(path.split("/").slice(1)));
  }

  #legacy([root, group, version]: string[]): unknown {
    const groups = this.catalogue.groups();
    if (root === "api") {
      if (group === undefined) {
        const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress: this.serverAddress }];
        return { kind: "APIVersions", versions: [...(groups.get("")?.keys() ?? [])], serverAddressByClientCIDRs };
      }
      const resources = groups.get("")?.get(group);
      return version === undefined && resources ? resourceList(group, resources) : undefined;
    }
    if (group === undefined) {
      const list = [...groups].filter(([name]) => name !== "").map(([name, versions]) => apiGroup(name, versions));
      return { kind: "APIGroupList", apiVersion: "v1", groups: list };
    }
    const versions = groups.get(group);
    if (!versions || group === "") return undefined;
    if (version === undefined) return { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group, versions) };
    const resources = versions.get(version);
    return resources && resourceList(apiVersionOf(group, version), resources);
  }

  #document(key: string, make: () => unknown): Document | undefined {
    if (this.#generation !== this.catalogue.generation) {
      this.#made.clear();
      this.#generation = this.catalogue.generation;
    }
    if (this.#made.has(key)) return this.#made.get(key);
    const value = make();
    const body = value === undefined ? undefined : `${JSON.stringify(value)}\n`;
    const document = body === undefined ? undefined : { body, etag: hashOf(body) };
    // Unknown groups are not remembered: their names come from outside.
    if (document) this.#made.set(key, document);
    return document;
  }
}

/** Upper-case SHA-512, as Kubernetes writes ETags and OpenAPI hashes. */
export function hashOf(text: string): string {
  return createHash("sha512").update(text).digest("hex").toUpperCase();
}

function aggregatedGroup(group: string, versions: Map<string, Resource[]>): unknown {
  return {
    metadata: group ? { name: group } : {},
    versions: [...versions].map(([version, resources]) => ({ version, resources: resources.map(aggregatedResource), freshness: "Current" })),
  };
}

function aggregatedResource({ definition, version }: Resource): unknown {
  const { group, kind, custom, plural, namespaced, singular, verbs, shortNames, categories } = definition;
  // The real server leaves group and version empty for built-in kinds of the group itself.
  const own = { group: custom ? group : "", version: custom ? version : "", kind };
  const subresources = subresourcesOf(definition).map((subresource) => ({
    subresource: subresource.name,
    responseKind: subresource.kind ? (subresource.kind.group === group ? { group: "", version: "", kind: subresource.kind.kind } : subresource.kind) : own,
    verbs: subresource.verbs,
  }));
  return {
    resource: plural,
    responseKind: own,
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

function apiGroup(name: string, versions: Map<string, Resource[]>): object {
  const list = [...versions.keys()].map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: list, preferredVersion: list[0] };
}

function resourceList(groupVersion: string, resources: Resource[]): unknown {
  const rows = resources.flatMap(({ definition }) => {
    const { plural, singular, namespaced, kind, verbs, shortNames, categories } = definition;
    const main = {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs,
      ...(shortNames.length > 0 ? { shortNames } : {}),
      ...(categories.length > 0 ? { categories } : {}),
      ...(verbs.includes("list") ? { storageVersionHash: storageHash(definition.group, definition.storageVersion, kind) } : {}),
    };
    const below = subresourcesOf(definition).map((subresource) => ({
      name: `${plural}/${subresource.name}`,
      singularName: "",
      namespaced,
      ...(subresource.kind && subresource.kind.group !== definition.group ? { group: subresource.kind.group, version: subresource.kind.version } : {}),
      kind: subresource.kind?.kind ?? kind,
      verbs: subresource.verbs,
    }));
    return [main, ...below];
  });
  // The real server writes that of the core by an older encoder.
  return { kind: "APIResourceList", ...(groupVersion === "v1" ? {} : { apiVersion: "v1" }), groupVersion, resources: rows };
}

/** The first eight bytes of SHA-256 over `group/version/kind`. */
function storageHash(group: string, version: string, kind: string): string {
  return createHash("sha256").update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString("base64");
}
