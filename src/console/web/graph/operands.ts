import {
  type Feature,
  type GraphEdge,
  type GraphNode,
  byteRate,
  edgeState,
  errorHealth,
  errorShare,
  nodeName,
  refusedAttempts,
  requestRate,
} from "../model.ts";
import { type Scene, rateOf } from "./scene.ts";

/** What an expression can ask of nodes, of edges, or of both; `says` is for the help. */
export interface Operand<T> {
  says: string;
  node?: (node: GraphNode, scene: Scene) => T;
  edge?: (edge: GraphEdge, scene: Scene) => T;
}

const feature = (name: Feature, says: string): Operand<boolean> => ({ says, node: (node, scene) => scene.traits(node)?.features.includes(name) ?? false });

/** True or false of a node or an edge. */
export const FLAGS: Record<string, Operand<boolean>> = {
  mtls: { says: "some requests over mutual TLS", edge: (edge) => edgeState(edge) === "secure" || edgeState(edge) === "mixed" },
  plaintext: { says: "some requests in plain text", edge: (edge) => edgeState(edge) === "plaintext" || edgeState(edge) === "mixed" },
  refused: { says: "attempts that a proxy refused", edge: (edge) => refusedAttempts(edge) > 0 },
  traffic: { says: "any traffic", edge: (edge) => edge.traffic.length > 0 },
  healthy: {
    says: "neither degraded nor failing",
    edge: (edge) => edge.traffic.length > 0 && errorHealth([edge]) === "healthy",
    node: (node, scene) => ["healthy", "idle"].includes(errorHealth([...scene.incoming(node)])),
  },
  trafficsource: { says: "only calls others", node: (node, scene) => scene.outgoing(node).length > 0 && scene.incoming(node).length === 0 },
  inaccessible: { says: "a caller that is not known", node: (node) => node.type === "unknown" },
  idle: { says: "no edges", node: (node, scene) => scene.incoming(node).length + scene.outgoing(node).length === 0 },
  outside: { says: "in a namespace that is not chosen", node: (node, scene) => node.type !== "unknown" && !scene.namespaces.includes(node.namespace) },
  sidecar: { says: "has a proxy", node: (node, scene) => scene.workload(node)?.sidecar === true },
  outsidemesh: { says: "has no proxy", node: (node, scene) => scene.workload(node)?.sidecar === false },
  gateway: { says: "a gateway", node: (node, scene) => scene.workload(node)?.gateway === true },
  strict: { says: "accepts mutual TLS only", node: (node, scene) => scene.workload(node)?.mode === "STRICT" },
  permissive: { says: "accepts plain text too", node: (node, scene) => scene.workload(node)?.mode === "PERMISSIVE" },
  virtualservice: feature("virtualservice", "a VirtualService routes to it"),
  circuitbreaker: feature("circuitbreaker", "a DestinationRule limits connections or ejects hosts"),
  faultinjection: feature("faultinjection", "delays or aborts are injected"),
  mirroring: feature("mirroring", "requests are mirrored"),
  requestrouting: feature("requestrouting", "routes by what a request has"),
  requesttimeout: feature("requesttimeout", "a route with a timeout"),
  tcptrafficshifting: feature("tcptrafficshifting", "TCP connections are split"),
  trafficshifting: feature("trafficshifting", "requests are split"),
  serviceentry: feature("serviceentry", "a host of a ServiceEntry"),
  workloadentry: feature("workloadentry", "a WorkloadEntry"),
};

const present = (...texts: (string | undefined)[]): string[] => texts.filter((text) => text !== undefined);

/** Texts of a node or an edge: one of them has to fit, or with a negated operator all of them. */
export const TEXTS: Record<string, Operand<string[]>> = {
  name: {
    says: "application, service, workload",
    node: (node) => ((node.app ?? node.service ?? node.workload) ? present(node.app, node.service, node.workload) : [nodeName(node)]),
  },
  namespace: { says: "", node: (node) => [node.namespace] },
  cluster: { says: "", node: (node) => [node.cluster] },
  node: { says: "app, service, workload, unknown", node: (node) => [node.type] },
  app: { says: "canonical service", node: (node) => present(node.app) },
  workload: { says: "", node: (node) => present(node.workload) },
  service: { says: "", node: (node) => present(node.service) },
  version: { says: "canonical revision", node: (node) => present(node.version) },
  protocol: { says: "http, grpc, tcp", edge: (edge) => [...new Set(edge.traffic.map(({ protocol }) => protocol))] },
  sourceprincipal: { says: "identity of the caller", edge: (edge) => edge.sourcePrincipals },
  destprincipal: { says: "identity of the called", edge: (edge) => edge.destinationPrincipals },
};

