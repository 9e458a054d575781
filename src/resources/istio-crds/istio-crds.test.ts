import { expect, test } from "bun:test";
import golden from "../../../test/golden/api/istio-schemas.json";
import { istioCrds } from "./index.ts";

/** Without descriptions, which are our own, and with names in order. */
function normalized(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalized);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => key !== "description" || typeof item !== "string")
      .map(([key, item]) => [key, key === "required" && Array.isArray(item) ? [...item].sort() : normalized(item)]),
  );
}

for (const [kind, real] of Object.entries(golden as unknown as Record<string, { required: string[]; spec: unknown; status: unknown }>)) {
  test(`${kind}: the schema is the one that Istio's definition gives a real server`, () => {
    const schema = istioCrds()
      .find((crd) => crd.spec?.names.kind === kind)
      ?.spec?.versions.find((version) => version.name === "v1")?.schema?.openAPIV3Schema;
    expect(normalized(schema?.properties?.["spec"])).toEqual(real.spec as never);
    expect(normalized(schema?.properties?.["status"])).toEqual(real.status as never);
    expect(schema?.required ?? []).toEqual(real.required);
  });
}
