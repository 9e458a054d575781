import { ChainmailError } from "../../base/index.ts";
import { type Health, type QueryClient, type QuerySample, healthOf } from "../../telemetry/index.ts";

/** Rates by protocol and code, as Kiali's API has them. */
export type Rates = Record<string, Record<string, number>>;

export interface RequestHealth {
  inbound: Rates;
  outbound: Rates;
  healthAnnotations: Record<string, string>;
}

/** How everything in some namespaces stands, by its recent requests. */
export interface HealthIndex {
  /** Why nothing is known, where the metrics store could not be asked. */
  readonly problem: string | undefined;
  workload(namespace: string, name: string): RequestHealth;
  service(namespace: string, name: string): RequestHealth;
  app(namespace: string, name: string): RequestHealth;
}

const CODES = ["request_protocol", "response_code", "grpc_response_status"];
const INBOUND = [
  "reporter",
  "destination_workload_namespace",
  "destination_workload",
  "destination_canonical_service",
  "destination_service_namespace",
  "destination_service_name",
  ...CODES,
];
const OUTBOUND = ["source_workload_namespace", "source_workload", "source_canonical_service", ...CODES];

/** Two questions for any number of namespaces. */
export async function loadHealth(queries: QueryClient, namespaces: readonly string[], seconds: number): Promise<HealthIndex> {
  if (namespaces.length === 0) return new Index([], []);
  const any = namespaces.map((name) => name.replace(/[^a-zA-Z0-9_-]/g, "\\\\$&")).join("|");
  const [inbound, outbound] = await Promise.all([
    queries.instant(`sum(rate(istio_requests_total{destination_service_namespace=~"${any}"}[${seconds}s])) by (${INBOUND.join(",")}) > 0`),
    queries.instant(`sum(rate(istio_requests_total{reporter="source",source_workload_namespace=~"${any}"}[${seconds}s])) by (${OUTBOUND.join(",")}) > 0`),
  ]);
  return new Index(inbound, outbound);
}

/** The same, and nothing known instead of an error: what runs is told by the API server, whatever becomes of the metrics. */
export async function healthOrUnknown(queries: QueryClient, namespaces: readonly string[], seconds: number): Promise<HealthIndex> {
  return loadHealth(queries, namespaces, seconds).catch((thrown: unknown) => {
    if (thrown instanceof ChainmailError) return new Index([], [], thrown.message);
    throw thrown;
  });
}

/** The word for rates by code. */
export function statusOf({ inbound, outbound }: Pick<RequestHealth, "inbound" | "outbound">): Health {
  const flows = (rates: Rates) =>
    Object.entries(rates).flatMap(([protocol, codes]) =>
      Object.entries(codes).map(([code, rate]) => ({
        protocol: protocol === "grpc" ? ("grpc" as const) : ("http" as const),
        code: code === "-" ? "0" : code,
        rate,
      })),
    );
  const [into, out] = [healthOf(flows(inbound)), healthOf(flows(outbound))];
  return (["failing", "degraded", "healthy", "idle"] as const).find((word) => into === word || out === word) ?? "idle";
}

/** Kiali's word for ours. */
export function kialiStatus(health: Health): string {
  return { healthy: "Healthy", degraded: "Degraded", failing: "Failure", idle: "NA" }[health];
}

export function totalRate(rates: Rates): number {
  return Object.values(rates).reduce((sum, codes) => sum + Object.values(codes).reduce((a, b) => a + b, 0), 0);
}

export function errorRate(rates: Rates): number {
  let errors = 0;
  for (const [protocol, codes] of Object.entries(rates)) {
    for (const [code, rate] of Object.entries(codes)) if (code === "-" || (protocol === "grpc" ? code !== "0" : Number(code) >= 400)) errors += rate;
  }
  return errors;
}

class Index implements HealthIndex {
  constructor(
    private readonly inbound: QuerySample[],
    private readonly outbound: QuerySample[],
    readonly problem: string | undefined = undefined,
  ) {}

  workload(namespace: string, name: string): RequestHealth {
    return this.#of(
      (l) => l.destination_workload_namespace === namespace && l.destination_workload === name,
      (l) => l.source_workload_namespace === namespace && l.source_workload === name,
    );
  }

  service(namespace: string, name: string): RequestHealth {
    return this.#of(
      (l) => l.destination_service_namespace === namespace && l.destination_service_name === name,
      () => false,
    );
  }

  app(namespace: string, name: string): RequestHealth {
    return this.#of(
      (l) => l.destination_workload_namespace === namespace && l.destination_canonical_service === name,
      (l) => l.source_workload_namespace === namespace && l.source_canonical_service === name,
    );
  }

  #of(into: (labels: QuerySample["labels"]) => boolean, from: (labels: QuerySample["labels"]) => boolean): RequestHealth {
    const byReporter: Record<string, Rates> = { source: {}, destination: {} };
    for (const { labels, value } of this.inbound) if (into(labels)) add((byReporter[labels.reporter ?? ""] ??= {}), labels, value);
    // Both ends report what both have seen: the higher of the two is what happened.
    const inbound: Rates = {};
    for (const rates of Object.values(byReporter))
      for (const [protocol, codes] of Object.entries(rates))
        for (const [code, rate] of Object.entries(codes)) (inbound[protocol] ??= {})[code] = Math.max(inbound[protocol][code] ?? 0, rate);
    const outbound: Rates = {};
    for (const { labels, value } of this.outbound) if (from(labels)) add(outbound, labels, value);
    return { inbound, outbound, healthAnnotations: {} };
  }
}

function add(rates: Rates, labels: QuerySample["labels"], value: number): void {
  const protocol = labels.request_protocol ?? "http";
  const code =
    labels.response_code === "0" ? "-" : protocol === "grpc" ? (labels.grpc_response_status ?? labels.response_code ?? "-") : (labels.response_code ?? "-");
  const codes = (rates[protocol] ??= {});
  codes[code] = Math.round(((codes[code] ?? 0) + value) * 1000) / 1000;
}
