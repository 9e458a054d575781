import { XDS_TYPES } from "../../proto/index.ts";
import type { Labels, MetricsRegistry } from "../debug/metrics.ts";

/** What the xDS server counts, under the names that istiod's dashboards and alerts ask for. */
export interface XdsMetrics {
  received(bytes: number): void;
  generated(typeUrl: string, seconds: number): void;
  generationFailed(typeUrl: string): void;
  pushed(typeUrl: string, bytes: number, seconds: number): void;
  /** `proxy` is `<pod>.<namespace>`. */
  rejected(typeUrl: string, proxy: string): void;
  /** A proxy has been sent all that a change means for it. */
  converged(seconds: number): void;
}

const SHORT = new Map<string, string>(Object.entries(XDS_TYPES).map(([name, url]) => [url, name.toLowerCase()]));
/** The same labels each time, so that they are rendered once. */
const labelsOf = labelCache((typeUrl) => ({ type: SHORT.get(typeUrl) ?? typeUrl }));
const urlLabelsOf = labelCache((typeUrl) => ({ type: typeUrl }));

/** Istio's buckets. */
const TIME_BUCKETS = [0.01, 0.1, 1, 3, 5, 10, 20, 30];
const CONVERGENCE_BUCKETS = [0.1, 0.5, 1, 3, 5, 10, 20, 30];
const SIZE_BUCKETS = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000];

export function createXdsMetrics(registry: MetricsRegistry): XdsMetrics {
  const received = registry.gauge("pilot_xds_recv_max", "The maximum size request we have received so far.");
  const generation = registry.histogram("pilot_xds_push_time", "Total time in seconds Pilot takes to push lds, rds, cds and eds.", TIME_BUCKETS);
  const sendTime = registry.histogram("pilot_xds_send_time", "Total time in seconds Pilot takes to send generated configuration.", TIME_BUCKETS);
  const size = registry.histogram("pilot_xds_config_size_bytes", "Distribution of configuration sizes pushed to clients", SIZE_BUCKETS);
  const pushes = registry.counter("pilot_xds_pushes", "Pilot build and send errors for lds, rds, cds and eds.");
  const rejects = registry.counter("pilot_total_xds_rejects", "Total number of XDS responses from pilot rejected by proxy.");
  const failures = registry.counter("pilot_total_xds_internal_errors", "Total number of internal XDS errors in pilot.");
  const convergence = registry.histogram(
    "pilot_proxy_convergence_time",
    "Delay in seconds between config change and a proxy receiving all required configuration.",
    CONVERGENCE_BUCKETS,
  );
  const refused = new Map(
    (["CDS", "EDS", "LDS", "RDS"] as const).map((type) => [
      XDS_TYPES[type] as string,
      registry.gauge(`pilot_xds_${type.toLowerCase()}_reject`, type === "LDS" ? "Pilot rejected LDS." : `Pilot rejected ${type} configs.`),
    ]),
  );
  let largest = 0;
  return {
    received(bytes) {
      if (bytes <= largest) return;
      largest = bytes;
      received.set(bytes);
    },
    generated: (typeUrl, seconds) => generation.observe(seconds, labelsOf(typeUrl)),
    generationFailed: () => failures.add(),
    pushed(typeUrl, bytes, seconds) {
      pushes.add(labelsOf(typeUrl));
      size.observe(bytes, urlLabelsOf(typeUrl));
      sendTime.observe(seconds);
    },
    rejected(typeUrl, proxy) {
      rejects.add(labelsOf(typeUrl));
      // Envoy gives one code for all that it refuses.
      refused.get(typeUrl)?.set(1, { node: proxy, err: "Internal" });
    },
    converged: (seconds) => convergence.observe(seconds),
  };
}

/** Types are few; a client that makes some up gets labels of its own each time. */
function labelCache(make: (typeUrl: string) => Labels): (typeUrl: string) => Labels {
  const known = new Map(Object.values(XDS_TYPES).map((typeUrl) => [typeUrl as string, make(typeUrl)]));
  return (typeUrl) => known.get(typeUrl) ?? make(typeUrl);
}
