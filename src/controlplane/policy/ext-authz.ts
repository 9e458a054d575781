import type { MessageInitShape } from "@bufbuild/protobuf";
import { packAny } from "../../proto/index.ts";
import { ApiVersion } from "../../proto/gen/envoy/config/core/v3/config_source_pb.ts";
import { ExtAuthzSchema as HttpExtAuthzSchema } from "../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts";
import { ExtAuthzSchema as NetworkExtAuthzSchema } from "../../proto/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts";
import type { ListStringMatcherSchema } from "../../proto/gen/envoy/type/matcher/v3/string_pb.ts";
import { StatusCode } from "../../proto/gen/envoy/type/v3/http_status_pb.ts";
import type { ExtensionProvider } from "../registry/index.ts";
import { parseDuration, type Duration } from "./duration.ts";
import { HTTP_RBAC, NETWORK_RBAC, type FilterConfig } from "./filter.ts";
import { exact, metadata, prefix, stringValue, suffix } from "./rbac/matchers.ts";

/** Where the mesh config's external authorizers are found. */
export interface ExtAuthzProviders {
  readonly extensionProviders: readonly ExtensionProvider[];
  /** The cluster of a `[<namespace>/]<hostname>` and port; undefined when there is no such service, or several. */
  findCluster(service: string, port: number): { hostname: string; cluster: string } | undefined;
}

interface Settings {
  service?: string;
  port?: number;
  timeout?: string;
  failOpen?: boolean;
  statusOnError?: string;
  pathPrefix?: string;
  includeRequestHeadersInCheck?: string[];
  includeHeadersInCheck?: string[];
  includeAdditionalHeadersInCheck?: Record<string, string>;
  headersToUpstreamOnAllow?: string[];
  headersToDownstreamOnDeny?: string[];
  headersToDownstreamOnAllow?: string[];
  includeRequestBodyInCheck?: { maxRequestBytes?: number; allowPartialMessage?: boolean; packAsBytes?: boolean };
}

/** Istio's limit for an answer that never comes. */
const DEFAULT_TIMEOUT = "600s";
/** A provider's name is part of metadata keys. */
const PROVIDER_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The filter that asks the provider about what its policies matched; none when the provider cannot judge this layer;
 * undefined when it is not defined or not usable.
 */
export function extAuthzFilters(providers: ExtAuthzProviders, name: string, layer: "http" | "tcp"): FilterConfig[] | undefined {
  const defined = providers.extensionProviders.filter((provider) => provider.name === name && (provider["envoyExtAuthzHttp"] || provider["envoyExtAuthzGrpc"]));
  const [provider] = defined;
  if (!provider || defined.length > 1 || !PROVIDER_NAME.test(name)) return undefined;
  const http = provider["envoyExtAuthzHttp"] as Settings | undefined;
  const settings = http ?? (provider["envoyExtAuthzGrpc"] as Settings);
  const target = usableTarget(settings, providers);
  const status = statusOnError(settings.statusOnError);
  if (!target || status === "invalid" || (http && !usableHttp(http))) return undefined;
  const timeout = parseDuration(settings.timeout ?? DEFAULT_TIMEOUT) ?? { seconds: 600n };
  const enabled = (filter: string) => metadata(filter, ["istio_ext_authz_shadow_effective_policy_id"], stringValue(prefix(`istio-ext-authz-${name}`)));
  const body = settings.includeRequestBodyInCheck;
  const grpcService = { targetSpecifier: { case: "envoyGrpc" as const, value: { clusterName: target.cluster, authority: target.hostname } }, timeout };
  if (layer === "tcp") {
    if (http) return [];
    return [
      {
        name: "envoy.filters.network.ext_authz",
        typedConfig: packAny(NetworkExtAuthzSchema, {
          statPrefix: "tcp.",
          failureModeAllow: settings.failOpen ?? false,
          transportApiVersion: ApiVersion.V3,
          grpcService,
          filterEnabledMetadata: enabled(NETWORK_RBAC),
        }),
      },
    ];
  }
  const common: MessageInitShape<typeof HttpExtAuthzSchema> = {
    ...(status && { statusOnError: { code: status } }),
    failureModeAllow: settings.failOpen ?? false,
    transportApiVersion: ApiVersion.V3,
    filterEnabledMetadata: enabled(HTTP_RBAC),
    ...(body && {
      withRequestBody: {
        maxRequestBytes: body.maxRequestBytes ?? 0,
        allowPartialMessage: body.allowPartialMessage ?? false,
        packAsBytes: body.packAsBytes ?? false,
      },
    }),
  };
  const typedConfig = http
    ? packAny(HttpExtAuthzSchema, {
        ...common,
        services: { case: "httpService", value: httpService(http, target, timeout) },
        ...headers("allowedHeaders", http.includeRequestHeadersInCheck?.length ? http.includeRequestHeadersInCheck : http.includeHeadersInCheck),
      })
    : packAny(HttpExtAuthzSchema, { ...common, services: { case: "grpcService", value: grpcService } });
  return [{ name: "envoy.filters.http.ext_authz", typedConfig }];
}

function httpService(settings: Settings, target: { hostname: string; cluster: string }, timeout: Duration) {
  const additional = Object.entries(settings.includeAdditionalHeadersInCheck ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const response = {
    ...headers("allowedUpstreamHeaders", settings.headersToUpstreamOnAllow),
    ...headers("allowedClientHeaders", settings.headersToDownstreamOnDeny),
    ...headers("allowedClientHeadersOnSuccess", settings.headersToDownstreamOnAllow),
  };
  return {
    pathPrefix: settings.pathPrefix ?? "",
    // The URI is required and not used: the cluster says where to go.
    serverUri: { timeout, uri: `http://${target.hostname}`, httpUpstreamType: { case: "cluster" as const, value: target.cluster } },
    ...(additional.length > 0 && { authorizationRequest: { headersToAdd: additional.map(([key, value]) => ({ key, value })) } }),
    ...(Object.keys(response).length > 0 && { authorizationResponse: response }),
  };
}

function headers<Name extends string>(field: Name, names: readonly string[] | undefined): { [Key in Name]?: MessageInitShape<typeof ListStringMatcherSchema> } {
  if (!names?.length) return {};
  const patterns = names.map((name) =>
    name.startsWith("*") ? suffix(name.slice(1), true) : name.endsWith("*") ? prefix(name.slice(0, -1), true) : exact(name, true),
  );
  return { [field]: { patterns } } as { [Key in Name]?: MessageInitShape<typeof ListStringMatcherSchema> };
}

function usableTarget(settings: Settings, providers: ExtAuthzProviders): { hostname: string; cluster: string } | undefined {
  const { service = "", port = 0 } = settings;
  return service && port >= 1 && port <= 65535 ? providers.findCluster(service, port) : undefined;
}

function usableHttp(settings: Settings): boolean {
  if (settings.pathPrefix && !settings.pathPrefix.startsWith("/")) return false;
  const lists = [
    settings.includeRequestHeadersInCheck,
    settings.includeHeadersInCheck,
    settings.headersToDownstreamOnDeny,
    settings.headersToDownstreamOnAllow,
    settings.headersToUpstreamOnAllow,
  ];
  return !lists.some((list) => list?.includes("*"));
}

function statusOnError(status: string | undefined): StatusCode | undefined | "invalid" {
  if (!status) return undefined;
  const code = Number(status);
  return code in StatusCode && code !== StatusCode.Empty ? code : "invalid";
}
