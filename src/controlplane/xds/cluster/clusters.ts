import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { packAny } from "../../../proto/index.ts";
import { Cluster_LbPolicy, ClusterSchema } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { FilterSchema } from "../../../proto/gen/envoy/config/cluster/v3/filter_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { Http1ProtocolOptionsSchema } from "../../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import { HttpProtocolOptionsSchema } from "../../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import type { ConnectionPoolSettings } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import type { MeshService } from "../../registry/index.ts";
import { labelsKey, placeKey } from "../dependence.ts";
import { encodeResource } from "../encode.ts";
import { reachKey, reachOf } from "../endpoint/reach.ts";
import { TCP_METADATA_EXCHANGE } from "../filters.ts";
import { ANY_NAME_CLUSTER, anyNameCluster, forwardsAny, forwardsByName, saysName } from "../forward-proxy.ts";
import { joinLists } from "../joined-list.ts";
import { Memo } from "../memo.ts";
import type { MeshView } from "../mesh-view.ts";
import { BLACK_HOLE, INBOUND_PASSTHROUGH, PASSTHROUGH, statPrefix } from "../names.ts";
import { metadataText, type ProxyContext, type ProxyView } from "../proxy.ts";
import type { EffectiveRule } from "../scope/destination-rules.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import { EXTERNAL_SECRETS } from "../sds.ts";
import type { XdsResource } from "../types.ts";
import { applyConnectionPool } from "./connection-pool.ts";
import { ClusterDraft, preserveCaseOptions, type Cluster } from "./draft.ts";
import { inboundBind, inboundClusters } from "./inbound.ts";
import { outboundClusters, preservesCase } from "./outbound.ts";
import { applyUpstreamTls, insecureByName } from "./tls.ts";

/** Where the pod of a gateway mounts the socket of a secret server. */
const CREDENTIAL_SOCKET = "./var/run/secrets/credential-uds/socket";
/** Idle connections to addresses that nobody knows are closed; Envoy would keep them for an hour. */
const PASSTHROUGH_IDLE = { seconds: 300n };

/** Makes the clusters of proxies; those towards services are encoded once for all proxies that see the same. */
export class ClusterGenerator {
  readonly #outbound = new Memo<readonly XdsResource[]>();
  readonly #scopes = new Memo<readonly XdsResource[]>();
  readonly #special = new Memo<readonly MeshService[]>();
  readonly #fixed = new Memo<readonly XdsResource[]>();
  readonly #inbound = new Memo<readonly XdsResource[]>();
  readonly #distinct = new Memo<{ resources: readonly XdsResource[]; names: ReadonlySet<string> }>();
  readonly #whole = new Memo<readonly XdsResource[]>();

  /** Outbound in the order of services, then the catch-alls, then inbound, as Istio sends them. */
  generate(proxy: ProxyContext): readonly XdsResource[] {
    const { view, mesh } = proxy;
    const byName = forwardsAny(proxy);
    const fixed = this.#fixed.get([view, mesh.config, "outbound", byName], () =>
      [blackHole(mesh), ...(view.type === "sidecar" ? [passthrough(view, mesh)] : []), ...(byName ? [anyName(view, mesh)] : [])].map(encode),
    );
    const parts = [this.#services(proxy, false), fixed];
    if (view.type === "sidecar")
      parts.push(
        this.#inboundOf(proxy),
        this.#fixed.get([view, mesh.config, "inbound"], () => [encode(inboundPassthrough(view, mesh))]),
      );
    if (view.secretSockets.credentialSocket) parts.push(this.#fixed.get([view, mesh.config, "secrets"], () => [encode(secretServer(mesh))]));
    return this.#whole.get(parts, () => this.#join(parts));
  }

  /** Services from different places may claim the same name: the first keeps it. */
  #join([services = [], ...others]: readonly (readonly XdsResource[])[]): readonly XdsResource[] {
    const { names, resources } = this.#distinct.get([services], () => distinct(services, new Set()));
    return joinLists([resources, distinct(others.flat(), names).resources]);
  }

  /** The clusters by SNI that an AUTO_PASSTHROUGH gateway needs. */
  sniClusters(proxy: ProxyContext): readonly XdsResource[] {
    return this.#services(proxy, true);
  }

