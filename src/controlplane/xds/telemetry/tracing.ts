import type { MessageInitShape } from "@bufbuild/protobuf";
import { packAny, type Init } from "../../../proto/index.ts";
import { HeaderValueOption_HeaderAppendAction } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { DatadogConfigSchema } from "../../../proto/gen/envoy/config/trace/v3/datadog_pb.ts";
import { SkyWalkingConfigSchema } from "../../../proto/gen/envoy/config/trace/v3/skywalking_pb.ts";
import {
  ZipkinConfig_CollectorEndpointVersion,
  ZipkinConfig_TraceContextOption,
  ZipkinConfigSchema,
} from "../../../proto/gen/envoy/config/trace/v3/zipkin_pb.ts";
import type { HttpConnectionManager_TracingSchema } from "../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { CustomTagSchema } from "../../../proto/gen/envoy/type/tracing/v3/custom_tag_pb.ts";
import { parseDuration } from "../../policy/index.ts";
import { compareText, type ExtensionProvider, type MeshConfig, type ProxyConfigSpec } from "../../registry/index.ts";
import type { ClusterLookup } from "../cluster-lookup.ts";
import { metadataText, nodeCluster } from "../proxy.ts";
import type { ProxyNode } from "../types.ts";
import { otelTracing, type OtelProvider } from "./otel-tracing.ts";
import { findProvider, matchesSide, providerNames, type TracingSpec, type TrafficClass } from "./applied.ts";

type Tracing = Init<typeof HttpConnectionManager_TracingSchema>;
type Tag = MessageInitShape<typeof CustomTagSchema>;
type TagSpec = NonNullable<TracingSpec["customTags"]>[string];

/** What a connection manager is given; `requestIdDecides` undefined keeps the default. */
export interface HttpTracing {
  readonly tracing: Tracing | undefined;
  readonly requestIdDecides: boolean | undefined;
}

interface EffectiveTracing {
  provider: ExtensionProvider | undefined;
  disabled: boolean;
  sampling: number | undefined;
  tags: Record<string, TagSpec>;
  requestIdDecides: boolean;
  istioTags: boolean;
  noContextPropagation: boolean;
}

interface TracingSource {
  readonly specs: readonly TracingSpec[];
  readonly mesh: MeshConfig;
  readonly proxyConfig: ProxyConfigSpec;
  readonly node: ProxyNode;
  readonly trafficClass: TrafficClass;
  readonly lookup: ClusterLookup;
}

/** Percent of requests that start a trace when nobody says another number. */
const DEFAULT_SAMPLING = 1;
const SPANS_PATH = "/api/v2/spans";
/** A collector that does not answer must not hold spans for ever. */
const COLLECTOR_TIMEOUT = { seconds: 5n };
const DRY_RUN_TAGS: readonly Tag[] = ["allow", "deny"].flatMap((action): Tag[] => [
  dryRunTag(`istio.authorization.dry_run.${action}_policy.name`, `istio_dry_run_${action}_shadow_effective_policy_id`),
  dryRunTag(`istio.authorization.dry_run.${action}_policy.result`, `istio_dry_run_${action}_shadow_engine_result`),
]);

/** Tracing of HTTP connections: as Telemetry resources and default providers say, else as the bootstrap has it. */
export function httpTracing(source: TracingSource): HttpTracing {
  const { mesh, proxyConfig, node } = source;
  const own = proxyConfig.tracing ?? {};
  const pathLength = typeof own["maxPathTagLength"] === "number" && own["maxPathTagLength"] !== 0 ? { maxPathTagLength: own["maxPathTagLength"] } : {};
  if (source.specs.length === 0 && !mesh.defaultProviders.tracing?.length) {
    if (!mesh.enableTracing) return NONE;
    const istioTags = own["enableIstioTags"] !== false;
    return { tracing: { ...sampling(samplingOf(proxyConfig)), ...pathLength, customTags: customTags(istioTags, {}, own, node) }, requestIdDecides: undefined };
  }
  const effective = effectiveTracing(source);
  if (effective.disabled || !effective.provider) return NONE;
  const provider = tracer(effective.provider, node, source.lookup);
  if (!provider) return NONE;
  return {
    tracing: {
      ...pathLength,
      ...provider.tracing,
      ...sampling(provider.samples ? 100 : (effective.sampling ?? samplingOf(proxyConfig))),
      customTags: customTags(effective.istioTags, effective.tags, own, node),
      ...(effective.noContextPropagation && knowsContextSwitch(node) && { noContextPropagation: true }),
    },
    requestIdDecides: effective.requestIdDecides,
  };
}

