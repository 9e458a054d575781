import type { EdgeTraffic } from "./model.ts";

/** By Kiali's default thresholds; "idle" where there was no traffic to judge by. */
export type Health = "healthy" | "degraded" | "failing" | "idle";

/** Percent of all requests, by protocol and codes: above `degraded` and from `failing` on. https://kiali.io/docs/configuration/health/ */
const THRESHOLDS: { protocol: EdgeTraffic["protocol"]; code: RegExp; degraded: number; failing: number }[] = [
  { protocol: "http", code: /^(?:5\d\d|0)$/, degraded: 0, failing: 10 },
  { protocol: "http", code: /^4\d\d$/, degraded: 10, failing: 20 },
  { protocol: "grpc", code: /^(?:[1-9]|1[0-6])$/, degraded: 0, failing: 10 },
];

export function healthOf(traffic: readonly Pick<EdgeTraffic, "protocol" | "code" | "rate">[]): Health {
  if (!traffic.some((flow) => flow.rate > 0)) return "idle";
  let worst: Health = "healthy";
  for (const { protocol, code, degraded, failing } of THRESHOLDS) {
    const flows = traffic.filter((flow) => flow.protocol === protocol);
    const total = flows.reduce((sum, flow) => sum + flow.rate, 0);
    const errors = flows.filter((flow) => code.test(flow.code)).reduce((sum, flow) => sum + flow.rate, 0);
    if (total === 0) continue;
    const percent = (errors / total) * 100;
    if (percent >= failing) return "failing";
    if (percent > degraded) worst = "degraded";
  }
  return worst;
}
