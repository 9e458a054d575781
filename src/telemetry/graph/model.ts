/** The mesh's traffic as a graph of plain data, before any wire format. Rates are per second. */

export type NodeType = "workload" | "app" | "service" | "unknown";
export type GraphType = "workload" | "app" | "versionedApp" | "service";

export interface GraphNode {
  id: string;
  type: NodeType;
  cluster: string;
  namespace: string;
  /** Set as far as the node type has them. */
  workload?: string;
  app?: string;
  version?: string;
  service?: string;
}

/** How much of one protocol, code and flag went over an edge. */
export interface EdgeTraffic {
  protocol: "http" | "grpc" | "tcp";
  /** HTTP code, gRPC status, or "-" for TCP. */
  code: string;
  /** Envoy's response flags, "-" for none. */
  flags: string;
  /** The host that was asked for. */
  host: string;
  /** Requests a second; for TCP, bytes a second. */
  rate: number;
}

/** Attempts that the destination's proxy refused before any request. */
export interface RefusedTraffic {
  reason: string;
  port: string;
  /** Attempts in the window. */
  attempts: number;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  traffic: EdgeTraffic[];
  /** Share of what the destination saw that came over mutual TLS, 0 to 1; undefined when no destination reported. */
  mtls: number | undefined;
  sourcePrincipals: string[];
  destinationPrincipals: string[];
  refused: RefusedTraffic[];
  /** Milliseconds by quantile name, where asked for. */
  responseTimes: { p50?: number; p95?: number; p99?: number };
  /** Response bytes a second, where asked for. */
  bytes: number | undefined;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

/** Who stands behind an address: what a refused connection's source is shown as. */
export interface WorkloadIdentity {
  cluster: string;
  namespace: string;
  workload: string;
  app: string;
  version: string;
}
