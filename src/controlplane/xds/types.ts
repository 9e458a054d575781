import type { MeshSnapshot, RegistryChange } from "../registry/index.ts";

export type NodeType = "sidecar" | "router" | "waypoint" | "ztunnel";

/** Which filters the proxy behind a node has: Istio's own as well, or those of a plain Envoy only. */
export type Dialect = "istio" | "envoy";

/** A client of xDS as its node says it is; whether its certificate agrees is the server's business. */
export interface ProxyNode {
  /** `sidecar~10.244.1.11~web-api-x.ns~ns.svc.cluster.local`. */
  readonly id: string;
  readonly type: NodeType;
  /** The id's address first, then INSTANCE_IPS. */
  readonly addresses: readonly string[];
  readonly podName: string;
  readonly namespace: string;
  /** `ns.svc.cluster.local`. */
  readonly dnsDomain: string;
  readonly serviceAccount: string;
  readonly clusterId: string;
  readonly network: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly istioVersion: string;
  readonly dialect: Dialect;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** One encoded resource. Two with the same name and version are the same bytes. */
export interface XdsResource {
  readonly name: string;
  readonly typeUrl: string;
  /** Hash of the bytes: equal across proxies and restarts. */
  readonly version: string;
  /** The encoded message, ready to be an Any's value. */
  readonly value: Uint8Array;
}

export interface XdsGenerator {
  /**
   * The resources of one type for one proxy, in the order to send them.
   * `names` undefined is the wildcard (CDS, LDS, NDS); for EDS, RDS, SDS and ECDS it is the subscription, and a name
   * that stands for nothing is left out (RDS answers an unknown name with an empty route configuration, as Istio does).
   *
   * Answers are shared: proxies that see the same get the same list, and it stays the same object until something in it
   * changes. Names count by the identity of their list, so that callers with the same subscription should share one.
   */
  generate(node: ProxyNode, snapshot: MeshSnapshot, typeUrl: string, names?: readonly string[]): readonly XdsResource[];
  /**
   * The types whose resources such a change can alter for this proxy, in push order. For EDS with the names among
   * `endpoints`, its subscription, that can differ; undefined where any can.
   */
  affected(node: ProxyNode, snapshot: MeshSnapshot, change: RegistryChange, endpoints: readonly string[]): ReadonlyMap<string, readonly string[] | undefined>;
}
