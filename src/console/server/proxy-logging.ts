import type { ExecRequest, ExecResult } from "../../kube/index.ts";
import { ApiProblem } from "../api/router.ts";

/** Envoy's levels. https://www.envoyproxy.io/docs/envoy/latest/operations/admin#post--logging */
const LEVELS = ["off", "trace", "debug", "info", "warning", "error", "critical"];
const MAX_BYTES = 256 << 10;
const TIMEOUT_MS = 20_000;

/** Sets how much one proxy logs, at its admin page, with the rights of who may enter its pod. Throws 400 for no level of Envoy's. */
export async function setProxyLogLevel(exec: (request: ExecRequest) => Promise<ExecResult>, namespace: string, pod: string, level: string): Promise<void> {
  if (!LEVELS.includes(level)) throw new ApiProblem(400, `"${level}" is no level: ${LEVELS.join(", ")}`);
  const { exitCode, stderr } = await exec({
    namespace,
    pod,
    container: "istio-proxy",
    command: ["pilot-agent", "request", "POST", `logging?level=${level}`],
    maxBytes: MAX_BYTES,
    timeoutMs: TIMEOUT_MS,
  });
  if (exitCode !== 0) throw new ApiProblem(502, `the proxy of ${pod} did not take the level: ${stderr.trim().slice(0, 300)}`);
}