const failing = (edge: GraphEdge, protocol: string): number =>
  errorShare({ ...edge, traffic: edge.traffic.filter((flow) => flow.protocol === protocol) }) * 100;
const share = (edge: GraphEdge, scene: Scene, protocol: string): number | undefined => {
  const sent = scene.sent(edge, protocol);
  return sent > 0 ? (rateOf(edge, protocol) / sent) * 100 : undefined;
};
const total = (edges: readonly GraphEdge[], rate: (edge: GraphEdge) => number): number => edges.reduce((sum, edge) => sum + rate(edge), 0);
const http = (edge: GraphEdge) => rateOf(edge, "http");
const grpc = (edge: GraphEdge) => rateOf(edge, "grpc");

/** Numbers of a node or an edge; 0 and undefined are no activity, which `= NaN` asks for. */
export const NUMBERS: Record<string, Operand<number | undefined>> = {
  http: { says: "requests a second", edge: requestRate },
  grpc: { says: "requests a second", edge: grpc },
  tcp: { says: "bytes a second", edge: byteRate },
  "%error": { says: "percent of all that fail", edge: (edge) => errorShare(edge) * 100 },
  "%httperr": { says: "percent that fail", edge: (edge) => failing(edge, "http") },
  "%grpcerr": { says: "percent that fail", edge: (edge) => failing(edge, "grpc") },
  "%httptraffic": { says: "percent of what the caller sends", edge: (edge, scene) => share(edge, scene, "http") },
  "%grpctraffic": { says: "percent of what the caller sends", edge: (edge, scene) => share(edge, scene, "grpc") },
  responsetime: { says: "milliseconds, 95th percentile", edge: (edge) => edge.responseTimes.p95 },
  throughput: { says: "bytes a second; with the label Throughput", edge: (edge) => edge.bytes },
  httpin: { says: "requests a second", node: (node, scene) => total(scene.incoming(node), http) },
  httpout: { says: "requests a second", node: (node, scene) => total(scene.outgoing(node), http) },
  grpcin: { says: "requests a second", node: (node, scene) => total(scene.incoming(node), grpc) },
  grpcout: { says: "requests a second", node: (node, scene) => total(scene.outgoing(node), grpc) },
  tcpin: { says: "bytes a second", node: (node, scene) => total(scene.incoming(node), byteRate) },
  tcpout: { says: "bytes a second", node: (node, scene) => total(scene.outgoing(node), byteRate) },
  rank: { says: "1 where most edges lead to", node: (node, scene) => scene.rank(node) },
};

/** A Kubernetes label of the node's objects: `label:region = east`, or `label:region` where its presence is meant. */
export function label(name: string): { text: Operand<string[]>; flag: Operand<boolean> } {
  const value = (node: GraphNode, scene: Scene) => scene.traits(node)?.labels[name];
  return {
    text: { says: "", node: (node, scene) => present(value(node, scene)) },
    flag: { says: "", node: (node, scene) => value(node, scene) !== undefined },
  };
}

/** Kiali's abbreviations and our own. */
export const ABBREVIATIONS: Record<string, string> = {
  ns: "namespace",
  svc: "service",
  se: "serviceentry",
  wl: "workload",
  we: "workloadentry",
  rt: "responsetime",
  sc: "sidecar",
  vs: "virtualservice",
  cb: "circuitbreaker",
  fi: "faultinjection",
  rr: "requestrouting",
  rto: "requesttimeout",
  ts: "trafficshifting",
  tcpts: "tcptrafficshifting",
  dp: "destprincipal",
  destinationprincipal: "destprincipal",
  sp: "sourceprincipal",
  rps: "http",
  error: "%error",
  httperr: "%httperr",
  grpcerr: "%grpcerr",
  insecure: "plaintext",
  dead: "idle",
};
