import { networkInterfaces } from "node:os";
import { errorText } from "../../base/errors.ts";
import { serve } from "../serve.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";
import { createSampleLog } from "./log.ts";

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
  serve({ hostname: config.listen.hostname, port: config.listen.port, handler, onStop: () => log.info("Received signal, shutting down") });
  log.info("Starting service", {
    name: config.name,
    upstreamURIs: config.upstreams.join(","),
    listenAddress: `${config.listen.hostname}:${config.listen.port}`,
  });
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
