import { compileRegex } from "../../base/regex/index.ts";
import type { ProxyServer } from "../bootstrap/index.ts";
import type { AdminDeps } from "./admin.ts";
import { certsJson } from "./certs.ts";
import { clustersJson, clustersText } from "./clusters.ts";
import { collectDump } from "./collect-dump.ts";
import type { AdminAnswer } from "./dump-input.ts";
import { adminJson } from "./json.ts";
import { listenersJson, listenersText } from "./listeners.ts";
import { LogLevels } from "./log-levels.ts";
import { runtimeJson } from "./runtime.ts";
import { serverInfo } from "./server-info.ts";
import { prometheusText, serverStats } from "./server-stats.ts";
import { filterPrometheus, statLines } from "./stats-text.ts";
import { UNSUPPORTED } from "./unsupported.ts";

interface Page {
  readonly help: string;
  /** Parameters with their explanations. */
  readonly params?: readonly (readonly [name: string, help: string])[];
  /** True for pages that change something: they take POST only. */
  readonly mutates?: boolean;
  readonly answer: (params: URLSearchParams) => AdminAnswer | Promise<AdminAnswer>;
}

/** The pages by their paths. */
export class AdminPages {
  readonly #server: ProxyServer;
  readonly #pages: Readonly<Record<string, Page>>;

  constructor(deps: AdminDeps) {
    this.#server = deps.server;
    this.#pages = adminPages(deps);
  }

  async handle(method: string, url: URL): Promise<AdminAnswer> {
    const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, "") : url.pathname;
    if (path === "/" || path === "/help") return text(this.#help());
    const page = this.#pages[path];
    const missing = UNSUPPORTED[path];
    if (missing !== undefined) return text(`${path} is not supported by this proxy: ${missing}\n`, 404);
    if (!page) return text(`invalid path. ${this.#help()}`, 404);
    if (page.mutates && method !== "POST") return text(`Method ${method} not allowed, POST required.`, 405);
    if (path.startsWith("/stats")) await this.#server.dataPlane.refreshStats?.();
    else if (path === "/clusters") await this.#server.dataPlane.refreshStats?.("clusters");
    return page.answer(url.searchParams);
  }

  #help(): string {
    const pages: [string, Pick<Page, "help" | "params" | "mutates">][] = [
      ["/", { help: "Admin home page" }],
      ["/help", { help: "print out list of admin commands" }],
      ...Object.entries(this.#pages),
    ];
    const lines = pages
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([path, { help, params = [], mutates }]) => [
        `  ${path}${mutates ? " (POST)" : ""}: ${help}\n`,
        ...params.map(([name, explanation]) => `      ${name}: ${explanation}\n`),
      ]);
    return `admin commands are:\n${lines.join("")}`;
  }
}

