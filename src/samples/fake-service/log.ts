import type { FakeServiceConfig } from "./config.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error"];

export interface SampleLog {
  info(message: string, fields?: Record<string, string>): void;
  error(message: string, fields?: Record<string, string>): void;
}

/** Lines on stdout in the layout of HashiCorp's logger: `<time> [INFO]  message: key=value`, or as JSON. */
export function createSampleLog(config: FakeServiceConfig["log"], write: (line: string) => void, now: () => number): SampleLog {
  const threshold = Math.max(0, LEVELS.indexOf(config.level));
  const emit =
    (level: "info" | "error") =>
    (message: string, fields: Record<string, string> = {}) => {
      if (LEVELS.indexOf(level) < threshold) return;
      const time = new Date(now()).toISOString();
      if (config.json) {
        write(`${JSON.stringify({ "@level": level, "@message": message, "@timestamp": time, ...fields })}\n`);
        return;
      }
      const label = level === "info" ? "[INFO] " : "[ERROR]";
      const pairs = Object.entries(fields).map(([key, value]) => renderField(key, value));
      write(`${time} ${label} ${message}${pairs.length ? `:${pairs.join("")}` : ""}\n`);
    };
  return { info: emit("info"), error: emit("error") };
}

/** A value of several lines is set off by bars, one line each. */
function renderField(key: string, value: string): string {
  if (value.includes("\n"))
    return `\n  ${key}=\n${value
      .split("\n")
      .map((line) => `  | ${line}`)
      .join("\n")}\n`;
  return ` ${key}=${/[\s"]/.test(value) ? JSON.stringify(value) : value}`;
}
