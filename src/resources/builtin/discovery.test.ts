import { expect, test } from "bun:test";
import discovery from "../../../test/golden/api/discovery.json";
import { builtinResources, definitionFromCrd, istioCrds, referencedComponents } from "../index.ts";
import type { ResourceDefinition } from "../types.ts";

interface Entry {
  resource: string;
  kind: string;
  scope: string;
  singularResource: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  subresources: string[];
}
const golden = discovery as unknown as Record<string, Entry[]>;

function entryOf(d: ResourceDefinition): Required<Entry> {
  return {
    resource: d.plural,
    kind: d.kind,
    scope: d.namespaced ? "Namespaced" : "Cluster",
    singularResource: d.singular,
    verbs: d.verbs,
    shortNames: d.shortNames,
    categories: d.categories,
    subresources: d.subresources,
  };
}

test("every kind is discovered as on the real server", () => {
  for (const definition of [...builtinResources(), ...istioCrds().map(definitionFromCrd)]) {
    for (const { name } of definition.versions) {
      const entry = golden[`${definition.group}/${name}`]?.find((e) => e.resource === definition.plural);
      if (!entry) throw new Error(`${definition.plural} is not on the real server in ${definition.group}/${name}`);
      expect(entryOf(definition)).toEqual({ shortNames: [], categories: [], ...entry } as never);
    }
  }
});

test("Istio's versions come in the real order of preference", () => {
  const groups = Object.keys(golden).filter((key) => key.includes("istio.io"));
  for (const definition of istioCrds().map(definitionFromCrd)) {
    const order = groups
      .filter((key) => key.startsWith(`${definition.group}/`) && golden[key]?.some((e) => e.resource === definition.plural))
      .map((key) => key.split("/")[1] ?? "");
    expect(definition.versions.map((v) => v.name)).toEqual(order);
  }
});

test("every schema reference resolves", () => {
  const components = referencedComponents(builtinResources().flatMap((d) => d.versions.map((v) => v.schema ?? {})));
  expect(Object.keys(components).length).toBeGreaterThan(100);
  expect(components["io.k8s.api.core.v1.PodSpec"]?.properties?.["containers"]?.["x-kubernetes-list-map-keys"]).toEqual(["name"]);
});