  /** Of all services together: most changes leave every one of them as it was. */
  #services(proxy: ProxyContext, sni: boolean): readonly XdsResource[] {
    const { scope, mesh, view, node } = proxy;
    const { snapshot, config, peerAuthentication } = mesh;
    const labels = labelsKey(proxy);
    const special = this.#special.get([scope, labels], () =>
      scope.services.filter((service) => isDns(service) || service.resolution === "Passthrough" || mentionsPassthrough(ruleOf(scope, service.hostname, node))),
    );
    const endpoints = special.map((service) => snapshot.backends(service).endpoints);
    const place = special.some(isDns) ? `${placeKey(proxy)}${reachKey(proxy)}` : "";
    return this.#scopes.get(
      [
        scope,
        view,
        config,
        snapshot.revisions.identities,
        peerAuthentication.disabling,
        ...endpoints,
        labels,
        place,
        place === "" ? undefined : snapshot.networks,
        sni,
      ],
      () => this.#build(proxy, place, sni),
    );
  }

  #build(proxy: ProxyContext, place: string, sni: boolean): XdsResource[] {
    const { scope, mesh, view, node } = proxy;
    const { snapshot, config, peerAuthentication } = mesh;
    const client = {
      labels: node.labels,
      locality: node.locality,
      nodeName: metadataText(node, "NODE_NAME"),
      clusterId: view.clusterId,
      reach: reachOf(proxy, true),
    };
    return scope.services.flatMap((service) => {
      if (service.resolution === "Alias" || (sni && service.meshExternal)) return [];
      if (service.resolution === "DynamicDNS" && !(forwardsByName(service) && view.forwardProxy)) return [];
      const rule = ruleOf(scope, service.hostname, node);
      const backends = snapshot.backends(service);
      const dns = isDns(service);
      // Endpoints are part of a cluster only where Envoy resolves names, or when they decide whether it speaks TLS.
      const endpoints = dns || service.resolution === "Passthrough" || mentionsPassthrough(rule) ? backends.endpoints : undefined;
      const policies = dns ? peerAuthentication.disabling : peerAuthentication.namespaceMode(service.namespace) === "DISABLE";
      return service.ports.flatMap((port) => {
        if (port.protocol === "UDP" || (service.resolution === "DynamicDNS" && !saysName(port))) return [];
        const key = [service, port, backends.identities, view, config, rule, endpoints, policies, dns ? place : "", dns ? snapshot.networks : undefined, sni];
        return this.#outbound.get(key, () => outboundClusters({ service, port, rule, backends, mesh, view, client, sni }).map(encode));
      });
    });
  }

  #inboundOf(proxy: ProxyContext): readonly XdsResource[] {
    const targets = proxy.targets.flatMap(({ service, port, targetPort }) => [service, port, targetPort]);
    // The workload's address is part of a cluster only where a Sidecar names it.
    const addresses = proxy.scope.sidecar?.ingress?.length ? proxy.node.addresses.join() : "";
    return this.#inbound.get([proxy.scope, proxy.view, proxy.mesh.config, ...targets, addresses, String(proxy.node.metadata["INTERCEPTION_MODE"] ?? "")], () =>
      inboundClusters(proxy).map(encode),
    );
  }
}

function encode(cluster: Cluster): XdsResource {
  return encodeResource(ClusterSchema, cluster.name, cluster);
}

function isDns({ resolution }: MeshService): boolean {
  return resolution === "DNSLB" || resolution === "DNSRoundRobinLB";
}

/** Whether a rule has connections go to the addresses that the application chose. */
export function mentionsPassthrough(rule: EffectiveRule | undefined): boolean {
  const policies = [rule?.spec.trafficPolicy, ...(rule?.spec.subsets ?? []).map(({ trafficPolicy }) => trafficPolicy)];
  return policies.some((policy) => [policy, ...(policy?.portLevelSettings ?? [])].some((settings) => settings?.loadBalancer?.simple === "PASSTHROUGH"));
}

/** Those whose names have not been taken, and their names; the same list where all are. */
function distinct(resources: readonly XdsResource[], taken: ReadonlySet<string>): { resources: readonly XdsResource[]; names: ReadonlySet<string> } {
  const names = new Set<string>();
  const free = resources.filter(({ name }) => !taken.has(name) && !names.has(name) && names.add(name));
  return { resources: free.length === resources.length ? resources : free, names };
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

/** Where requests for names of no service go, once the name is looked up. */
function anyName(view: ProxyView, mesh: MeshView): Cluster {
  const { tls } = mesh.config.outboundTrafficPolicy;
  const secure = (tls?.mode ?? "DISABLE") !== "DISABLE";
  const draft = new ClusterDraft(ANY_NAME_CLUSTER, anyNameCluster(view, !secure || insecureByName({ ...(tls && { tls }) })));
  draft.init.lbPolicy = Cluster_LbPolicy.CLUSTER_PROVIDED;
  draft.init.altStatName = statPrefix(ANY_NAME_CLUSTER);
  applyConnectionPool(draft, undefined, undefined, mesh.config);
  const common = {
    identities: [],
    sni: "",
    external: true,
    serviceMode: undefined,
    declaredNames: undefined,
    autoMtls: false,
    mayUseCredentials: false,
    clientFiles: undefined,
  };
  if (tls)
    applyUpstreamTls(draft, {
      ...common,
      settings: tls,
      metadataExchange: view.dialect === "istio",
      tlsDefaults: mesh.config.tlsDefaults,
      sockets: view.secretSockets,
    });
  const cluster = draft.finish();
  if (Object.keys(cluster.typedExtensionProtocolOptions).length === 0)
    cluster.typedExtensionProtocolOptions = passthrough(view, mesh).typedExtensionProtocolOptions;
  if (view.dialect === "istio") cluster.filters = [create(FilterSchema, { name: TCP_METADATA_EXCHANGE.name, typedConfig: TCP_METADATA_EXCHANGE.typedConfig })];
  return cluster;
}

/** The socket in the proxy's pod that secrets from elsewhere come from. */
function secretServer(mesh: MeshView): Cluster {
  const draft = new ClusterDraft(EXTERNAL_SECRETS, "STATIC");
  draft.init.connectTimeout = timeout(mesh);
  draft.init.altStatName = statPrefix(EXTERNAL_SECRETS);
  draft.init.loadAssignment = create(ClusterLoadAssignmentSchema, {
    clusterName: EXTERNAL_SECRETS,
    endpoints: [
      { lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: { address: { case: "pipe", value: { path: CREDENTIAL_SOCKET } } } } } }] },
    ],
  });
  draft.setHttp2();
  return draft.finish();
}

/** Where inbound traffic to ports of no service goes: to the workload itself. */
function inboundPassthrough(view: ProxyView, mesh: MeshView): Cluster {
  const cluster = passthrough(view, mesh);
  cluster.name = INBOUND_PASSTHROUGH;
  cluster.altStatName = statPrefix(PASSTHROUGH);
  cluster.filters = [];
  cluster.upstreamBindConfig = inboundBind(view, true);
  return cluster;
}

function timeout(mesh: MeshView) {
  return create(DurationSchema, parseDuration(mesh.config.connectTimeout) ?? { seconds: 10n });
}
