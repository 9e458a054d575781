#!/usr/bin/env bun
import { writeSync } from "node:fs";
import { ChainmailError, errorText, VERSION } from "../base/index.ts";
import type { AgentOptions } from "./options.ts";

/**
 * `pilot-agent`, the program of the proxy image. Each command loads only what it needs: the same file runs for
 * milliseconds in an init container and for days beside an application.
 */
async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  const print = (text: string): void => void writeSync(1, text);
  switch (command) {
    case "proxy": {
      const { agentOptions } = await import("./options.ts");
      const options = agentOptions(rest, process.env);
      const running = options.proxy === "envoy" ? (await import("./envoy/run-envoy.ts")).runEnvoy(options) : await runOwnProxy(options);
      process.on("SIGTERM", () => running.terminate());
      process.on("SIGINT", () => running.terminate());
      return running.done;
    }
    case "istio-iptables": {
      const { runIstioIptables } = await import("./capture/index.ts");
      runIstioIptables(rest, process.env, print);
      return 0;
    }
    case "request": {
      const { runRequest } = await import("./request.ts");
      await runRequest(rest, print);
      return 0;
    }
    case "wait": {
      const { runWait } = await import("./request.ts");
      await runWait(rest);
      return 0;
    }
    case WORKER: {
      const { runProxyWorker } = await import("./worker.ts");
      return runProxyWorker(rest[0] ?? "");
    }
    case PRINT_DUMP: {
      const { printDumpMain } = await import("../proxy/admin/dump-child.ts");
      await printDumpMain();
      return 0;
    }
    case "version":
      print(`${VERSION}\n`);
      return 0;
    default:
      throw new ChainmailError("USAGE", `unknown command "${command ?? ""}" for "pilot-agent": proxy, istio-iptables, request, wait, version`);
  }
}

async function runOwnProxy(options: AgentOptions): Promise<{ readonly done: Promise<number>; terminate(): void }> {
  const { runProxy } = await import("./run-proxy.ts");
  const { workers } = options.proxyConfig;
  const createDataPlane =
    workers > 1
      ? (await import("../proxy/workers/index.ts")).workerDataPlanes({ count: workers, command: [process.execPath, Bun.main, WORKER, options.proxyLogLevel] })
      : (await import("../proxy/data-plane.ts")).createDataPlane;
  return runProxy(options, createDataPlane, [process.execPath, Bun.main, PRINT_DUMP]);
}

/** Not for people: a further process of the data plane, started by the proxy itself. */
const WORKER = "proxy-worker";
/** Not for people: prints a configuration dump from stdin, started by the proxy itself. */
const PRINT_DUMP = "print-config-dump";

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  const hint = error instanceof ChainmailError && error.hint ? `\n${error.hint}` : "";
  writeSync(2, `Error: ${errorText(error)}${hint}\n`);
  process.exit(1);
}
