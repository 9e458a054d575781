/** The shapes that the live stream sends, and what the page makes of them. Types only come from the server's modules. */
import { type Health, healthOf } from "../../telemetry/graph/health.ts";
import type { EdgeTraffic, Graph, GraphEdge, GraphNode } from "../../telemetry/graph/model.ts";
import type { GraphAnswer } from "../api/graph-routes.ts";
import type { MeshState, WorkloadState } from "../api/mesh-state.ts";
import type { Feature, NodeTraits, Traits } from "../api/traits.ts";

export { FLAG_TEXT, refusalText } from "../api/flags.ts";
export type { EdgeTraffic, Feature, Graph, GraphAnswer, GraphEdge, GraphNode, Health, MeshState, NodeTraits, Traits, WorkloadState };

/** How an edge stands: what its colour, its padlock and its first words say. */
export type EdgeState = "secure" | "plaintext" | "mixed" | "refused" | "unknown";

export function edgeState(edge: GraphEdge): EdgeState {
  // What the caller's side alone reports never got in.
  if (edge.refused.length > 0 && edge.mtls === undefined) return "refused";
  if (edge.mtls === undefined) return "unknown";
  if (edge.mtls >= 0.9995) return "secure";
  return edge.mtls <= 0.0005 ? "plaintext" : "mixed";
}

export function requestRate(edge: GraphEdge): number {
  return edge.traffic.filter((t) => t.protocol !== "tcp").reduce((sum, t) => sum + t.rate, 0);
}

export function byteRate(edge: GraphEdge): number {
  return edge.traffic.filter((t) => t.protocol === "tcp").reduce((sum, t) => sum + t.rate, 0);
}

export function isErrorTraffic({ protocol, code, flags }: EdgeTraffic): boolean {
  if (protocol === "tcp") return flags !== "-";
  return protocol === "grpc" ? code !== "0" : code === "0" || Number(code) >= 400;
}

export function errorShare(edge: GraphEdge): number {
  const total = edge.traffic.reduce((sum, t) => sum + t.rate, 0);
  return total === 0 ? 0 : edge.traffic.filter(isErrorTraffic).reduce((sum, t) => sum + t.rate, 0) / total;
}

/** How a node stands by what came in over its edges. */
export function errorHealth(incoming: GraphEdge[]): Health {
  return healthOf(incoming.flatMap((edge) => edge.traffic));
}

export function refusedAttempts(edge: GraphEdge): number {
  return Math.round(edge.refused.reduce((sum, r) => sum + r.attempts, 0));
}

export function nodeName(node: GraphNode): string {
  return node.service ?? node.app ?? node.workload ?? "unknown";
}

/** `1.2 rps`, `30 rpm` for what happens less than once in two seconds. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return "0 rps";
  if (perSecond >= 10) return `${perSecond.toFixed(0)} rps`;
  if (perSecond >= 0.5) return `${perSecond.toFixed(1)} rps`;
  return `${perSecond * 60 >= 1 ? (perSecond * 60).toFixed(0) : (perSecond * 60).toFixed(1)} rpm`;
}

export function formatBytes(perSecond: number): string {
  const units = ["B/s", "kB/s", "MB/s", "GB/s"];
  let value = perSecond;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${value >= 10 || unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

export function formatMs(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : ms >= 10 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}
