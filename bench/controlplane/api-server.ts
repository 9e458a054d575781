/** A program of the benchmark: the API server with the world in it. Prints one line of JSON when it serves. */
import { join } from "node:path";
import { createLogger } from "../../src/base/index.ts";
import { loadClusterPki, startApiServer, writeKubeconfig } from "../../src/cluster/apiserver/index.ts";
import { Store } from "../../src/cluster/store/index.ts";
import { createClient, type GroupVersionResource, type KubeClient } from "../../src/kube/index.ts";
import { builtinResources, type KubeObject } from "../../src/resources/index.ts";
import { worldOf } from "./world.ts";

/** Enough writes under way that the database groups them into one commit. */
const PARALLEL = 32;

const [folder = "", services = "200", pods = "2000"] = process.argv.slice(2);
const pki = await loadClusterPki({ directory: join(folder, "pki"), addresses: ["127.0.0.1"], now: Date.now() });
const missing = () => Promise.reject(new Error("the benchmark has no node"));
const server = await startApiServer({
  store: new Store({ path: join(folder, "cluster.db") }),
  definitions: builtinResources(),
  pki,
  streams: { logs: missing, exec: missing, attach: missing, portForward: missing },
  dial: missing,
  listenHost: "127.0.0.1",
  port: 0,
  log: createLogger("api", { level: "warn" }),
});
const url = `https://127.0.0.1:${server.port}`;
await writeKubeconfig({ path: join(folder, "kubeconfig"), name: "bench", server: url, caCert: pki.caCert, client: pki.admin });
const client = createClient(server.transport("bench"));
for (const stage of worldOf(Number(services), Number(pods))) await inParallel(stage, (object) => put(client, object));
console.log(JSON.stringify({ url }));

async function put(client: KubeClient, object: KubeObject): Promise<void> {
  const gvr = resourceOf(object);
  const { status } = object as { status?: unknown };
  await client.create(gvr, { ...object });
  if (object.kind === "Pod") await client.patch(gvr, object.metadata.name, object.metadata.namespace, { status }, "status");
}

/** Where objects of the world are created: their kinds all have regular plurals. */
function resourceOf({ apiVersion, kind }: KubeObject): GroupVersionResource {
  const [group, version] = apiVersion.includes("/") ? (apiVersion.split("/") as [string, string]) : ["", apiVersion];
  return { group, version, resource: `${kind.toLowerCase()}s` };
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
