import { writeSync } from "node:fs";
import { Store } from "../index.ts";

/** Writes without end and tells of each object once it is acknowledged, for a test to kill. */
const store = new Store({ path: process.argv[2] as string });
for (let i = 0; ; i++) {
  const object = { apiVersion: "v1", kind: "Pod", metadata: { name: `p${i}`, namespace: "default" } };
  const stored = await store.put("/pods", object, undefined);
  writeSync(1, `${stored.name} ${stored.revision}\n`);
}
