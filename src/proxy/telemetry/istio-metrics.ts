import type { PeerMetadata } from "./peer-metadata.ts";
import { fromEndpointMetadata } from "./peer-metadata.ts";
import type { Counter, Histogram, Labels, StatsRegistry } from "./stats.ts";
import type { UpstreamClusterInfo, UpstreamHostInfo } from "./stream-info.ts";

export type Reporter = "source" | "destination";

/** The series that one set of labels has. */
interface RequestSeries {
  readonly requests: Counter;
  readonly durations: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
}

/** A series with what led to it. */
interface RecentSeries {
  readonly reporter: Reporter;
  readonly ends: Ends;
  readonly authority: string;
  readonly grpc: boolean;
  readonly grpcStatus: string;
  readonly status: number;
  readonly flags: string;
  readonly series: RequestSeries;
}

/** So many callers and outcomes of a cluster are looked through before a key is made. */
const MAX_RECENT = 8;

export interface TcpSeries {
  readonly opened: Counter;
  readonly closed: Counter;
  readonly sent: Counter;
  readonly received: Counter;
}

/** What of a finished request is counted. */
export interface CountedRequest {
  readonly upstreamCluster: UpstreamClusterInfo | undefined;
  readonly request: { readonly authority: string } | undefined;
  readonly responseHeaders: { get(name: string): string | undefined } | undefined;
  readonly responseTrailers: { get(name: string): string | undefined } | undefined;
  readonly responseStatus: number;
  /** Comma-joined; empty for none. */
  readonly flags: string;
  readonly durationMs: number;
  readonly requestHeadBytes: number;
  readonly bytesReceived: number;
  readonly responseHeadBytes: number;
  readonly bytesSent: number;
}

/** Who talks to whom, as far as one connection or request knows. */
export interface Ends {
  readonly source: PeerMetadata | undefined;
  readonly destination: PeerMetadata | undefined;
  readonly sourcePrincipal: string;
  readonly destinationPrincipal: string;
  /** `mutual_tls`, `none`, or `unknown` (what a source always says). */
  readonly security: string;
}

interface Service {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

/** Istio's standard metrics (istio.io/latest/docs/reference/config/metrics): label sets are built once and kept by their parts. */
export class IstioMetrics {
  readonly #requests = new Map<string, RequestSeries>();
  readonly #used = new WeakMap<UpstreamClusterInfo, RecentSeries[]>();
  readonly #tcp = new Map<string, TcpSeries>();
  readonly #services = new WeakMap<UpstreamClusterInfo, Service>();
  readonly #endpoints = new WeakMap<object, PeerMetadata | null>();
  readonly #peerIds = new WeakMap<PeerMetadata, number>();
  #lastPeerId = 0;

  constructor(
    private readonly stats: StatsRegistry,
    /** This proxy's own workload. */
    readonly own: PeerMetadata,
    istioVersion: string,
  ) {
    stats
      .gauge("istio_build", [
        ["component", "proxy"],
        ["tag", istioVersion === "" ? "unknown" : istioVersion],
      ])
      .set(1);
  }

  request(reporter: Reporter, ends: Ends, info: CountedRequest, options: { grpc: boolean; hostFallback: boolean }): void {
    const authority = options.hostFallback ? (info.request?.authority ?? "") : "";
    const grpcStatus = options.grpc ? (info.responseTrailers?.get("grpc-status") ?? info.responseHeaders?.get("grpc-status") ?? "") : "";
    const series =
      this.#recent(reporter, ends, info, authority, options.grpc, grpcStatus) ?? this.#find(reporter, ends, info, authority, options.grpc, grpcStatus);
    series.requests.value++;
    series.durations.record(Math.floor(info.durationMs));
    series.requestBytes.record(info.requestHeadBytes + info.bytesReceived);
    series.responseBytes.record(info.responseHeadBytes + info.bytesSent);
  }

  /** The series that the cluster's requests had lately, if one fits: comparing costs less than making a key. */
  #recent(reporter: Reporter, ends: Ends, info: CountedRequest, authority: string, grpc: boolean, grpcStatus: string): RequestSeries | undefined {
    const used = info.upstreamCluster && this.#used.get(info.upstreamCluster);
    if (!used) return undefined;
    for (const each of used) {
      if (
        each.ends.source === ends.source &&
        each.ends.destination === ends.destination &&
        each.status === info.responseStatus &&
        each.flags === info.flags &&
        each.grpc === grpc &&
        each.grpcStatus === grpcStatus &&
        each.reporter === reporter &&
        each.authority === authority &&
        each.ends.security === ends.security &&
        each.ends.sourcePrincipal === ends.sourcePrincipal &&
        each.ends.destinationPrincipal === ends.destinationPrincipal
      )
        return each.series;
    }
    return undefined;
  }

