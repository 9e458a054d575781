/** A program of the benchmark: our API server alone, on a database in a folder. It has no node and no controllers, as its peer. */
import { join } from "node:path";
import { createLogger } from "../../src/base/index.ts";
import { loadClusterPki, startApiServer } from "../../src/cluster/apiserver/index.ts";
import { Store } from "../../src/cluster/store/index.ts";
import { builtinResources } from "../../src/resources/index.ts";

const [folder = "", port = "0"] = process.argv.slice(2);
const missing = () => Promise.reject(new Error("the benchmark has no node"));
await startApiServer({
  store: new Store({ path: join(folder, "cluster.db") }),
  definitions: builtinResources(),
  pki: await loadClusterPki({ directory: join(folder, "pki"), addresses: ["127.0.0.1"], now: Date.now() }),
  streams: { logs: missing, exec: missing, attach: missing, portForward: missing },
  dial: missing,
  listenHost: "127.0.0.1",
  port: Number(port),
  log: createLogger("api", { level: "warn" }),
});
