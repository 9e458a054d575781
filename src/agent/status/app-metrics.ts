import { ChainmailError } from "../../base/index.ts";
import type { AppMetrics } from "./status-server.ts";

/**
 * The application's own metrics endpoint, which injection took out of the pod's annotations and replaced by the agent's:
 * ISTIO_PROMETHEUS_ANNOTATIONS. undefined when the application has none.
 */
export function readAppMetrics(text: string | undefined): AppMetrics | undefined {
  if (!text) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new ChainmailError("APP_METRICS_INVALID", "ISTIO_PROMETHEUS_ANNOTATIONS is not an object");
  const { scrape, port, path } = value as Record<string, unknown>;
  if (String(scrape) === "false") return undefined;
  const number = Number(port ?? 80);
  if (!Number.isInteger(number) || number < 1 || number > 65535)
    throw new ChainmailError("APP_METRICS_INVALID", `ISTIO_PROMETHEUS_ANNOTATIONS: port ${String(port)} is not a number`);
  return { port: number, path: typeof path === "string" && path !== "" ? path : "/metrics" };
}
