import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { packAny } from "../../../proto/index.ts";
import { Cluster_LbPolicy, ClusterSchema } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { FilterSchema } from "../../../proto/gen/envoy/config/cluster/v3/filter_pb.ts";
import { Http1ProtocolOptionsSchema } from "../../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import { HttpProtocolOptionsSchema } from "../../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import type { ConnectionPoolSettings } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import { encodeResource } from "../encode.ts";
import { TCP_METADATA_EXCHANGE } from "../filters.ts";
import { Memo } from "../memo.ts";
import type { MeshView } from "../mesh-view.ts";
import { BLACK_HOLE, INBOUND_PASSTHROUGH, PASSTHROUGH, statPrefix } from "../names.ts";
import { metadataText, type ProxyContext, type ProxyView } from "../proxy.ts";
import type { EffectiveRule } from "../scope/destination-rules.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import type { XdsResource } from "../types.ts";
import { applyConnectionPool } from "./connection-pool.ts";
import { ClusterDraft, preserveCaseOptions, type Cluster } from "./draft.ts";
import { inboundBind, inboundClusters } from "./inbound.ts";
import { outboundClusters, preservesCase } from "./outbound.ts";

/** Idle connections to addresses that nobody knows are closed; Envoy would keep them for an hour. */
const PASSTHROUGH_IDLE = { seconds: 300n };

/** Makes the clusters of proxies; those towards services are encoded once for all proxies that see the same. */
export class ClusterGenerator {
  readonly #outbound = new Memo<readonly XdsResource[]>();
  readonly #fixed = new Memo<readonly XdsResource[]>();
  readonly #inbound = new Memo<readonly XdsResource[]>();

  /** Outbound in the order of services, then the catch-alls, then inbound, as Istio sends them. */
  generate(proxy: ProxyContext): XdsResource[] {
    const { view, mesh } = proxy;
    const resources = [...this.#services(proxy, false)];
    resources.push(...this.#fixed.get([view, mesh.config, "outbound"], () => [blackHole(mesh), ...(view.type === "sidecar" ? [passthrough(view, mesh)] : [])].map(encode)));
    if (view.type === "sidecar") {
      resources.push(...this.#inboundOf(proxy));
      resources.push(...this.#fixed.get([view, mesh.config, "inbound"], () => [encode(inboundPassthrough(view, mesh))]));
    }
    return dedupe(resources);
  }

  /** The clusters by SNI that an AUTO_PASSTHROUGH gateway needs. */
  sniClusters(proxy: ProxyContext): XdsResource[] {
    return this.#services(proxy, true);
  }

  #services(proxy: ProxyContext, sni: boolean): XdsResource[] {
    const { scope, mesh, view, node } = proxy;
    const { snapshot, config, peerAuthentication } = mesh;
    const nodeName = metadataText(node, "NODE_NAME");
    const resources: XdsResource[] = [];
    for (const service of scope.services) {
      if (service.resolution === "Alias" || service.resolution === "DynamicDNS" || (sni && service.meshExternal)) continue;
      const rule = ruleOf(scope, service.hostname, node);
      const backends = snapshot.backends(service);
      // Endpoints are part of a cluster only where Envoy resolves names, or when they decide whether it speaks TLS.
      const dns = service.resolution === "DNSLB" || service.resolution === "DNSRoundRobinLB";
      const endpoints = dns || service.resolution === "Passthrough" || mentionsPassthrough(rule) ? backends.endpoints : undefined;
      const place = dns ? JSON.stringify([node.locality, node.labels, nodeName]) : "";
      const policies = dns ? peerAuthentication : peerAuthentication.namespaceMode(service.namespace) === "DISABLE";
      for (const port of service.ports) {
        if (port.protocol === "UDP") continue;
        const made = this.#outbound.get([service, port, backends.identities, view, config, rule, endpoints, policies, place, sni], () => {
          const client = { labels: node.labels, locality: node.locality, nodeName };
          return outboundClusters({ service, port, rule, backends, mesh, view, client, sni }).map(encode);
        });
        for (const resource of made) resources.push(resource);
      }
    }
    return resources;
  }

  #inboundOf(proxy: ProxyContext): readonly XdsResource[] {
    const targets = proxy.targets.flatMap(({ service, port, targetPort }) => [service, port, targetPort]);
    return this.#inbound.get([proxy.scope, proxy.view, proxy.mesh.config, ...targets, proxy.node.addresses.join(), String(proxy.node.metadata["INTERCEPTION_MODE"] ?? "")], () => inboundClusters(proxy).map(encode));
  }
}

function encode(cluster: Cluster): XdsResource {
  return encodeResource(ClusterSchema, cluster.name, cluster);
}

function mentionsPassthrough(rule: EffectiveRule | undefined): boolean {
  const policies = [rule?.spec.trafficPolicy, ...(rule?.spec.subsets ?? []).map(({ trafficPolicy }) => trafficPolicy)];
  return policies.some((policy) => [policy, ...(policy?.portLevelSettings ?? [])].some((settings) => settings?.loadBalancer?.simple === "PASSTHROUGH"));
}

/** Services from different places may claim the same name: the first keeps it. */
function dedupe(resources: readonly XdsResource[]): XdsResource[] {
  const seen = new Set<string>();
  return resources.filter(({ name }) => !seen.has(name) && seen.add(name));
}

/** Where what no rule allows ends. */
function blackHole(mesh: MeshView): Cluster {
  const draft = new ClusterDraft(BLACK_HOLE, "STATIC");
  draft.init.connectTimeout = timeout(mesh);
  draft.init.lbPolicy = Cluster_LbPolicy.ROUND_ROBIN;
  return draft.finish();
}

/** Where traffic to unknown addresses goes: to these addresses. */
function passthrough(view: ProxyView, mesh: MeshView): Cluster {
  const draft = new ClusterDraft(PASSTHROUGH, "ORIGINAL_DST");
  draft.init.lbPolicy = Cluster_LbPolicy.CLUSTER_PROVIDED;
  const { connectionPool } = (mesh.config["defaultTrafficPolicy"] ?? {}) as { connectionPool?: ConnectionPoolSettings };
  applyConnectionPool(draft, connectionPool, undefined, mesh.config);
  const cluster = draft.finish();
  cluster.typedExtensionProtocolOptions = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packAny(HttpProtocolOptionsSchema, {
      commonHttpProtocolOptions: { idleTimeout: PASSTHROUGH_IDLE },
      upstreamProtocolOptions: {
        case: "useDownstreamProtocolConfig",
        value: { httpProtocolOptions: preservesCase(view, mesh) ? preserveCaseOptions() : create(Http1ProtocolOptionsSchema), http2ProtocolOptions: {} },
      },
    }),
  };
  if (view.dialect === "istio") cluster.filters = [create(FilterSchema, { name: TCP_METADATA_EXCHANGE.name, typedConfig: TCP_METADATA_EXCHANGE.typedConfig })];
  return cluster;
}

/** Where inbound traffic to ports of no service goes: to the workload itself. */
function inboundPassthrough(view: ProxyView, mesh: MeshView): Cluster {
  const cluster = passthrough(view, mesh);
  cluster.name = INBOUND_PASSTHROUGH;
  cluster.altStatName = statPrefix(PASSTHROUGH);
  cluster.filters = [];
  cluster.upstreamBindConfig = inboundBind(view);
  return cluster;
}

function timeout(mesh: MeshView) {
  return create(DurationSchema, parseDuration(mesh.config.connectTimeout) ?? { seconds: 10n });
}