const NONE: HttpTracing = { tracing: undefined, requestIdDecides: undefined };

function effectiveTracing({ specs, mesh, trafficClass }: TracingSource): EffectiveTracing {
  const [first] = mesh.defaultProviders.tracing ?? [];
  const effective: EffectiveTracing = {
    provider: first === undefined ? undefined : findProvider(mesh, first),
    disabled: false,
    sampling: undefined,
    tags: {},
    requestIdDecides: true,
    istioTags: true,
    noContextPropagation: false,
  };
  for (const spec of specs) {
    if (!matchesSide(spec.match?.mode, trafficClass)) continue;
    const [name] = providerNames(spec.providers);
    if (name !== undefined) effective.provider = findProvider(mesh, name);
    effective.disabled = spec.disableSpanReporting ?? effective.disabled;
    effective.tags = spec.customTags ?? effective.tags;
    effective.sampling = spec.randomSamplingPercentage ?? effective.sampling;
    effective.requestIdDecides = spec.useRequestIdForTraceSampling ?? effective.requestIdDecides;
    effective.istioTags = spec.enableIstioTags ?? effective.istioTags;
    effective.noContextPropagation = spec.disableContextPropagation ?? effective.noContextPropagation;
  }
  return effective;
}

/** Proxies before Istio 1.30 refuse the field; a version of another form is taken for a newer one. */
function knowsContextSwitch({ istioVersion }: ProxyNode): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(istioVersion) ?? [];
  return major === undefined || Number(major) !== 1 || Number(minor) >= 30;
}

function samplingOf(config: ProxyConfigSpec): number {
  const own = config.tracing?.["sampling"];
  if (typeof own !== "number" || own === 0) return DEFAULT_SAMPLING;
  return own > 100 ? DEFAULT_SAMPLING : own;
}

function sampling(percent: number): Tracing {
  return { clientSampling: { value: 100 }, overallSampling: { value: 100 }, randomSampling: { value: percent } };
}

