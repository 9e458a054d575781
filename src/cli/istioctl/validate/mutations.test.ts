import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { validateText } from "./validate.ts";

interface Case {
  readonly object: { readonly kind: string; readonly metadata: { readonly name: string } };
  readonly errors: string[];
  readonly warnings: string[];
}

/** Resources with mistakes put in at random, and what the real `istioctl validate` said of each. */
const CASES = JSON.parse(
  Buffer.from(Bun.gunzipSync(readFileSync(join(import.meta.dir, "../../../../test/golden/validation/mutations.json.gz")))).toString(),
) as Case[];

test("mistakes put in at random are told as the real istioctl tells them", () => {
  const lines = (texts: readonly string[]): string[] =>
    texts.flatMap((text) => text.replace(/^\w+\/[\w-]*\/[\w-]+: /, "").split("\n")).filter((line) => line !== "");
  for (const { object, errors, warnings } of CASES) {
    const verdict = validateText("f.yaml", JSON.stringify(object), { namespace: "default", istioNamespace: "istio-system" }, () => {});
    const told = { object, errors: lines(verdict.errors), warnings: lines(verdict.warnings) };
    expect(told).toEqual({ object, errors: lines(errors), warnings: lines(warnings) });
  }
  expect(CASES.length).toBeGreaterThan(300);
});
