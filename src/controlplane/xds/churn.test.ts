import { expect, test } from "bun:test";
import { XDS_TYPES } from "../../proto/index.ts";
import type { MeshSnapshot, RegistryChange } from "../registry/index.ts";
import { ChurningMesh } from "../testing/churning-mesh.ts";
import { createGenerator, type ProxyNode, type XdsGenerator } from "./index.ts";

const SEED = 20261124;
const ROUNDS = 6;
const CHANGES_PER_ROUND = 12;
const { CDS, EDS, LDS, RDS, NDS } = XDS_TYPES;
const TYPES = [CDS, EDS, LDS, RDS, NDS];
const ROUTES = ["80", "8080", "15014", "http.8080", "sleep.istioinaction.svc.cluster.local:80"];

test("what is kept over changes equals a fresh computation, and every difference is announced", () => {
  const mesh = new ChurningMesh(SEED);
  const generator = createGenerator();
  let built = mesh.build();
  let before = mesh.nodes.map((node) => answers(generator, node, built.snapshot));
  for (let round = 0; round < ROUNDS; round++) {
    // Every other round moves endpoints alone, which only the services concerned may feel.
    mesh.change(CHANGES_PER_ROUND, round % 2 === 1);
    built = mesh.build();
    const fresh = createGenerator();
    const snapshot = mesh.fresh();
    before = mesh.nodes.map((node, index) => {
      const kept = answers(generator, node, built.snapshot);
      expect(kept).toEqual(answers(fresh, node, snapshot));
      expectAnnounced(generator, node, built, before[index] ?? {}, kept);
      return kept;
    });
  }
  // On a busy machine.
}, 30_000);

/** Names of endpoints that were not announced must be the same. */
function expectAnnounced(
  generator: XdsGenerator,
  node: ProxyNode,
  { snapshot, change }: { snapshot: MeshSnapshot; change: RegistryChange },
  before: Answers,
  after: Answers,
): void {
  const subscribed = Object.keys({ ...before[EDS], ...after[EDS] });
  const affected = generator.affected(node, snapshot, change, subscribed);
  for (const type of TYPES) {
    const [was = {}, is = {}] = [before[type], after[type]];
    const different = Object.keys({ ...was, ...is }).filter((name) => was[name] !== is[name]);
    if (different.length === 0) continue;
    expect([...affected.keys()]).toContain(type);
    const names = affected.get(type);
    if (names) expect(different.filter((name) => !names.includes(name))).toEqual([]);
  }
}

type Answers = Record<string, Record<string, string>>;

/** Versions by name: equal versions are equal bytes. */
function answers(generator: XdsGenerator, node: ProxyNode, snapshot: MeshSnapshot): Answers {
  const clusters = generator
    .generate(node, snapshot, CDS)
    .map(({ name }) => name)
    .filter((name) => name.startsWith("outbound"));
  const names: Record<string, string[]> = { [EDS]: clusters, [RDS]: ROUTES };
  return Object.fromEntries(
    TYPES.map((type) => [type, Object.fromEntries(generator.generate(node, snapshot, type, names[type]).map(({ name, version }) => [name, version]))]),
  );
}
