import { ChainmailError } from "../../base/index.ts";
import type { NodeType, ProxyNode } from "./types.ts";

/** Longer ids are no pod's: names are at most 253 and 63 bytes, addresses 45. */
const MAX_ID_LENGTH = 1024;
const TYPES: readonly string[] = ["sidecar", "router", "waypoint", "ztunnel"];

export interface NodeLocality {
  region?: string;
  zone?: string;
  subZone?: string;
}

/**
 * Reads a node of xDS: `id` is `<type>~<address>~<pod>.<namespace>~<domain>`, `metadata` the plain JSON of its Struct.
 * Throws `NODE_INVALID` when the id has another form; odd metadata counts as absent.
 *
 * The dialect is Envoy's own when metadata CHAINMAIL_DIALECT says "envoy": then nothing refers to Istio's filters.
 */
export function parseNode(id: string, metadata: unknown, locality: NodeLocality = {}): ProxyNode {
  const fields = isRecord(metadata) ? metadata : {};
  const parts = id.length <= MAX_ID_LENGTH ? id.split("~") : [];
  const [type, address, workload, dnsDomain] = parts;
  if (parts.length !== 4 || !type || !address || !workload || dnsDomain === undefined || !TYPES.includes(type)) {
    throw new ChainmailError("NODE_INVALID", `The node id ${JSON.stringify(id.slice(0, 200))} is not of the form <type>~<address>~<pod>.<namespace>~<domain>`);
  }
  const text = (field: string): string => (typeof fields[field] === "string" ? (fields[field] as string) : "");
  const dot = workload.lastIndexOf(".");
  const labels: Record<string, string> = {};
  if (isRecord(fields["LABELS"])) for (const [key, value] of Object.entries(fields["LABELS"])) if (typeof value === "string") labels[key] = value;
  const instanceIps = text("INSTANCE_IPS")
    .split(",")
    .map((ip) => ip.trim());
  return {
    id,
    type: type as NodeType,
    addresses: [...new Set([address, ...instanceIps].filter((ip) => ip !== ""))],
    podName: dot > 0 ? workload.slice(0, dot) : workload,
    namespace: text("NAMESPACE") || (dot > 0 ? workload.slice(dot + 1) : ""),
    dnsDomain,
    serviceAccount: text("SERVICE_ACCOUNT"),
    clusterId: text("CLUSTER_ID") || "Kubernetes",
    network: text("NETWORK"),
    labels,
    istioVersion: text("ISTIO_VERSION"),
    dialect: text("CHAINMAIL_DIALECT") === "envoy" ? "envoy" : "istio",
    locality: { region: locality.region ?? "", zone: locality.zone ?? "", subZone: locality.subZone ?? "" },
    metadata: fields,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether the node is Chainmail's own proxy, which has neither all of Envoy's filters nor runs foreign code. */
export function isOwnProxy({ metadata }: Pick<ProxyNode, "metadata">): boolean {
  return metadata["CHAINMAIL_PROXY"] !== undefined;
}
