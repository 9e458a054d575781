import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Cluster_CommonLbConfigSchema, Cluster_LbPolicy } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { BindConfigSchema } from "../../../proto/gen/envoy/config/core/v3/address_pb.ts";
import { MetadataSchema } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { isHttp, isHttp2, isSniffed, parseProtocol } from "../../registry/index.ts";
import { address } from "../address.ts";
import { configPath, serviceMetadata } from "../metadata.ts";
import { inboundCluster, statPrefix } from "../names.ts";
import { interceptionMode, wildcards, type ProxyContext, type ProxyView } from "../proxy.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import { patternedStatName, statService } from "../stat-name.ts";
import type { ServiceTarget } from "../targets.ts";
import { policyForPort, withMeshDefault } from "../traffic-policy.ts";
import { applyConnectionPool } from "./connection-pool.ts";
import { ClusterDraft, preserveCaseOptions, type Cluster } from "./draft.ts";
import { preservesCase } from "./outbound.ts";

/** The longest time that Envoy's clock can hold: the connections to the own workload are never cleaned up. */
const NEVER = 9_223_372_035n;
/** The source address of connections to the own workload: capture lets it pass, or the proxy would call itself. */
const INBOUND_SOURCE = { ipv4: "127.0.0.6", ipv6: "::6" };

/** One cluster for each port of the workload that a service or the Sidecar leads to. */
export function inboundClusters(proxy: ProxyContext): Cluster[] {
  const { scope } = proxy;
  if (scope.sidecar?.ingress?.length) return sidecarClusters(proxy);
  if (interceptionMode(proxy.node) === "NONE") return [];
  const byPort = new Map<number, ServiceTarget[]>();
  for (const target of proxy.targets) byPort.set(target.targetPort, [...(byPort.get(target.targetPort) ?? []), target]);
  // Applications that listen on this host's own address alone are dialled there.
  const bind = proxy.mesh.config.inboundTrafficPolicy.mode === "LOCALHOST" ? wildcards(proxy.view).local : "";
  return [...byPort.keys()].sort((a, b) => a - b).map((port) => inbound(proxy, port, bind, byPort.get(port) ?? [], port));
}

/** `both`: connections may be of either family, and get a source of theirs. */
export function inboundBind(view: ProxyView, both = false) {
  const source = (address: string) => ({ address, portSpecifier: { case: "portValue" as const, value: 0 } });
  return create(BindConfigSchema, {
    sourceAddress: source(view.ipv4 ? INBOUND_SOURCE.ipv4 : INBOUND_SOURCE.ipv6),
    extraSourceAddresses: both && view.ipv4 && view.ipv6 ? [{ address: source(INBOUND_SOURCE.ipv6) }] : [],
  });
}