/** Where spans go. `samples` says that the tracer decides itself what it keeps. */
function tracer(provider: ExtensionProvider, node: ProxyNode, lookup: ClusterLookup): { tracing: Tracing; samples: boolean } | undefined {
  const settings = (field: string) => provider[field] as (Record<string, unknown> & { service?: string; port?: number; maxTagLength?: number }) | undefined;
  const kind = (["zipkin", "datadog", "skywalking", "opentelemetry"] as const).find((field) => settings(field));
  const config = kind && settings(kind);
  const target = config && lookup(config.service ?? "", config.port ?? 0);
  if (!kind || !config || !target) return undefined;
  const grpcService = { targetSpecifier: { case: "envoyGrpc" as const, value: { clusterName: target.cluster, authority: target.hostname } } };
  // A gateway's own work is a span of its own; SkyWalking knows no other way.
  const spawn = node.type === "router" || kind === "skywalking" ? { spawnUpstreamSpan: true } : {};
  const built = (name: string, typedConfig: ReturnType<typeof packAny>, samples = false) => ({
    tracing: {
      ...spawn,
      provider: { name, configType: { case: "typedConfig" as const, value: typedConfig } },
      ...(config.maxTagLength && kind !== "skywalking" && { maxPathTagLength: config.maxTagLength }),
    },
    samples,
  });
  const serviceName = nodeCluster(node);
  switch (kind) {
    case "zipkin":
      return built(
        "envoy.tracers.zipkin",
        packAny(ZipkinConfigSchema, {
          collectorService: {
            httpUri: {
              uri: `http://${target.hostname}${typeof config["path"] === "string" && config["path"] ? config["path"] : SPANS_PATH}`,
              httpUpstreamType: { case: "cluster", value: target.cluster },
              timeout: parseDuration(config["timeout"] as string | undefined) ?? COLLECTOR_TIMEOUT,
            },
            requestHeadersToAdd: headersOf(config["headers"]),
          },
          traceContextOption:
            config["traceContextOption"] === "USE_B3_WITH_W3C_PROPAGATION"
              ? ZipkinConfig_TraceContextOption.USE_B3_WITH_W3C_PROPAGATION
              : ZipkinConfig_TraceContextOption.USE_B3,
          collectorEndpointVersion: ZipkinConfig_CollectorEndpointVersion.HTTP_JSON,
          traceId128bit: config["enable64bitTraceId"] !== true,
          sharedSpanContext: false,
        }),
      );
    case "datadog":
      return built(
        "envoy.tracers.datadog",
        packAny(DatadogConfigSchema, { collectorCluster: target.cluster, collectorHostname: target.hostname, serviceName }),
      );
    case "skywalking":
      return built("envoy.tracers.skywalking", packAny(SkyWalkingConfigSchema, { grpcService }));
    case "opentelemetry": {
      const otel = otelTracing(config as OtelProvider, target, node, serviceName, lookup);
      return otel && built("envoy.tracers.opentelemetry", otel.config, otel.samples);
    }
  }
}

function headersOf(headers: unknown) {
  const list = Array.isArray(headers) ? (headers as { name: string; value?: string }[]) : [];
  return list.map(({ name, value }) => ({
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    header: { key: name, value: value ?? "" },
  }));
}

function customTags(istioTags: boolean, specified: Record<string, TagSpec>, ownTracing: Record<string, unknown>, node: ProxyNode): Tag[] {
  const tags: Tag[] = istioTags ? [...serviceTags(node), ...DRY_RUN_TAGS] : [];
  const chosen = Object.keys(specified).length > 0 ? specified : ((ownTracing["customTags"] ?? {}) as Record<string, TagSpec>);
  for (const [tag, spec] of Object.entries(chosen)) {
    if (spec.environment)
      tags.push({ tag, type: { case: "environment", value: { name: spec.environment.name, defaultValue: spec.environment.defaultValue ?? "" } } });
    else if (spec.header) tags.push({ tag, type: { case: "requestHeader", value: { name: spec.header.name, defaultValue: spec.header.defaultValue ?? "" } } });
    else if (spec.formatter) tags.push({ tag, type: { case: "value", value: spec.formatter.value } });
    else if (spec.literal) tags.push({ tag, type: { case: "literal", value: { value: spec.literal.value } } });
  }
  return tags.sort((a, b) => compareText(a.tag ?? "", b.tag ?? ""));
}

function serviceTags(node: ProxyNode): Tag[] {
  const literal = (tag: string, value: string): Tag => ({ tag, type: { case: "literal", value: { value } } });
  return [
    literal("istio.canonical_revision", node.labels["service.istio.io/canonical-revision"] || "latest"),
    literal("istio.canonical_service", node.labels["service.istio.io/canonical-name"] || "unknown"),
    literal("istio.mesh_id", metadataText(node, "MESH_ID") || "unknown"),
    literal("istio.namespace", metadataText(node, "NAMESPACE") || "default"),
    literal("istio.cluster_id", metadataText(node, "CLUSTER_ID") || "unknown"),
  ];
}

/** The result of policies that are tried out only is in the metadata of the RBAC filter. */
function dryRunTag(tag: string, key: string): Tag {
  return {
    tag,
    type: {
      case: "metadata",
      value: {
        kind: { kind: { case: "request", value: {} } },
        metadataKey: { key: "envoy.filters.http.rbac", path: [{ segment: { case: "key", value: key } }] },
      },
    },
  };
}
