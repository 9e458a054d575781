import { packAny, type Init } from "../../../proto/index.ts";
import { HeaderValueOption_HeaderAppendAction } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { TypedExtensionConfigSchema } from "../../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { OpenTelemetryConfigSchema } from "../../../proto/gen/envoy/config/trace/v3/opentelemetry_pb.ts";
import { DynatraceResourceDetectorConfigSchema } from "../../../proto/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/dynatrace_resource_detector_pb.ts";
import { EnvironmentResourceDetectorConfigSchema } from "../../../proto/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb.ts";
import { DynatraceSamplerConfigSchema } from "../../../proto/gen/envoy/extensions/tracers/opentelemetry/samplers/v3/dynatrace_sampler_pb.ts";
import { parseDuration } from "../../policy/index.ts";
import type { ClusterLookup } from "../cluster-lookup.ts";
import { metadataText } from "../proxy.ts";
import type { ProxyNode } from "../types.ts";

interface Header {
  readonly name: string;
  readonly value?: string;
}

interface HttpSettings {
  readonly path?: string;
  readonly timeout?: string;
  readonly headers?: Header[];
}

/** The provider `opentelemetry` of the mesh config, as far as a proxy is told of it. */
export interface OtelProvider {
  readonly http?: HttpSettings;
  readonly grpc?: { readonly timeout?: string; readonly initialMetadata?: Header[] };
  readonly resourceDetectors?: { readonly environment?: object; readonly dynatrace?: object };
  readonly serviceAttributeEnrichment?: string;
  readonly dynatraceSampler?: {
    readonly tenant?: string;
    readonly clusterId?: number;
    readonly rootSpansPerMinute?: number;
    readonly httpService?: { readonly service?: string; readonly port?: number; readonly http?: HttpSettings };
  };
}

type Target = { readonly hostname: string; readonly cluster: string };
type Extension = Init<typeof TypedExtensionConfigSchema>;

const SEMANTIC_CONVENTIONS = "OTEL_SEMANTIC_CONVENTIONS";
/** Where Dynatrace says what to sample, at the host that spans go to. */
const SAMPLING_PATH = "api/v2/samplingConfiguration";

/** How spans are exported by OTLP. Undefined when a sampler's own service is not known: then nothing is traced, as with Istio. */
export function otelTracing(
  provider: OtelProvider,
  target: Target,
  node: ProxyNode,
  serviceName: string,
  lookup: ClusterLookup,
): { config: ReturnType<typeof packAny>; samples: boolean } | undefined {
  const { http, grpc } = provider;
  const sampler = provider.dynatraceSampler && dynatraceSampler(provider, target, lookup);
  if (provider.dynatraceSampler && !sampler) return undefined;
  const timeout = parseDuration(grpc?.timeout);
  const exporter = http
    ? { httpService: httpService(target, http.path ?? "", http) }
    : {
        grpcService: {
          targetSpecifier: { case: "envoyGrpc" as const, value: { clusterName: target.cluster, authority: target.hostname } },
          ...(timeout && { timeout }),
          initialMetadata: (grpc?.initialMetadata ?? []).map(({ name, value }) => ({ key: name, value: value ?? "" })),
        },
      };
  const conventions = provider.serviceAttributeEnrichment === SEMANTIC_CONVENTIONS;
  return {
    config: packAny(OpenTelemetryConfigSchema, {
      serviceName: conventions ? conventionalName(node) : serviceName,
      ...exporter,
      resourceDetectors: detectors(provider, conventions),
      ...(sampler && { sampler }),
    }),
    samples: sampler !== undefined,
  };
}

function httpService({ hostname, cluster }: Target, path: string, { timeout, headers }: HttpSettings) {
  const limit = parseDuration(timeout);
  return {
    httpUri: {
      uri: path === "" ? hostname : `${hostname}/${path.replace(/^\/+/, "")}`,
      httpUpstreamType: { case: "cluster" as const, value: cluster },
      ...(limit && { timeout: limit }),
    },
    requestHeadersToAdd: (headers ?? []).map(({ name, value }) => ({
      appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
      header: { key: name, value: value ?? "" },
    })),
  };
}

function detectors({ resourceDetectors: { environment, dynatrace } = {} }: OtelProvider, conventions: boolean): Extension[] {
  const prefix = "envoy.tracers.opentelemetry.resource_detectors";
  const found: Extension[] = [];
  const ofEnvironment: Extension = { name: `${prefix}.environment`, typedConfig: packAny(EnvironmentResourceDetectorConfigSchema, {}) };
  if (environment) found.push(ofEnvironment);
  if (dynatrace) found.push({ name: `${prefix}.dynatrace`, typedConfig: packAny(DynatraceResourceDetectorConfigSchema, {}) });
  // A pod's environment may say more of the service than its name.
  if (conventions && !environment) found.push(ofEnvironment);
  return found;
}

/** The sampler asks at its own service, else where spans are exported to by HTTP. */
function dynatraceSampler({ dynatraceSampler: sampler, http }: OtelProvider, target: Target, lookup: ClusterLookup): Extension | undefined {
  const own = sampler?.httpService;
  const place = own ? lookup(own.service ?? "", own.port ?? 0) : http && target;
  if (!sampler || !place) return undefined;
  const { tenant = "", clusterId = 0, rootSpansPerMinute = 0 } = sampler;
  return {
    name: "envoy.tracers.opentelemetry.samplers.dynatrace",
    typedConfig: packAny(DynatraceSamplerConfigSchema, {
      tenant,
      clusterId,
      rootSpansPerMinute,
      httpService: httpService(place, own ? (own.http?.path ?? "") : SAMPLING_PATH, own?.http ?? http ?? {}),
    }),
  };
}

/** https://opentelemetry.io/docs/specs/semconv/non-normative/k8s-attributes/#service-attributes */
function conventionalName(node: ProxyNode): string {
  const annotations = (node.metadata["ANNOTATIONS"] ?? {}) as Record<string, string>;
  return (
    annotations["resource.opentelemetry.io/service.name"] ||
    node.labels["app.kubernetes.io/instance"] ||
    node.labels["app.kubernetes.io/name"] ||
    metadataText(node, "WORKLOAD_NAME") ||
    node.podName ||
    "unknown_service"
  );
}