/** `bind` is the address of the application; empty means the one that was dialled. */
function inbound(proxy: ProxyContext, port: number, bind: string, targets: readonly ServiceTarget[], targetPort: number): Cluster {
  const { mesh, view, scope } = proxy;
  const [primary] = targets;
  const draft = new ClusterDraft(inboundCluster(port), bind === "" ? "ORIGINAL_DST" : "STATIC");
  const statName =
    primary &&
    patternedStatName(mesh.config["inboundClusterStatName"], {
      ...statService(primary.service),
      port: primary.port.port,
      portName: primary.port.name,
      targetPort: port,
    });
  if (statName !== undefined) draft.init.altStatName = statPrefix(statName);
  draft.init.commonLbConfig = create(Cluster_CommonLbConfigSchema);
  if (bind !== "") {
    draft.init.loadAssignment = create(ClusterLoadAssignmentSchema, {
      clusterName: draft.init.name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: address(bind, targetPort) } } }] }],
    });
  } else draft.init.cleanupInterval = create(DurationSchema, { seconds: NEVER });
  const protocol = primary?.port.protocol ?? "UnsupportedProtocol";
  if (isHttp2(protocol)) draft.setHttp2();
  else if ((isHttp(protocol) || isSniffed(protocol)) && preservesCase(view, mesh)) draft.setHttp1(preserveCaseOptions());
  if (isSniffed(protocol)) draft.useDownstreamProtocol();
  const rule = primary && ruleOf(scope, primary.service.hostname, proxy.node, "inbound");
  const ruled = rule?.spec.trafficPolicy && primary ? policyForPort(rule.spec.trafficPolicy, primary.port.port).policy : undefined;
  const policy = withMeshDefault(ruled, mesh.config["defaultTrafficPolicy"]);
  const ownPool = scope.sidecar?.ingress?.find((listener) => listener.port.number === port)?.connectionPool ?? scope.sidecar?.inboundConnectionPool;
  applyConnectionPool(draft, ownPool ?? policy?.connectionPool, policy?.retryBudget, mesh.config);
  if (draft.type === "ORIGINAL_DST") draft.init.lbPolicy = Cluster_LbPolicy.CLUSTER_PROVIDED;
  if (bind !== "127.0.0.1" && bind !== "::1") draft.init.upstreamBindConfig = inboundBind(view);
  if (primary && !primary.service.meshExternal) {
    const services = new Map(targets.filter((target) => target.port.port === primary.port.port).map(({ service }) => [service.hostname, service]));
    draft.init.metadata = create(MetadataSchema, {
      filterMetadata: {
        istio: { services: [...services.values()].map(serviceMetadata), ...(ruled && rule && { config: configPath("destination-rule", rule) }) },
      },
    });
  }
  return draft.finish();
}

function sidecarClusters(proxy: ProxyContext): Cluster[] {
  const { scope, targets, view, node } = proxy;
  return (scope.sidecar?.ingress ?? []).flatMap((listener): Cluster[] => {
    const port = listener.port.number ?? 0;
    const endpoint = ownEndpoint(listener.defaultEndpoint ?? "", node.addresses, view);
    if (!endpoint) return [];
    const meshPort = { name: listener.port.name ?? "", port, protocol: parseProtocol(listener.port.protocol) };
    const target = targets.find(({ targetPort }) => targetPort === port);
    const service = target?.service ?? { ...EMPTY_SERVICE, hostname: `${scope.name}.${node.namespace}`, name: scope.name, namespace: node.namespace };
    return [inbound(proxy, port, endpoint.address, [{ service, port: meshPort, targetPort: endpoint.port }], endpoint.port)];
  });
}

/** Where a Sidecar's `defaultEndpoint` leads: the dialled address, this host, the pod's address, or a Unix socket. */
function ownEndpoint(endpoint: string, addresses: readonly string[], view: ProxyView): { address: string; port: number } | undefined {
  if (endpoint === "") return { address: "", port: 0 };
  if (endpoint.startsWith("unix://")) return { address: endpoint, port: 0 };
  const colon = endpoint.lastIndexOf(":");
  const port = Number(endpoint.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  switch (endpoint.slice(0, colon)) {
    case "0.0.0.0":
      return { address: addresses.find((own) => !own.includes(":")) ?? "127.0.0.1", port };
    case "[::]":
      return { address: addresses.find((own) => own.includes(":")) ?? "::1", port };
    case "127.0.0.1":
      return { address: wildcards(view).local, port };
    case "[::1]":
      return { address: wildcards(view).locals.find((local) => local.includes(":")) ?? wildcards(view).local, port };
    default:
      return { address: "", port };
  }
}

/** What stands in for a service that does not exist; telemetry is not told of it. */
const EMPTY_SERVICE = {
  hostname: "",
  name: "",
  namespace: "",
  ports: [],
  address: "0.0.0.0",
  addresses: [],
  autoAddresses: [],
  resolution: "ClientSideLB" as const,
  meshExternal: true,
  registry: "External" as const,
  created: 0,
  labels: {},
  selector: undefined,
  exportTo: undefined,
  subjectAltNames: [],
  externalName: "",
  aliases: [],
  nodeLocal: false,
  publishNotReadyAddresses: false,
  trafficDistribution: "Any" as const,
  passthroughTargetPorts: {},
  racesAddresses: false,
};
