import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { EndpointSlice, KubeObject } from "../../resources/index.ts";
import { isRegistryKind, ObjectStore, SnapshotBuilder, snapshotOf, type MeshSnapshot, type RegistryChange } from "../registry/index.ts";
import { parseNode, type ProxyNode } from "../xds/index.ts";

const GOLDEN = join(import.meta.dir, "../../../test/golden/xds");
/** Of the objects of the mesh itself, those that come and go while it runs. */
const MOVING: readonly string[] = ["Service", "EndpointSlice", "Pod"];
const REMOVALS = 0.4;

/** The recorded mesh, in which random objects of all recorded cases come, change and go. The same seed makes the same history. */
export class ChurningMesh {
  readonly nodes: readonly ProxyNode[];
  readonly #builder = new SnapshotBuilder(new ObjectStore());
  readonly #present = new Map<string, KubeObject>();
  readonly #pool: readonly KubeObject[];
  readonly #random: () => number;
  #step = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
    const world = read<{ objects: KubeObject[] }>("world").objects;
    const cases = readdirSync(GOLDEN).filter((file) => file.endsWith(".json.gz") && !file.startsWith("world") && !file.startsWith("nodes"));
    const applied = cases.sort().flatMap((file) => read<{ objects: KubeObject[] }>(file.replace(".json.gz", "")).objects);
    this.#pool = [...applied, ...applied.map(withoutSelector), ...world.filter(({ kind }) => MOVING.includes(kind))];
    this.nodes = Object.entries(read<Record<string, Record<string, string>>>("nodes")).map(([name, metadata]) =>
      parseNode(
        `${name === "gateway" ? "router" : "sidecar"}~${metadata["INSTANCE_IPS"]?.split(",")[0]}~${metadata["NAME"]}.${metadata["NAMESPACE"]}~${metadata["NAMESPACE"]}.svc.cluster.local`,
        metadata,
      ),
    );
    for (const object of world) this.#put(object);
  }

  /** A number in [0, 1) of the same history. */
  random(): number {
    return this.#random();
  }

  /** Makes so many random changes; without `onlyEndpoints` of any kind. */
  change(count: number, onlyEndpoints = false): void {
    const pool = onlyEndpoints ? this.#pool.filter(({ kind }) => kind === "EndpointSlice") : this.#pool;
    for (let index = 0; index < count; index++) {
      const object = pool[Math.floor(this.#random() * pool.length)];
      if (!object) continue;
      const existing = this.#present.get(keyOf(object));
      if (existing && this.#random() < REMOVALS) {
        this.#present.delete(keyOf(object));
        if (isRegistryKind(object.kind)) this.#builder.delete(object.kind, existing.metadata.name, existing.metadata.namespace);
      } else this.#put({ ...this.#altered(object), metadata: { ...object.metadata, resourceVersion: String(++this.#step) } });
    }
  }

  /** The next snapshot of the same builder, which keeps what it can. */
  build(): { snapshot: MeshSnapshot; change: RegistryChange } {
    return this.#builder.build();
  }

  /** A snapshot of the same objects that nobody has worked on before. */
  fresh(): MeshSnapshot {
    return snapshotOf([...this.#present.values()]);
  }

  #put(object: KubeObject): void {
    this.#present.set(keyOf(object), object);
    if (isRegistryKind(object.kind)) this.#builder.set(object.kind, object);
  }

  /** Endpoints become ready and unready. */
  #altered(object: KubeObject): KubeObject {
    if (object.kind !== "EndpointSlice") return object;
    const slice = object as EndpointSlice;
    return {
      ...slice,
      endpoints: (slice.endpoints ?? []).map((endpoint) => ({ ...endpoint, conditions: { ...endpoint.conditions, ready: this.#random() < 0.5 } })),
    } as KubeObject;
  }
}

/** The same policy for a whole namespace: what it selects must not be remembered. */
function withoutSelector(object: KubeObject): KubeObject {
  const spec = (object as { spec?: Record<string, unknown> }).spec;
  if (!spec?.["selector"] || object.kind === "Service") return object;
  const { selector: _, ...rest } = spec;
  return { ...object, spec: rest } as KubeObject;
}

function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace ?? ""}/${metadata.name}`;
}

function read<Shape>(name: string): Shape {
  return JSON.parse(gunzipSync(readFileSync(join(GOLDEN, `${name}.json.gz`))).toString("utf8")) as Shape;
}

/** Mulberry32: the same numbers on every machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}
