import { createLogger, systemClock } from "../base/index.ts";
import { runWorker } from "../proxy/workers/index.ts";
import { accessLogSinks } from "./access-log.ts";
import { envoyLevel } from "./log-levels.ts";
import { writeError } from "./output.ts";
import { PodSockets } from "./sockets.ts";

/** `pilot-agent proxy-worker`: one more process of a pod's data plane, told by the first what to do. */
export function runProxyWorker(proxyLogLevel: string): Promise<never> {
  const log = createLogger("proxy", { level: envoyLevel(proxyLogLevel), write: writeError });
  return runWorker({ sockets: new PodSockets(), accessLog: accessLogSinks(), clock: systemClock, random: Math.random, log });
}
