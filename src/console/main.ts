/** The `kiali` program: the console of the mesh it runs in. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLogger, systemClock } from "../base/index.ts";
import { createClient, execInPod, httpsTransport, inClusterOptions, inClusterTransport } from "../kube/index.ts";
import { createQueryClient } from "../telemetry/index.ts";
import { readGuides } from "./guide/index.ts";
import { createConsole } from "./server/http.ts";
import { createIstiod } from "./server/istiod.ts";
import { createMeshView } from "./server/mesh-view.ts";
import { createPodLogs } from "./server/pod-logs.ts";
import { createTraceClient } from "./server/traces.ts";

const PORT = 20001;
/** Projected for istiod alone: see the Deployment. */
const ISTIOD_TOKEN = "/var/run/secrets/tokens/istio-token";

const log = createLogger("kiali");
const client = createClient(inClusterTransport());
const mesh = createMeshView(client, log, systemClock);
// Without the console's own token: what a user may not do is not done.
const { tokenFile: _, ...server } = inClusterOptions();
const handle = createConsole({
  mesh,
  queries: createQueryClient(process.env.PROMETHEUS_URL ?? "http://prometheus.istio-system:9090"),
  traces: createTraceClient(process.env.TRACING_URL ?? "http://tracing.istio-system"),
  logs: createPodLogs(client.transport),
  istiod: createIstiod({
    baseUrl: process.env.ISTIOD_URL ?? "http://istiod.istio-system:15014", // Read each time: the kubelet renews it.
    token: () => (existsSync(ISTIOD_TOKEN) ? readFileSync(ISTIOD_TOKEN, "utf8").trim() : undefined),
  }),
  asUser: (token) => httpsTransport({ ...server, token, userAgent: "chainmail-console" }),
  execAs: (token) => (request) => execInPod({ ...server, token, userAgent: "chainmail-console" }, request),
  own: client.transport,
  guides: readGuides(join(import.meta.dir, "kiali-guides")),
  webRoot: join(import.meta.dir, "kiali-web"),
  allowedHosts: process.env.CONSOLE_ALLOWED_HOSTS?.split(",").filter(Boolean) ?? [],
  clock: systemClock,
  log,
});

await mesh.synced;
// A live stream is silent between keep-alives; Bun would close it after ten seconds.
const web = Bun.serve({ hostname: "0.0.0.0", port: PORT, idleTimeout: 60, fetch: handle });
log.info("listening", { port: web.port });

process.on("SIGTERM", () => {
  mesh.stop();
  void web.stop(true).then(() => process.exit(0));
});
