import type { MessageInitShape } from "@bufbuild/protobuf";
import { packAny } from "../../../proto/index.ts";
import { PluginConfigSchema, type MetricConfigSchema } from "../../../proto/gen/stats/config_pb.ts";
import { parseDuration, type FilterConfig } from "../../policy/index.ts";
import { compareText, type MeshConfig } from "../../registry/index.ts";
import { findProvider, providerNames, type MetricsSpec, type TrafficClass } from "./applied.ts";

type Side = "CLIENT" | "SERVER";
type Override = NonNullable<MetricsSpec["overrides"]>[number];

interface MetricState {
  disabled: boolean | undefined;
  tags: Map<string, { remove: boolean; value: string }>;
}

interface SideState {
  disabled: boolean;
  metrics: Map<string, MetricState>;
}

interface ProviderState {
  reportingInterval: string | undefined;
  CLIENT: SideState;
  SERVER: SideState;
}

/** Istio's metrics by the names of the API and of Prometheus; whatever is for all goes through them in this order. */
const METRICS: Readonly<Record<string, string>> = {
  GRPC_REQUEST_MESSAGES: "request_messages_total",
  GRPC_RESPONSE_MESSAGES: "response_messages_total",
  REQUEST_COUNT: "requests_total",
  REQUEST_DURATION: "request_duration_milliseconds",
  REQUEST_SIZE: "request_bytes",
  RESPONSE_SIZE: "response_bytes",
  TCP_CLOSED_CONNECTIONS: "tcp_connections_closed_total",
  TCP_OPENED_CONNECTIONS: "tcp_connections_opened_total",
  TCP_RECEIVED_BYTES: "tcp_received_bytes_total",
  TCP_SENT_BYTES: "tcp_sent_bytes_total",
};

/** The filters that count requests and connections; the same in HTTP and network chains. */
export function statsFilters(metrics: readonly MetricsSpec[], mesh: MeshConfig, trafficClass: TrafficClass): FilterConfig[] {
  const merged = mergeMetrics(metrics, mesh);
  return [...merged.keys()].sort(compareText).flatMap((name): FilterConfig[] => {
    const state = merged.get(name);
    const side = state?.[trafficClass === "inbound" ? "SERVER" : "CLIENT"];
    if (!state || !side || side.disabled || !findProvider(mesh, name)?.["prometheus"]) return [];
    const tcpReportingDuration = parseDuration(state.reportingInterval);
    return [
      {
        name: "istio.stats",
        typedConfig: packAny(PluginConfigSchema, {
          // Where the host header comes from outside, it must not become a label.
          disableHostHeaderFallback: trafficClass !== "outbound",
          ...(tcpReportingDuration && { tcpReportingDuration }),
          metrics: [...side.metrics.keys()].sort(compareText).map((metric) => metricConfig(metric, side.metrics.get(metric))),
        }),
      },
    ];
  });
}

function metricConfig(metric: string, state: MetricState | undefined): MessageInitShape<typeof MetricConfigSchema> {
  const tags = [...(state?.tags ?? [])].sort(([a], [b]) => compareText(a, b));
  return {
    name: METRICS[metric] ?? metric,
    drop: state?.disabled ?? false,
    dimensions: Object.fromEntries(tags.filter(([, tag]) => !tag.remove).map(([name, { value }]) => [name, value])),
    tagsToRemove: tags.filter(([, tag]) => tag.remove).map(([name]) => name),
  };
}

/** Later entries override earlier ones, metric by metric and tag by tag; the last that names providers says which count. */
function mergeMetrics(specs: readonly MetricsSpec[], mesh: MeshConfig): Map<string, ProviderState> {
  const defaults = mesh.defaultProviders.metrics ?? [];
  const states = new Map<string, ProviderState>();
  if (specs.length === 0) for (const name of defaults) states.set(name, newState());
  const inScope = new Set(specs.map(({ providers }) => providerNames(providers)).findLast((names) => names.length > 0) ?? defaults);
  let inherited = defaults;
  for (const spec of specs) {
    const own = providerNames(spec.providers);
    if (own.length > 0) inherited = own;
    for (const provider of inherited) {
      if (!inScope.has(provider)) continue;
      const state = states.get(provider) ?? newState();
      states.set(provider, state);
      if (spec.reportingInterval !== undefined) state.reportingInterval = spec.reportingInterval;
      for (const override of spec.overrides ?? []) applyOverride(state, override);
    }
  }
  return states;
}

function applyOverride(state: ProviderState, override: Override): void {
  const { match } = override;
  const names =
    match?.customMetric !== undefined ? [match.customMetric] : match?.metric === undefined || match.metric === "ALL_METRICS" ? undefined : [match.metric];
  for (const side of sidesOf(match?.mode)) {
    if (!names && override.disabled) {
      state[side].disabled = true;
      continue;
    }
    state[side].disabled = false;
    for (const name of names ?? Object.keys(METRICS)) {
      const metric = state[side].metrics.get(name) ?? { disabled: undefined, tags: new Map() };
      state[side].metrics.set(name, metric);
      if (override.disabled !== undefined && override.disabled !== null) metric.disabled = override.disabled;
      for (const [tag, { operation, value }] of Object.entries(override.tagOverrides ?? {}))
        metric.tags.set(tag, { remove: operation === "REMOVE", value: value ?? "" });
    }
  }
}

function sidesOf(mode: string | undefined): Side[] {
  return mode === "CLIENT" || mode === "SERVER" ? [mode] : ["CLIENT", "SERVER"];
}

function newState(): ProviderState {
  const side = (): SideState => ({ disabled: false, metrics: new Map() });
  return { reportingInterval: undefined, CLIENT: side(), SERVER: side() };
}
