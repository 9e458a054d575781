import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { KubeObject } from "../../resources/index.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import { isRegistryKind, ObjectStore, SnapshotBuilder, snapshotOf, type RegistryChange } from "../registry/index.ts";
import { createGenerator, parseNode, type ProxyNode, type XdsGenerator } from "./index.ts";
import type { MeshSnapshot } from "../registry/index.ts";

const GOLDEN = join(import.meta.dir, "../../../test/golden/xds");
const ROUNDS = 6;
const CHANGES_PER_ROUND = 12;
const TYPES = [XDS_TYPES.CDS, XDS_TYPES.EDS, XDS_TYPES.LDS, XDS_TYPES.RDS, XDS_TYPES.NDS];

test("what is kept over changes equals a fresh computation, and every difference is announced", () => {
  const random = seeded(20261124);
  const pool = objectPool();
  const nodes = nodesOf();
  const builder = new SnapshotBuilder(new ObjectStore());
  const present = new Map<string, KubeObject>();
  const put = (object: KubeObject): void => {
    present.set(keyOf(object), object);
    if (isRegistryKind(object.kind)) builder.set(object.kind, object);
  };
  for (const object of read<{ objects: KubeObject[] }>("world").objects) put(object);
  const generator = createGenerator();
  let announced = builder.build();
  let before = nodes.map((node) => answers(generator, node, announced.snapshot));
  for (let round = 0; round < ROUNDS; round++) {
    for (let change = 0; change < CHANGES_PER_ROUND; change++) {
      const object = pool[Math.floor(random() * pool.length)];
      if (!object) continue;
      const key = keyOf(object);
      const existing = present.get(key);
      if (existing && random() < 0.4) {
        present.delete(key);
        if (isRegistryKind(object.kind)) builder.delete(object.kind, existing.metadata.name, existing.metadata.namespace);
      } else put({ ...object, metadata: { ...object.metadata, resourceVersion: String(round * 100 + change) } });
    }
    announced = builder.build();
    const fresh = createGenerator();
    const snapshot = snapshotOf([...present.values()]);
    const after = nodes.map((node, index) => {
      const kept = answers(generator, node, announced.snapshot);
      expect(kept).toEqual(answers(fresh, node, snapshot));
      expectAnnounced(generator, node, announced.change, before[index] ?? {}, kept);
      return kept;
    });
    before = after;
  }
});

function expectAnnounced(generator: XdsGenerator, node: ProxyNode, change: RegistryChange, before: Answers, after: Answers): void {
  const affected = new Set(generator.affectedTypes(node, change));
  for (const type of TYPES) if (JSON.stringify(before[type]) !== JSON.stringify(after[type])) expect([...affected]).toContain(type);
}

type Answers = Record<string, Record<string, string>>;

/** Versions by name: equal versions are equal bytes. */
function answers(generator: XdsGenerator, node: ProxyNode, snapshot: MeshSnapshot): Answers {
  const clusters = generator.generate(node, snapshot, XDS_TYPES.CDS).map(({ name }) => name).filter((name) => name.startsWith("outbound"));
  const names: Record<string, string[]> = { [XDS_TYPES.EDS]: clusters, [XDS_TYPES.RDS]: ["80", "8080", "15014", "http.8080", "sleep.istioinaction.svc.cluster.local:80"] };
  return Object.fromEntries(TYPES.map((type) => [type, Object.fromEntries(generator.generate(node, snapshot, type, names[type]).map(({ name, version }) => [name, version]))]));
}

function objectPool(): KubeObject[] {
  const files = readdirSync(GOLDEN).filter((file) => file.endsWith(".json.gz") && !file.startsWith("world") && !file.startsWith("nodes"));
  const applied = files.sort().flatMap((file) => read<{ objects: KubeObject[] }>(file.replace(".json.gz", "")).objects);
  const world = read<{ objects: KubeObject[] }>("world").objects.filter(({ kind }) => ["Service", "EndpointSlice", "Pod"].includes(kind));
  return [...applied, ...applied.map(withoutSelector), ...world];
}

/** The same policy for a whole namespace: what it selects must not be remembered. */
function withoutSelector(object: KubeObject): KubeObject {
  const spec = (object as { spec?: Record<string, unknown> }).spec;
  if (!spec?.["selector"] || object.kind === "Service") return object;
  const { selector: _, ...rest } = spec;
  return { ...object, spec: rest } as KubeObject;
}

function nodesOf(): ProxyNode[] {
  return Object.entries(read<Record<string, Record<string, string>>>("nodes")).map(([name, metadata]) =>
    parseNode(`${name === "gateway" ? "router" : "sidecar"}~${metadata["INSTANCE_IPS"]?.split(",")[0]}~${metadata["NAME"]}.${metadata["NAMESPACE"]}~${metadata["NAMESPACE"]}.svc.cluster.local`, metadata),
  );
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
