import type { L4Match } from "../../../resources/index.ts";
import { selects } from "../../registry/index.ts";

export interface MatchContext {
  /** Names of the gateways that stand for the proxy: `mesh`, or its gateways'. */
  readonly gateways: ReadonlySet<string>;
  readonly port: number;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Whether what a match says of gateway, port and source is true of a listener of a proxy. */
export function matchesSource(match: Pick<L4Match, "gateways" | "port" | "sourceLabels" | "sourceNamespace">, context: MatchContext): boolean {
  if (match.gateways?.length && !match.gateways.some((gateway) => context.gateways.has(gateway))) return false;
  if (match.port && match.port !== context.port) return false;
  if (match.sourceNamespace && match.sourceNamespace !== context.namespace) return false;
  return selects(match.sourceLabels ?? {}, context.labels);
}
