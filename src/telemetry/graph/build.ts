import type { EdgeTraffic, Graph, GraphEdge, GraphNode, GraphType, WorkloadIdentity } from "./model.ts";
import type { GraphQuery } from "./queries.ts";
import { nameCallers } from "./plaintext-callers.ts";
import type { QuerySample } from "./query-client.ts";

export interface BuildOptions {
  graphType: GraphType;
  /** Draws each service as a node between its callers and its workloads, as Kiali can. */
  injectServiceNodes: boolean;
  /** The pod behind an address, for refused connections and those let in without TLS. */
  workloadByIp(ip: string): WorkloadIdentity | undefined;
  /** The workload of a pod, for the proxy that refused. */
  workloadByPod(namespace: string, pod: string): WorkloadIdentity | undefined;
}

export type GraphResults = Partial<Record<GraphQuery["name"], QuerySample[]>>;

type Labels = QuerySample["labels"];

/** Flags of requests that no destination proxy saw: only the source can report them. */
const NEVER_ARRIVED = /\b(?:UF|UH|UO|URX|NR|NC|UC|DC|FI|RL|LH)\b/;

/** Turns the answers of `graphQueries` into nodes and edges. Pure. */
export function buildGraph(results: GraphResults, options: BuildOptions): Graph {
  const builder = new GraphBuilder(options);
  const named = nameCallers(results.plaintext ?? [], options);
  const each = (samples: QuerySample[] | undefined, divided: boolean) => (samples ?? []).flatMap((sample) => named(sample, divided));
  // What a destination reported counts; a source's report of the same edge would count it twice.
  const arrived = new Set<string>();
  for (const sample of [...(results["http-destination"] ?? []), ...(results["tcp-destination"] ?? [])]) arrived.add(pairKey(sample.labels));
  const addAll = (samples: QuerySample[] | undefined, reporter: "source" | "destination", tcp: boolean) => {
    for (const { labels, value } of reporter === "destination" ? each(samples, true) : (samples ?? [])) {
      if (reporter === "source" && arrived.has(pairKey(labels)) && !NEVER_ARRIVED.test(labels.response_flags ?? "")) continue;
      builder.addTraffic(labels, traffic(labels, value, tcp), reporter === "destination");
    }
  };
  addAll(results["http-destination"], "destination", false);
  addAll(results["tcp-destination"], "destination", true);
  addAll(results["http-source"], "source", false);
  addAll(results["tcp-source"], "source", true);
  for (const name of ["p50", "p95", "p99"] as const) for (const { labels, value } of each(results[name], false)) builder.addResponseTime(labels, name, value);
  for (const { labels, value } of each(results.bytes, true)) builder.addBytes(labels, value);
  for (const { labels, value } of results.refused ?? []) builder.addRefused(labels, value);
  return builder.finish();
}

function traffic(labels: Labels, rate: number, tcp: boolean): EdgeTraffic {
  const protocol = tcp ? "tcp" : labels.request_protocol === "grpc" ? "grpc" : "http";
  const code = tcp ? "-" : protocol === "grpc" ? (labels.grpc_response_status ?? "0") : (labels.response_code ?? "0");
  return { protocol, code, flags: labels.response_flags ?? "-", host: labels.destination_service ?? "unknown", rate };
}

function pairKey(labels: Labels): string {
  return [labels.source_workload_namespace, labels.source_workload, labels.destination_service_namespace, labels.destination_service_name].join("/");
}

interface Share {
  mtls: number;
  all: number;
}

class GraphBuilder {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #edges = new Map<string, GraphEdge & { share: Share }>();

  constructor(readonly options: BuildOptions) {}

  addTraffic(labels: Labels, flow: EdgeTraffic, seenByDestination: boolean): void {
    for (const edge of this.#edgesOf(labels)) {
      const same = edge.traffic.find((t) => t.protocol === flow.protocol && t.code === flow.code && t.flags === flow.flags && t.host === flow.host);
      if (same) same.rate += flow.rate;
      else edge.traffic.push({ ...flow });
      if (!seenByDestination) continue;
      edge.share.all += flow.rate;
      if (labels.connection_security_policy === "mutual_tls") edge.share.mtls += flow.rate;
      addPrincipal(edge.sourcePrincipals, labels.source_principal);
      addPrincipal(edge.destinationPrincipals, labels.destination_principal);
    }
  }

