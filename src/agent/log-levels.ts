import type { LogLevel } from "../base/index.ts";

/** `default:info` and the like; the first scope's level counts for all. */
export function istioLevel(text: string): LogLevel {
  return envoyLevel(text.split(",")[0]?.split(":").at(-1) ?? "info");
}

export function envoyLevel(text: string): LogLevel {
  switch (text) {
    case "trace":
    case "debug":
      return "debug";
    case "warning":
    case "warn":
      return "warn";
    case "error":
    case "critical":
    case "fatal":
      return "error";
    case "off":
    case "none":
      return "none";
    default:
      return "info";
  }
}
