import type { Logger, LogLevel } from "../../base/index.ts";
import type { AdminAnswer } from "./dump-input.ts";

/** Envoy's names for levels, and ours. */
const LEVELS: Record<string, LogLevel> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warn",
  warn: "warn",
  error: "error",
  critical: "error",
  off: "none",
};

/** What /logging shows and changes: a level for each named logger. */
export class LogLevels {
  readonly #names = new Map<string, string>();

  constructor(
    private readonly loggers: Readonly<Record<string, Logger>>,
    initial: LogLevel,
  ) {
    for (const name of Object.keys(loggers)) this.#names.set(name, initial === "warn" ? "warning" : initial === "none" ? "off" : initial);
  }

  handle(params: URLSearchParams): AdminAnswer {
    const changes: [string, string][] = [];
    for (const [key, value] of params) {
      if (key === "level") changes.push(...Object.keys(this.loggers).map((name): [string, string] => [name, value]));
      else if (key === "paths")
        changes.push(...value.split(",").map((pair): [string, string] => [pair.slice(0, pair.lastIndexOf(":")), pair.slice(pair.lastIndexOf(":") + 1)]));
      else changes.push([key, value]);
    }
    for (const [name, level] of changes) {
      if (!LEVELS[level]) return { status: 400, contentType: "text/plain", body: `error: unknown logger level\n` };
      if (!this.loggers[name]) return { status: 400, contentType: "text/plain", body: `error: unknown logger name\n` };
    }
    for (const [name, level] of changes) {
      this.loggers[name]?.setLevel(LEVELS[level] ?? "info");
      this.#names.set(name, level === "warn" ? "warning" : level);
    }
    return {
      status: 200,
      contentType: "text/plain; charset=UTF-8",
      body: `active loggers:\n${[...this.#names].map(([name, level]) => `  ${name}: ${level}\n`).join("")}\n`,
    };
  }
}