  addResponseTime(labels: Labels, quantile: "p50" | "p95" | "p99", value: number): void {
    for (const edge of this.#edgesOf(labels)) edge.responseTimes[quantile] = Math.max(edge.responseTimes[quantile] ?? 0, value);
  }

  addBytes(labels: Labels, value: number): void {
    for (const edge of this.#edgesOf(labels)) edge.bytes = (edge.bytes ?? 0) + value;
  }

  addRefused(labels: Labels, attempts: number): void {
    const { namespace = "", pod = "", source_ip: ip = "", destination_port: port = "", reason = "unknown" } = labels;
    const target = this.options.workloadByPod(namespace, pod);
    if (!target) return;
    const source = this.options.workloadByIp(ip);
    const from = source ? this.#workload(source) : this.#node({ id: "", type: "unknown", cluster: "unknown", namespace: "unknown", workload: ip || "unknown" });
    const edge = this.#edge(from, this.#workload(target));
    const same = edge.refused.find((r) => r.reason === reason && r.port === port);
    if (same) same.attempts += attempts;
    else edge.refused.push({ reason, port, attempts });
  }

  finish(): Graph {
    const edges = [...this.#edges.values()].map(({ share, ...edge }) => ({
      ...edge,
      traffic: edge.traffic.map((flow) => ({ ...flow, rate: rounded(flow.rate) })),
      mtls: share.all > 0 ? share.mtls / share.all : undefined,
      responseTimes: Object.fromEntries(Object.entries(edge.responseTimes).map(([name, ms]) => [name, rounded(ms)])),
      bytes: edge.bytes && rounded(edge.bytes),
    }));
    return { nodes: [...this.#nodes.values()], edges };
  }

  /** One edge, or two where a service node stands between. */
  #edgesOf(labels: Labels): (GraphEdge & { share: Share })[] {
    const source = this.#end(labels, "source");
    const destination = this.#end(labels, "destination");
    if (
      !this.options.injectServiceNodes ||
      this.options.graphType === "service" ||
      !labels.destination_service_name ||
      labels.destination_service_name === "unknown"
    )
      return [this.#edge(source, destination)];
    const service = this.#node({
      id: "",
      type: "service",
      cluster: labels.destination_cluster ?? "unknown",
      namespace: labels.destination_service_namespace ?? "unknown",
      service: labels.destination_service_name,
    });
    return destination.type === "unknown" || destination.id === service.id
      ? [this.#edge(source, service)]
      : [this.#edge(source, service), this.#edge(service, destination)];
  }

  #end(labels: Labels, side: "source" | "destination"): GraphNode {
    const cluster = labels[`${side}_cluster`] ?? "unknown";
    const workload = labels[`${side}_workload`] ?? "unknown";
    const namespace = labels[`${side}_workload_namespace`] ?? "unknown";
    const service = labels.destination_service_name ?? "unknown";
    const serviceNode = (): GraphNode =>
      this.#node({ id: "", type: "service", cluster, namespace: labels.destination_service_namespace ?? namespace, service });
    if (side === "destination" && this.options.graphType === "service" && service !== "unknown") return serviceNode();
    if (workload !== "unknown") {
      return this.#workload({
        cluster,
        namespace,
        workload,
        app: labels[`${side}_canonical_service`] ?? workload,
        version: labels[`${side}_canonical_revision`] ?? "latest",
      });
    }
    if (side === "destination" && service !== "unknown") return serviceNode();
    return this.#node({ id: "", type: "unknown", cluster: "unknown", namespace: "unknown", workload: "unknown" });
  }

  #workload({ cluster, namespace, workload, app, version }: WorkloadIdentity): GraphNode {
    switch (this.options.graphType) {
      case "app":
        return this.#node({ id: "", type: "app", cluster, namespace, app });
      case "versionedApp":
        return this.#node({ id: "", type: "app", cluster, namespace, app, version, workload });
      default:
        return this.#node({ id: "", type: "workload", cluster, namespace, workload, app, version });
    }
  }

  #node(node: GraphNode): GraphNode {
    const key = [
      node.type,
      node.namespace,
      node.type === "service" ? node.service : node.type === "app" ? `${node.app}/${node.version ?? ""}` : node.workload,
    ].join("/");
    let known = this.#nodes.get(key);
    if (!known) this.#nodes.set(key, (known = { ...node, id: key }));
    return known;
  }

  #edge(source: GraphNode, target: GraphNode): GraphEdge & { share: Share } {
    const id = `${source.id} > ${target.id}`;
    let edge = this.#edges.get(id);
    if (!edge) {
      edge = {
        id,
        source: source.id,
        target: target.id,
        traffic: [],
        mtls: undefined,
        sourcePrincipals: [],
        destinationPrincipals: [],
        refused: [],
        responseTimes: {},
        bytes: undefined,
        share: { mtls: 0, all: 0 },
      };
      this.#edges.set(id, edge);
    }
    return edge;
  }
}

/** Kiali's precision: what differs by less is the same graph. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function addPrincipal(list: string[], principal: string | undefined): void {
  if (principal && principal !== "unknown" && !list.includes(principal)) list.push(principal);
}
