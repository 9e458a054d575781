/** The `kiali` program: the console of the mesh it runs in. */
import { join } from "node:path";
import { createLogger, systemClock } from "../base/index.ts";
import { createClient, inClusterTransport } from "../kube/index.ts";
import { createQueryClient } from "../telemetry/index.ts";
import { createConsole } from "./server/http.ts";
import { createMeshView } from "./server/mesh-view.ts";

const PORT = 20001;

const log = createLogger("kiali");
const mesh = createMeshView(createClient(inClusterTransport()), log);
const handle = createConsole({
  mesh,
  queries: createQueryClient(process.env.PROMETHEUS_URL ?? "http://prometheus.istio-system:9090"),
  webRoot: join(import.meta.dir, "kiali-web"),
  allowedHosts: process.env.CONSOLE_ALLOWED_HOSTS?.split(",").filter(Boolean) ?? [],
  clock: systemClock,
  log,
});

await mesh.synced;
// A live stream is silent between keep-alives; Bun would close it after ten seconds.
const server = Bun.serve({ hostname: "0.0.0.0", port: PORT, idleTimeout: 60, fetch: handle });
log.info("listening", { port: server.port });

process.on("SIGTERM", () => {
  mesh.stop();
  void server.stop(true).then(() => process.exit(0));
});