function adminPages({ server, print, loggers, logLevel, quit }: AdminDeps): Record<string, Page> {
  const { dataPlane, deps } = server;
  const levels = new LogLevels(loggers, logLevel);
  const allSecrets = () => [...(deps.localSecrets?.list() ?? []), ...server.staticSecrets.list(), ...server.adsSecrets.list()];
  const prometheus = (): string => prometheusText(server);
  const stats = (params: URLSearchParams): AdminAnswer => {
    const format = params.get("format") ?? "text";
    if (format === "prometheus") return prometheusAnswer(prometheus(), params);
    if (format !== "text" && format !== "json") return text("usage: /stats?format=text|json|prometheus\n", 400);
    const keep = statFilter(params);
    if (typeof keep === "string") return text(keep, 400);
    const own = serverStats(server).map(({ name, value, kind }) => ({ name, value: String(value), kind }));
    const dotted = dataPlane.dottedStats?.() ?? { lines: [], others: dataPlane.prometheus() };
    const kind = STAT_TYPES[(params.get("type") ?? "All").toLowerCase()];
    if (kind === undefined) return text("invalid &type= param", 400);
    const lines = [...own, ...dotted.lines, ...statLines(dotted.others)]
      .filter((line) => (kind === "" || line.kind === kind) && keep(line.name, line.value))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    if (format === "text") return text(lines.map(({ name, value }) => `${name}: ${value}\n`).join(""));
    return json({ stats: lines.filter(({ value }) => !Number.isNaN(Number(value))).map(({ name, value }) => ({ name, value: Number(value) })) });
  };
  return {
    "/certs": { help: "print the certificates in use", answer: () => json(certsJson(allSecrets(), deps.clock.now())) },
    "/clusters": {
      help: "upstream clusters and their hosts",
      params: [
        ["format", "text or json"],
        ["filter", "regular expression on cluster names"],
      ],
      answer(params) {
        const keep = pattern(params.get("filter"));
        if (typeof keep === "string") return text(keep, 400);
        const clusters = dataPlane.clusters().filter(({ name }) => keep(name));
        return params.get("format") === "json" ? json(clustersJson(clusters)) : text(clustersText(clusters));
      },
    },
    "/config_dump": {
      help: "the configuration in force",
      params: [
        ["resource", "one repeated field, its elements apart"],
        ["mask", "field mask: dumps that have all of the fields, cut down to them"],
        ["name_regex", "only what has a matching name"],
        ["include_eds", "endpoints too"],
      ],
      answer: (params) =>
        print(
          collectDump(server, {
            includeEds: params.has("include_eds"),
            ...(params.has("resource") && { resource: params.get("resource") ?? "" }),
            ...(params.has("mask") && { mask: params.get("mask") ?? "" }),
            ...(params.has("name_regex") && { nameRegex: params.get("name_regex") ?? "" }),
          }),
        ),
    },
    "/drain_listeners": {
      help: "stop accepting connections and let those open finish",
      params: [
        ["graceful", "go on accepting for the drain time, and ask each connection to go after its request"],
        ["skip_exit", "ask connections to go, but never stop accepting"],
        ["inboundonly", "only listeners whose traffic direction is inbound"],
      ],
      mutates: true,
      answer(params) {
        const graceful = params.has("graceful") ? deps.drainTimeMs : undefined;
        server.drainListeners({ inboundOnly: params.has("inboundonly"), acceptForMs: params.has("skip_exit") ? Infinity : graceful });
        return text("OK\n");
      },
    },
    "/contention": {
      help: "mutex contention",
      answer: () => text("Mutex contention tracing is not enabled. There are no mutexes: one thread does all the work.\n"),
    },
    "/healthcheck/fail": { help: "report unhealthy", mutates: true, answer: () => (server.failHealthCheck(true), text("OK\n")) },
    "/healthcheck/ok": { help: "report healthy again", mutates: true, answer: () => (server.failHealthCheck(false), text("OK\n")) },
    "/hot_restart_version": { help: "version of hot restart", answer: () => text("disabled\n") },
    "/init_dump": {
      help: "what has not been initialized",
      params: [["mask", "listener, for listeners only"]],
      answer(params) {
        const waiting = server.unready(params.get("mask") === "listener");
        return json(waiting.length > 0 ? { unready_targets_dumps: waiting.map(({ name, targets }) => ({ name, target_names: targets })) } : {});
      },
    },
    "/listeners": {
      help: "listener addresses",
      params: [["format", "text or json"]],
      answer: (params) => (params.get("format") === "json" ? json(listenersJson(dataPlane.listeners())) : text(listenersText(dataPlane.listeners()))),
    },
    "/logging": {
      help: "show or change log levels",
      params: [
        ["level", "level of all loggers"],
        ["paths", "logger:level, more after commas"],
        ["<logger>", "level of one logger"],
      ],
      mutates: true,
      answer: (params) => levels.handle(params),
    },
    "/memory": {
      help: "memory of the process",
      answer() {
        const { heapUsed, heapTotal, rss } = process.memoryUsage();
        return json({
          allocated: String(heapUsed),
          heap_size: String(heapTotal),
          pageheap_unmapped: "0",
          pageheap_free: String(Math.max(0, heapTotal - heapUsed)),
          total_thread_cache: "0",
          total_physical_bytes: String(rss),
        });
      },
    },
    "/quitquitquit": {
      help: "exit the server",
      mutates: true,
      answer() {
        // After the answer has left.
        deps.clock.after(10, quit);
        return text("OK\n");
      },
    },
    "/ready": { help: "state of the server: 200 when LIVE, else 503", answer: () => text(`${server.state}\n`, server.state === "LIVE" ? 200 : 503) },
    "/reopen_logs": { help: "reopen access logs: a file is opened for each write, so that nothing is to be done", mutates: true, answer: () => text("OK\n") },
    "/reset_counters": { help: "set all counters to zero", mutates: true, answer: () => (dataPlane.resetCounters?.(), text("OK\n")) },
    "/runtime": { help: "runtime values of the bootstrap", answer: () => json(runtimeJson(deps.bootstrap.json)) },
    "/server_info": { help: "version and state of the server", answer: () => json(serverInfo(server)) },
    "/stats": {
      help: "statistics",
      params: [["format", "text, json or prometheus"], ["type", "All, Counters, Gauges or Histograms"], ...FILTERS],
      answer: stats,
    },
    "/stats/prometheus": {
      help: "statistics in Prometheus' text format",
      params: FILTERS,
      answer: (params) => prometheusAnswer(prometheus(), params),
    },
  };
}

const FILTERS = [
  ["filter", "regular expression on names"],
  ["invert_filter", "those that do not match"],
  ["usedonly", "only what has been counted"],
] as const;

const STAT_TYPES: Readonly<Record<string, string>> = { all: "", counters: "counter", gauges: "gauge", histograms: "histogram", textreadouts: "text" };

function prometheusAnswer(whole: string, params: URLSearchParams): AdminAnswer {
  const keep = statFilter(params);
  if (typeof keep === "string") return text(keep, 400);
  return text(params.has("filter") || params.has("usedonly") ? filterPrometheus(whole, keep) : whole);
}

function statFilter(params: URLSearchParams): ((name: string, value: string) => boolean) | string {
  const matches = pattern(params.get("filter"));
  if (typeof matches === "string") return matches;
  const usedOnly = params.has("usedonly");
  const wanted = !(params.has("filter") && params.has("invert_filter"));
  return (name, value) => matches(name) === wanted && !(usedOnly && value === "0");
}

/** What names an operator asks for. */
function pattern(source: string | null): ((name: string) => boolean) | string {
  if (source === null) return () => true;
  try {
    return compileRegex(source, "re2").found;
  } catch (error) {
    return `Invalid re2 regex: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function text(body: string, status = 200): AdminAnswer {
  return { status, contentType: "text/plain; charset=UTF-8", body };
}

function json(value: object): AdminAnswer {
  return { status: 200, contentType: "application/json", body: adminJson(value) };
}
