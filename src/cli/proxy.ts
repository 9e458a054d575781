import { fromJson, toJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { Command } from "commander";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { accessLogSinks, PodSockets } from "../agent/index.ts";
import { ChainmailError, createLogger, systemClock, type LogLevel } from "../base/index.ts";
import { BootstrapSchema } from "../proto/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { loadRegistry } from "../proto/index.ts";
import { Admin, serveAdmin } from "../proxy/admin/index.ts";
import { BootstrapError, limitProgramSize, ProxyServer, readBootstrap, type ProxyBootstrap } from "../proxy/bootstrap/index.ts";
import { runWorker, workerDataPlanes } from "../proxy/workers/index.ts";

interface ProxyOptions {
  configPath?: string;
  configYaml?: string;
  concurrency: string;
  logLevel: string;
  serviceNode?: string;
  serviceCluster?: string;
  drainTimeS: string;
  mode: string;
}

/** `chainmail proxy -c envoy.yaml`: the proxy alone from an Envoy bootstrap, with Envoy's own flags. */
export function proxyCommand(): Command {
  return new Command("proxy")
    .description("run the proxy alone from an Envoy bootstrap, as `envoy -c` does")
    .option("-c, --config-path <file>", "bootstrap in YAML or JSON; `-` is stdin")
    .option("--config-yaml <text>", "bootstrap text, instead of a file")
    .option("--concurrency <n>", "processes that share the listeners' ports", "1")
    .option("-l, --log-level <level>", "trace, debug, info, warning, error, critical or off", "info")
    .option("--service-node <id>", "the node's id, over the bootstrap's")
    .option("--service-cluster <name>", "the node's cluster, over the bootstrap's")
    .option("--drain-time-s <seconds>", "how long connections may finish when the proxy ends", "600")
    .option("--mode <mode>", "serve, or validate: read the bootstrap and say whether it is good", "serve")
    .action(async (options: ProxyOptions) => {
      if (process.env[WORKER]) return work(options);
      const bootstrap = await loadBootstrap(options);
      limitProgramSize(bootstrap.maxProgramSize);
      if (options.mode === "validate") return validate(bootstrap, options);
      await run(bootstrap, options);
    });
}

async function loadBootstrap(options: ProxyOptions): Promise<ProxyBootstrap> {
  const { configPath, configYaml, serviceNode, serviceCluster } = options;
  const text = configYaml ?? (configPath === undefined ? undefined : readFileSync(configPath === "-" ? 0 : configPath, "utf8"));
  if (text === undefined) throw new ChainmailError("USAGE", "no bootstrap: give -c FILE or --config-yaml TEXT");
  const registry = await loadRegistry();
  let document: JsonObject;
  try {
    const parsed = Bun.YAML.parse(text) as JsonValue;
    // Through the message: unknown fields and wrong types are refused by name, and both spellings become one.
    document = toJson(BootstrapSchema, fromJson(BootstrapSchema, parsed, { registry }), { registry, useProtoFieldName: true }) as JsonObject;
  } catch (cause) {
    throw new BootstrapError(`${configPath ?? "the bootstrap"}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const node = { ...(document.node as JsonObject | undefined), ...(serviceNode && { id: serviceNode }), ...(serviceCluster && { cluster: serviceCluster }) };
  return readBootstrap({ ...document, node }, registry);
}

function serverOf(bootstrap: ProxyBootstrap, options: ProxyOptions): ProxyServer {
  return new ProxyServer({
    bootstrap,
    createDataPlane: workerDataPlanes({
      count: options.mode === "validate" ? 1 : workerCount(options.concurrency),
      command: [process.execPath, ...process.argv.slice(1)],
      env: { [WORKER]: "1" },
    }),
    sockets: new PodSockets(0),
    accessLog: accessLogSinks(),
    concurrency: Number(options.concurrency),
    drainTimeMs: Number(options.drainTimeS) * 1000,
    clock: systemClock,
    random: Math.random,
    log: createLogger("proxy", { level: logLevel(options.logLevel) }),
  });
}

function validate(bootstrap: ProxyBootstrap, options: ProxyOptions): void {
  serverOf(bootstrap, options).stop();
  process.stdout.write(`configuration '${options.configPath ?? ""}' OK\n`);
}

async function run(bootstrap: ProxyBootstrap, options: ProxyOptions): Promise<void> {
  const server = serverOf(bootstrap, options);
  const log = createLogger("admin", { level: logLevel(options.logLevel) });
  const { promise: done, resolve: end } = Promise.withResolvers<void>();
  const finish = (): void => {
    void server.drain(Number(options.drainTimeS) * 1000).then(end, end);
  };
  const admin = new Admin({
    server,
    print: async (input) => (await import("../proxy/admin/dump-printer.ts")).printDump(input),
    loggers: { main: server.deps.log, admin: log },
    logLevel: logLevel(options.logLevel),
    quit: finish,
  });
  if (bootstrap.admin) serveAdmin(admin, { hostname: bootstrap.admin.address, port: bootstrap.admin.port }, log);
  let asked = false;
  const signal = (): void => {
    if (asked) end();
    asked = true;
    finish();
  };
  process.on("SIGTERM", signal);
  process.on("SIGINT", signal);
  server.start();
  await done;
  server.stop();
  process.exit(0);
}

/** Set in the processes beyond the first. */
const WORKER = "CHAINMAIL_PROXY_WORKER";

/** They are told by the first what to do. */
function work(options: ProxyOptions): Promise<never> {
  return runWorker({
    sockets: new PodSockets(0),
    accessLog: accessLogSinks(),
    clock: systemClock,
    random: Math.random,
    log: createLogger("worker", { level: logLevel(options.logLevel) }),
  });
}

/** As Envoy: 0 is one for each core. */
function workerCount(concurrency: string): number {
  const count = Number(concurrency);
  if (!Number.isInteger(count) || count < 0) throw new ChainmailError("USAGE", `--concurrency ${concurrency} is not a number of processes`);
  return count || availableParallelism();
}

function logLevel(level: string): LogLevel {
  const levels: Record<string, LogLevel> = {
    trace: "debug",
    debug: "debug",
    info: "info",
    warning: "warn",
    warn: "warn",
    error: "error",
    critical: "error",
    off: "none",
  };
  const known = levels[level];
  if (!known) throw new ChainmailError("USAGE", `error: invalid log level specified '${level}'`);
  return known;
}
