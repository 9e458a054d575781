import { existsSync } from "node:fs";
import { ChainmailError, type Logger } from "../../base/index.ts";
import { closeFd, createPipe } from "../../linux/index.ts";
import type { AgentOptions } from "../options.ts";
import { readTelemetry } from "./telemetry-pipe.ts";

/** A running Envoy. */
export interface EnvoyProcess {
  /** Its exit code; 128 and the signal's number when a signal ended it. */
  readonly exited: Promise<number>;
  /** SIGTERM, and SIGKILL if it has not gone by then. */
  stop(): void;
}

/** Where ProxyConfig says, else on the path. Throws ENVOY_MISSING. */
export function envoyBinary(options: AgentOptions): string {
  const configured = String(options.proxyConfig.raw.binaryPath);
  const binary = existsSync(configured) ? configured : Bun.which("envoy", { PATH: process.env.PATH ?? "" });
  if (binary !== null) return binary;
  throw new ChainmailError("ENVOY_MISSING", `there is no Envoy at ${configured} nor on the path of this image`, {
    hint: "chainmail up --proxy envoy, which puts one in; or leave CHAINMAIL_PROXY unset for Chainmail's own proxy",
  });
}

/**
 * Starts Envoy on a bootstrap file with the flags that Istio's agent gives it. Its output is the container's. What its
 * access log writes to TELEMETRY_PATH comes to `onTelemetry`, a line a call.
 */
export function startEnvoy(binary: string, options: AgentOptions, bootstrapPath: string, onTelemetry: (line: string) => void, log: Logger): EnvoyProcess {
  const pipe = createPipe();
  readTelemetry(pipe.readFd, onTelemetry, log);
  const child = Bun.spawn([binary, ...arguments_(options, bootstrapPath)], {
    cwd: "/",
    stdio: ["ignore", "inherit", "inherit", pipe.writeFd],
    // Envoy reads a few variables of its own only; the token's whereabouts are none of its business.
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: "/" },
  });
  // Closed here so that the pipe ends with Envoy.
  closeFd(pipe.writeFd);
  let asked = false;
  return {
    exited: child.exited,
    stop() {
      child.kill(asked ? "SIGKILL" : "SIGTERM");
      asked = true;
      setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS).unref();
    },
  };
}

function arguments_(options: AgentOptions, bootstrapPath: string): string[] {
  const { proxyConfig } = options;
  const components = options.proxyComponentLogLevel;
  return [
    "-c",
    bootstrapPath,
    "--drain-time-s",
    String(Math.round(proxyConfig.drainDurationMs / 1000)),
    "--drain-strategy",
    "immediate",
    "--local-address-ip-version",
    "v4",
    "--file-flush-interval-msec",
    String(LOG_FLUSH_MS),
    "--disable-hot-restart",
    "--allow-unknown-static-fields",
    "-l",
    options.proxyLogLevel,
    ...(components ? ["--component-log-level", components] : []),
    "--concurrency",
    String(proxyConfig.concurrency),
  ];
}

/** Istio's agent takes a second; people and the console watch these lines, and a flush of nothing costs nothing. */
const LOG_FLUSH_MS = 250;
/** It has drained already: what is left are connections that nobody ends. */
const KILL_AFTER_MS = 2_000;