  #find(reporter: Reporter, ends: Ends, info: CountedRequest, authority: string, grpc: boolean, grpcStatus: string): RequestSeries {
    const { upstreamCluster, responseStatus: status } = info;
    const service = this.#service(upstreamCluster, authority);
    const flags = info.flags === "" ? "-" : info.flags;
    const key = `${this.#key(reporter, ends, service)}|${grpc}|${status}|${grpcStatus}|${flags}`;
    let series = this.#requests.get(key);
    if (!series) {
      const labels: Labels = [
        ...this.#labels(reporter, ends, service, grpc ? "grpc" : "http"),
        ["response_code", String(status)],
        ["grpc_response_status", grpcStatus],
        ["response_flags", flags],
        ["connection_security_policy", ends.security],
      ];
      series = {
        requests: this.stats.counter("istio_requests_total", labels),
        durations: this.stats.histogram("istio_request_duration_milliseconds", labels),
        requestBytes: this.stats.histogram("istio_request_bytes", labels),
        responseBytes: this.stats.histogram("istio_response_bytes", labels),
      };
      this.#requests.set(key, series);
    }
    if (upstreamCluster) {
      const used = this.#used.get(upstreamCluster) ?? [];
      if (used.length >= MAX_RECENT) used.shift();
      used.push({ reporter, ends, authority, grpc, grpcStatus, status, flags: info.flags, series });
      this.#used.set(upstreamCluster, used);
    }
    return series;
  }

  tcp(reporter: Reporter, ends: Ends, cluster: UpstreamClusterInfo | undefined, flags: string): TcpSeries {
    const service = this.#service(cluster, "");
    const shown = flags === "" ? "-" : flags;
    const key = `${this.#key(reporter, ends, service)}|${shown}`;
    let series = this.#tcp.get(key);
    if (!series) {
      const labels: Labels = [...this.#labels(reporter, ends, service, "tcp"), ["response_flags", shown], ["connection_security_policy", ends.security]];
      series = {
        opened: this.stats.counter("istio_tcp_connections_opened_total", labels),
        closed: this.stats.counter("istio_tcp_connections_closed_total", labels),
        sent: this.stats.counter("istio_tcp_sent_bytes_total", labels),
        received: this.stats.counter("istio_tcp_received_bytes_total", labels),
      };
      this.#tcp.set(key, series);
    }
    return series;
  }

  /** What an endpoint's metadata say of its workload. */
  endpoint(host: UpstreamHostInfo | undefined): PeerMetadata | undefined {
    const metadata = host?.metadata["istio"];
    if (!metadata) return undefined;
    let peer = this.#endpoints.get(metadata);
    if (peer === undefined) {
      peer = fromEndpointMetadata(metadata["workload"]) ?? null;
      this.#endpoints.set(metadata, peer);
    }
    return peer ?? undefined;
  }

  #service(cluster: UpstreamClusterInfo | undefined, authority: string): Service {
    let service = cluster && this.#services.get(cluster);
    if (!service) {
      const listed = cluster?.metadata["istio"]?.["services"];
      const first = Array.isArray(listed) ? (listed[0] as Record<string, unknown> | undefined) : undefined;
      const field = (name: string): string => (typeof first?.[name] === "string" ? (first[name] as string) : "");
      const builtin = cluster !== undefined && BUILTIN.has(cluster.name) ? cluster.name : "";
      service = { host: field("host"), name: field("name") || builtin, namespace: field("namespace") };
      if (cluster) this.#services.set(cluster, service);
    }
    if (service.host !== "" || authority === "") return service;
    return { host: authority, name: service.name === "" ? authority : service.name, namespace: service.namespace };
  }

  #key(reporter: Reporter, ends: Ends, service: Service): string {
    return `${reporter}|${this.#peerId(ends.source)}|${this.#peerId(ends.destination)}|${ends.sourcePrincipal}|${ends.destinationPrincipal}|${ends.security}|${service.host}|${service.name}|${service.namespace}`;
  }

  #peerId(peer: PeerMetadata | undefined): number {
    if (!peer) return 0;
    let id = this.#peerIds.get(peer);
    if (id === undefined) {
      id = ++this.#lastPeerId;
      this.#peerIds.set(peer, id);
    }
    return id;
  }

  #labels(reporter: Reporter, ends: Ends, service: Service, protocol: string): Labels {
    const { source, destination } = ends;
    return [
      ["reporter", reporter],
      ["source_workload", known(source?.workload)],
      ["source_canonical_service", known(source?.canonicalName)],
      ["source_canonical_revision", revision(source)],
      ["source_workload_namespace", known(source?.namespace)],
      ["source_principal", known(ends.sourcePrincipal)],
      ["source_app", known(source?.app)],
      ["source_version", known(source?.version)],
      ["source_cluster", known(source?.cluster)],
      ["destination_workload", known(destination?.workload)],
      ["destination_workload_namespace", known(destination?.namespace)],
      ["destination_principal", known(ends.destinationPrincipal)],
      ["destination_app", known(destination?.app)],
      ["destination_version", known(destination?.version)],
      ["destination_service", known(service.host)],
      ["destination_canonical_service", known(destination?.canonicalName)],
      ["destination_canonical_revision", revision(destination)],
      ["destination_service_name", known(service.name)],
      ["destination_service_namespace", known(service.namespace || destination?.namespace)],
      ["destination_cluster", known(destination?.cluster)],
      ["request_protocol", protocol],
    ];
  }
}

const BUILTIN = new Set(["BlackHoleCluster", "PassthroughCluster", "InboundPassthroughCluster"]);

function known(value: string | undefined): string {
  return value === undefined || value === "" ? "unknown" : value;
}

function revision(peer: PeerMetadata | undefined): string {
  if (!peer) return "unknown";
  return peer.canonicalRevision === "" ? "latest" : peer.canonicalRevision;
}
