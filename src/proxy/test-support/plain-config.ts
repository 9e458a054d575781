import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ListenerSchema } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { loadRegistry } from "../../proto/index.ts";
import type { DataPlaneApi } from "../data-plane.ts";

/** Builders of small Envoy configurations in protojson, for tests of one behaviour each. */

const TYPE = "type.googleapis.com/";

export const LOG_FORMAT =
  '"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW%\n';

export const accessLog: JsonValue = [
  {
    name: "file",
    typedConfig: {
      "@type": `${TYPE}envoy.extensions.access_loggers.file.v3.FileAccessLog`,
      path: "/dev/stdout",
      logFormat: { textFormatSource: { inlineString: LOG_FORMAT } },
    },
  },
];

export function typed(type: string, config: JsonObject = {}): JsonObject {
  return { "@type": `${TYPE}${type}`, ...config };
}

/** A STATIC cluster of loopback ports. */
export function cluster(name: string, ports: readonly number[], extra: JsonObject = {}): JsonObject {
  return {
    name,
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: ports.map((port) => ({ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } })) }],
    },
    ...extra,
  };
}

export function forward(prefix: string, clusterName: string, action: JsonObject = {}, route: JsonObject = {}): JsonObject {
  return { match: { prefix }, route: { cluster: clusterName, timeout: "0s", ...action }, ...route };
}

export const ROUTER: JsonObject = { name: "envoy.filters.http.router", typedConfig: typed("envoy.extensions.filters.http.router.v3.Router") };

export interface HcmOptions {
  readonly routes?: readonly JsonObject[];
  readonly virtualHosts?: readonly JsonObject[];
  readonly filters?: readonly JsonObject[];
  readonly hcm?: JsonObject;
  readonly chain?: JsonObject;
  readonly listener?: JsonObject;
}

export function httpListener(name: string, options: HcmOptions): JsonObject {
  const manager = typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", {
    statPrefix: name,
    accessLog,
    normalizePath: true,
    streamIdleTimeout: "0s",
    routeConfig: {
      name: "r",
      validateClusters: false,
      virtualHosts: (options.virtualHosts ?? [{ name: "v", domains: ["*"], routes: [...(options.routes ?? [])] }]) as JsonValue[],
    },
    httpFilters: [...(options.filters ?? []), ROUTER],
    ...options.hcm,
  });
  return listener(name, [{ filters: [{ name: "hcm", typedConfig: manager }], ...options.chain }], options.listener);
}

export function tcpListener(name: string, clusterName: string, before: readonly JsonObject[] = [], extra: JsonObject = {}): JsonObject {
  const proxy = typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", { statPrefix: name, cluster: clusterName, accessLog });
  return listener(name, [{ filters: [...before, { name: "tcp", typedConfig: proxy }] }], extra);
}

export function listener(name: string, chains: readonly JsonObject[], extra: JsonObject = {}): JsonObject {
  return { name, address: { socketAddress: { address: "127.0.0.1", portValue: 10_000 } }, filterChains: [...chains], ...extra };
}

/** Puts protojson clusters and listeners into a data plane. */
export async function configure(dataPlane: DataPlaneApi, resources: { clusters?: readonly JsonObject[]; listeners?: readonly JsonObject[] }): Promise<void> {
  const registry = await loadRegistry();
  for (const json of resources.clusters ?? []) dataPlane.setCluster(fromJson(ClusterSchema, json, { registry }));
  for (const json of resources.listeners ?? []) dataPlane.setListener(fromJson(ListenerSchema, json, { registry }));
}
