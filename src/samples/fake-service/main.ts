import { networkInterfaces } from "node:os";
import { errorText } from "../../base/errors.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";
import { createSampleLog } from "./log.ts";

/** How long SIGTERM waits for requests under way; below Kubernetes' default grace of 30 s. */
const DRAIN_MS = 25_000;

function start(): void {
  const config = readConfig(process.env);
  const log = createSampleLog(config.log, (line) => process.stdout.write(line), Date.now);
  let addresses: string[] | undefined;
  const handler = createHandler(config, {
    log,
    now: () => performance.timeOrigin + performance.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    random: Math.random,
    addresses: () => (addresses ??= ownAddresses()),
  });
  const server = Bun.serve({
    hostname: config.listen.hostname,
    port: config.listen.port,
    // Answers may be slow on purpose (TIMING_*, ERROR_DELAY): no idle limit of the server's own.
    idleTimeout: 0,
    fetch: handler,
  });
  log.info("Starting service", { name: config.name, upstreamURIs: config.upstreams.join(","), listenAddress: `${config.listen.hostname}:${config.listen.port}` });

  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    log.info("Received signal, shutting down");
    setTimeout(() => process.exit(0), DRAIN_MS).unref();
    void server.stop().then(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).filter((a) => a.family === "IPv4" && !a.internal).map((a) => a.address));
}

try {
  start();
} catch (error) {
  process.stderr.write(`${errorText(error)}\n`);
  process.exit(1);
}
