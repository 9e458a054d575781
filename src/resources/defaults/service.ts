import type { Service } from "../core.ts";

/** How long a client sticks to a pod with sessionAffinity ClientIP: three hours. */
const AFFINITY_SECONDS = 10_800;

/**
 * Fills in a Service but for the addresses and node ports, which the server allocates afterwards. On an update what had
 * been allocated is carried over where the new object leaves it out.
 */
export function defaultService(service: Service, old?: Service): void {
  const spec = (service.spec ??= {});
  spec.type ||= "ClusterIP";
  const { type } = spec;
  spec.sessionAffinity ||= "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  else ((spec.sessionAffinityConfig ??= {}).clientIP ??= {}).timeoutSeconds ??= AFFINITY_SECONDS;
  for (const port of spec.ports ?? []) {
    port.protocol ||= "TCP";
    // Go clients send zero values for what was never set.
    port.targetPort ||= port.port;
  }
  if (type === "ExternalName") {
    if (old?.spec) leaveAddresses(service, old);
    service.status ??= { loadBalancer: {} };
    return;
  }
  spec.internalTrafficPolicy ??= "Cluster";
  const external = type === "NodePort" || type === "LoadBalancer" || (spec.externalIPs?.length ?? 0) > 0;
  if (external) spec.externalTrafficPolicy ??= "Cluster";
  if (type === "LoadBalancer") spec.allocateLoadBalancerNodePorts ??= true;
  if (old?.spec) carryOver(service, old);
  if (spec.clusterIP && !spec.clusterIPs) spec.clusterIPs = [spec.clusterIP];
  if (!spec.clusterIP && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0];
  // Without a selector or an address of its own, a Service may have endpoints of any family.
  const anyFamily = spec.clusterIP === "None" && Object.keys(spec.selector ?? {}).length === 0 && !spec.ipFamilies && !spec.ipFamilyPolicy;
  spec.ipFamilies ??= anyFamily ? ["IPv4", "IPv6"] : spec.clusterIP?.includes(":") ? ["IPv6"] : ["IPv4"];
  spec.ipFamilyPolicy ??= anyFamily ? "RequireDualStack" : "SingleStack";
  service.status ??= { loadBalancer: {} };
  service.status.loadBalancer ??= {};
  for (const ingress of service.status.loadBalancer.ingress ?? []) if (ingress.ip) (ingress as { ipMode?: string }).ipMode ??= "VIP";
}

/** A name has no addresses: those of before go, unless somebody asks for others. */
function leaveAddresses({ spec = {} }: Service, { spec: before = {} }: Service): void {
  if (before.type === "ExternalName") return;
  if (spec.clusterIP === before.clusterIP) delete spec.clusterIP;
  if (JSON.stringify(spec.clusterIPs) === JSON.stringify(before.clusterIPs)) delete spec.clusterIPs;
  for (const name of ["ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] as const)
    if (JSON.stringify(spec[name]) === JSON.stringify(before[name])) delete spec[name];
  const known = new Map((before.ports ?? []).map((port) => [port.port, port.nodePort]));
  for (const port of spec.ports ?? []) if (port.nodePort && port.nodePort === known.get(port.port)) delete port.nodePort;
}

/** What a PUT that does not name them must not lose, and what a change of type must drop. */
function carryOver(service: Service, old: Service): void {
  const spec = service.spec ?? {};
  const before = old.spec ?? {};
  if (!spec.clusterIP && !spec.clusterIPs?.length && before.type !== "ExternalName" && before.clusterIP) {
    spec.clusterIP = before.clusterIP;
    spec.clusterIPs = before.clusterIPs ?? [before.clusterIP];
  }
  const nodePorts = (type: string | undefined) => type === "NodePort" || type === "LoadBalancer";
  const keyOf = (port: { port: number; protocol?: string }) => `${port.port}/${port.protocol}`;
  const known = new Map((before.ports ?? []).map((port) => [keyOf(port), port.nodePort]));
  if (nodePorts(spec.type) && nodePorts(before.type)) {
    for (const port of spec.ports ?? []) {
      const nodePort = known.get(keyOf(port));
      if (!port.nodePort && nodePort) port.nodePort = nodePort;
    }
  } else if (!nodePorts(spec.type) && nodePorts(before.type)) {
    for (const port of spec.ports ?? []) if (port.nodePort === known.get(keyOf(port))) delete port.nodePort;
    if (spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) delete spec.allocateLoadBalancerNodePorts;
    if (spec.externalTrafficPolicy === before.externalTrafficPolicy && !spec.externalIPs?.length) delete spec.externalTrafficPolicy;
  }
  if (spec.type !== "LoadBalancer" && before.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) {
    delete spec.allocateLoadBalancerNodePorts;
  }
}
