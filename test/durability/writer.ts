/**
 * An API server on a database file, under load until it is killed: each line on standard output is a write that was
 * acknowledged, as `name step revision`. Each worker goes through its own object's life over and over.
 */
import { writeSync } from "node:fs";
import { startTestServer } from "../../src/cluster/apiserver/testing.ts";
import { Store } from "../../src/cluster/store/index.ts";
import { isAbsent, NAMESPACE, WORKERS } from "./life.ts";

const [path = "", ...from] = process.argv.slice(2);
const api = await startTestServer({ store: new Store({ path }) });
const configMaps = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
await api.call("POST", "/api/v1/namespaces", { body: { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } } });

async function live(name: string, first: number): Promise<void> {
  for (let step = first; ; step++) {
    const data = { step: String(step) };
    const answer = isAbsent(step)
      ? await api.call("DELETE", `${configMaps}/${name}`)
      : isAbsent(step - 1)
        ? await api.call("POST", configMaps, { body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data } })
        : await api.call("PATCH", `${configMaps}/${name}`, { body: { data }, type: "application/merge-patch+json" });
    if (answer.status >= 300) throw new Error(`${name} step ${step}: ${answer.text}`);
    const { resourceVersion = "0" } = (answer.body.metadata ?? {}) as { resourceVersion?: string };
    writeSync(1, `${name} ${step} ${resourceVersion}\n`);
  }
}

await Promise.all(Array.from({ length: WORKERS }, (_, index) => live(`w${index}`, Number(from[index] ?? 1))));
