import { isIP } from "node:net";
import { create } from "@bufbuild/protobuf";
import { ClusterLoadAssignmentSchema } from "../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { MeshEndpoint } from "../../registry/index.ts";
import { labelsKey, placeKey } from "../dependence.ts";
import { encodeResource } from "../encode.ts";
import { Memo } from "../memo.ts";
import { parseClusterName } from "../names.ts";
import { metadataText, type ProxyContext } from "../proxy.ts";
import type { XdsResource } from "../types.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import { loadAssignment } from "./assignment.ts";
import { localitySettings } from "./locality.ts";
import { reachKey, reachOf } from "./reach.ts";
import { policyOf } from "../traffic-policy.ts";

/** Makes the endpoints of clusters; those that look the same from everywhere are encoded once. */
export class EndpointGenerator {
  readonly #assignments = new Memo<XdsResource>();
  readonly #answers = new Memo<readonly XdsResource[]>();

  /** A name that stands for no service has no endpoints; a name that is none of ours is left out. */
  generate(proxy: ProxyContext, names: readonly string[]): readonly XdsResource[] {
    const { scope, mesh, view } = proxy;
    const { revisions, networks } = mesh.snapshot;
    const key = [
      scope,
      names,
      revisions.endpoints,
      mesh.config,
      mesh.peerAuthentication.disabling,
      labelsKey(proxy),
      placeKey(proxy),
      networks,
      reachKey(proxy),
      view.clusterId,
    ];
    return this.#answers.get(key, () => names.map((name) => this.#assignment(proxy, name)).filter((resource) => resource !== undefined));
  }

  #assignment(proxy: ProxyContext, clusterName: string): XdsResource | undefined {
    const parsed = parseClusterName(clusterName);
    if (!parsed || parsed.direction !== "outbound") return undefined;
    const { scope, mesh, node, view } = proxy;
    const service = scope.byHostname.get(parsed.hostname);
    const dns = service?.resolution === "DNSLB" || service?.resolution === "DNSRoundRobinLB";
    if (!service || dns) return encodeResource(ClusterLoadAssignmentSchema, clusterName, create(ClusterLoadAssignmentSchema, { clusterName }));
    const rule = ruleOf(scope, service.hostname, node);
    const { endpoints } = mesh.snapshot.backends(service);
    const policy = policyOf(rule, parsed.subset, parsed.port);
    const settings = localitySettings(policy?.loadBalancer, service, mesh.config);
    const client = {
      labels: node.labels,
      locality: node.locality,
      nodeName: metadataText(node, "NODE_NAME"),
      clusterId: view.clusterId,
      reach: reachOf(proxy),
    };
    const local = mesh.isClusterLocal(service.hostname);
    const byPlace = settings && (settings.force || settings.zoneAware || settings.setting.distribute || policy?.outlierDetection);
    const place = `${byPlace ? JSON.stringify([client.locality, settings.setting.failoverPriority ? client.labels : ""]) : ""}|${service.nodeLocal ? client.nodeName : ""}|${local ? client.clusterId : ""}`;
    return this.#assignments.get(
      [endpoints, service, rule, mesh.peerAuthentication.disabling, mesh.config, clusterName, place, mesh.snapshot.networks, reachKey(proxy)],
      () =>
        encodeResource(
          ClusterLoadAssignmentSchema,
          clusterName,
          loadAssignment({
            clusterName,
            service,
            port: parsed.port,
            subset: parsed.subset,
            rule,
            endpoints: endpoints.filter(isDialled),
            peerAuthentication: mesh.peerAuthentication,
            mesh: mesh.config,
            clusterLocal: local,
            client,
            mtlsOnly: parsed.sni,
          }),
        ),
    );
  }
}

/** Only clusters that resolve names have endpoints with names; sockets and endpoints behind other networks' gateways have no address. */
function isDialled({ address, port }: MeshEndpoint): boolean {
  return address === "" || port === 0 || isIP(address) !== 0;
}
