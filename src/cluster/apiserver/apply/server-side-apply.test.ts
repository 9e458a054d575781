import { expect, test } from "bun:test";
import type { Schema } from "../../../resources/index.ts";
import { equalJson, isObject, type JsonObject } from "../json.ts";
import { paths, toFieldsV1 } from "./field-set.ts";
import { decodeManagers, encodeManagers, managersAfterUpdate, setOf, type Writer } from "./managed-fields.ts";
import { ApplyConflict, serverSideApply } from "./server-side-apply.ts";
// Random applies and updates by several managers, and what structured-merge-diff v4.6 made of each.
import sequences from "./testdata/sequences.json";

interface Step {
  op: "apply" | "update";
  manager: string;
  object: JsonObject;
  force?: boolean;
  conflicts?: string[];
  live?: JsonObject;
  managers?: Record<string, JsonObject>;
}

const text: Schema = { type: "string" };
const keyed = (keys: string[], properties: Record<string, Schema>): Schema => ({
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": keys,
  items: { type: "object", properties },
});
const nested: Schema = { type: "object", properties: { x: text, z: text } };
const schema: Schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        a: { type: "integer" },
        b: text,
        nested,
        tags: { type: "array", "x-kubernetes-list-type": "set", items: text },
        items: keyed(["name"], { name: text, v: text, nested, ports: keyed(["port", "protocol"], { port: { type: "integer" }, protocol: text, note: text }) }),
        atomicList: { type: "array", "x-kubernetes-list-type": "atomic", items: text },
        atomicMap: { type: "object", "x-kubernetes-map-type": "atomic", additionalProperties: text },
        labels: { type: "object", additionalProperties: text },
      },
    },
  },
};

/** Runs a sequence; tells the first difference. */
function replay(steps: Step[]): string | undefined {
  let live: JsonObject = {};
  for (const [index, step] of steps.entries()) {
    const writer: Writer = { manager: step.manager, apiVersion: "v1", subresource: "", time: "2026-01-01T00:00:00Z", ignored: setOf() };
    let conflicts: string[] = [];
    const managers = decodeManagers(isObject(live.metadata) ? live.metadata.managedFields : undefined);
    if (step.op === "update") {
      const entries = managersAfterUpdate(managers, live, step.object, schema, writer);
      live = { ...step.object, metadata: { managedFields: encodeManagers(entries) } };
    } else {
      try {
        live = serverSideApply(live, step.object, schema, writer, step.force ?? false);
      } catch (error) {
        if (!(error instanceof ApplyConflict)) throw error;
        conflicts = error.conflicts.flatMap(({ manager, fields }) => paths(fields).map((path) => `${manager.manager} ${path}`)).sort();
      }
    }
    const { metadata, ...rest } = live;
    const after = decodeManagers(isObject(metadata) ? metadata.managedFields : undefined);
    const found = {
      conflicts,
      live: rest,
      managers: Object.fromEntries(after.map(({ manager, fields }) => [manager, toFieldsV1(fields)])),
    };
    const wanted = { conflicts: step.conflicts ?? [], live: step.live ?? {}, managers: step.managers ?? {} };
    if (!equalJson(found, wanted))
      return `step ${index} (${step.op} by ${step.manager}): ${JSON.stringify({ before: steps[index - 1]?.live, object: step.object, found, wanted }, null, 1)}`;
  }
  return undefined;
}

test("applies and updates end as structured-merge-diff ends them", () => {
  const differences = (sequences as Step[][]).flatMap((steps) => replay(steps) ?? []);
  expect(differences.slice(0, 2)).toEqual([]);
});
