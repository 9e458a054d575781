import type { Any } from "@bufbuild/protobuf/wkt";
import type { XdsTypeName } from "../../proto/index.ts";

/** One resource as it came, for config dumps, for telling changes and for resuming a stream. Times are epoch milliseconds. */
export interface StoredResource {
  readonly name: string;
  /** What is in force; absent when no version of it was ever good. */
  active?: StoredVersion;
  /** What still runs while `active` warms. */
  previous?: StoredVersion;
  /** The last attempt, where it was refused. */
  error?: { readonly any: Any; readonly version: string; readonly lastAttempt: number; readonly details: string };
}

export interface StoredVersion {
  readonly any: Any;
  readonly version: string;
  readonly lastUpdated: number;
}

export interface TypeStats {
  updateAttempt: number;
  updateSuccess: number;
  updateRejected: number;
}

interface TypeEntry {
  version: string;
  resources: Map<string, StoredResource>;
  stats: TypeStats;
}

/** What the control plane has sent: the last good version of each resource, and what was refused. */
export class XdsStore {
  readonly #types = new Map<XdsTypeName, TypeEntry>();

  /** `version_info` of the whole type: the newest accepted answer. */
  version(type: XdsTypeName): string {
    return this.#types.get(type)?.version ?? "";
  }

  stats(type: XdsTypeName): TypeStats {
    return this.#entry(type).stats;
  }

  get(type: XdsTypeName, name: string): StoredResource | undefined {
    return this.#types.get(type)?.resources.get(name);
  }

  list(type: XdsTypeName): StoredResource[] {
    return [...(this.#types.get(type)?.resources.values() ?? [])];
  }

  /** True when these very bytes are in force: applying them again would change nothing. */
  unchanged(type: XdsTypeName, name: string, any: Any): boolean {
    const active = this.get(type, name)?.active;
    return active !== undefined && Buffer.compare(active.any.value, any.value) === 0;
  }

  accept(type: XdsTypeName, name: string, any: Any, version: string, now: number): void {
    const resource = this.#resource(type, name);
    delete resource.error;
    // Envoy leaves last_updated alone when an update changes nothing.
    const unchanged = this.unchanged(type, name, any);
    const lastUpdated = unchanged ? (resource.active?.lastUpdated ?? now) : now;
    if (!unchanged && resource.active) resource.previous ??= resource.active;
    resource.active = { any: keep(any), version, lastUpdated };
  }

  /** Forgets what was replaced, but for the names that still warm. */
  settle(type: XdsTypeName, warming: ReadonlySet<string>): void {
    for (const resource of this.#types.get(type)?.resources.values() ?? []) if (!warming.has(resource.name)) delete resource.previous;
  }

  refuse(type: XdsTypeName, name: string, any: Any, version: string, details: string, now: number): void {
    this.#resource(type, name).error = { any: keep(any), version, lastAttempt: now, details };
  }

  remove(type: XdsTypeName, name: string): void {
    this.#types.get(type)?.resources.delete(name);
  }

  setVersion(type: XdsTypeName, version: string): void {
    this.#entry(type).version = version;
  }

  #resource(type: XdsTypeName, name: string): StoredResource {
    const { resources } = this.#entry(type);
    let resource = resources.get(name);
    if (!resource) resources.set(name, (resource = { name }));
    return resource;
  }

  #entry(type: XdsTypeName): TypeEntry {
    let entry = this.#types.get(type);
    if (!entry) {
      entry = { version: "", resources: new Map(), stats: { updateAttempt: 0, updateSuccess: 0, updateRejected: 0 } };
      this.#types.set(type, entry);
    }
    return entry;
  }
}

/** A copy of its own: decoded bytes are a view of the whole answer, which they would keep in memory. */
function keep(any: Any): Any {
  return { ...any, value: any.value.slice() };
}
