import { errorText, type Logger } from "../../base/index.ts";
import type { TelemetryLine } from "../../proto/index.ts";
import { IstioMetrics, type Ends, type TcpSeries } from "../../proxy/telemetry/istio-metrics.ts";
import { fromEndpointMetadata, fromNodeMetadata, type PeerMetadata } from "../../proxy/telemetry/peer-metadata.ts";
import { RefusedConnections, type RefusalReason } from "../../proxy/telemetry/refused-connections.ts";
import { StatsRegistry } from "../../proxy/telemetry/stats.ts";
import type { UpstreamClusterInfo } from "../../proxy/telemetry/stream-info.ts";
import type { WorkloadNames } from "./workload-names.ts";

/** What a lasting connection has been counted with so far. */
interface OpenConnection {
  received: number;
  sent: number;
}

/**
 * Istio's metrics for a proxy that has no filter for them: counts what Envoy tells of each request and connection. The
 * series, names and labels are those of our own proxy, from the same code.
 */
export class RequestCounter {
  readonly #stats = new StatsRegistry();
  readonly #istio: IstioMetrics;
  readonly #refused = new RefusedConnections(this.#stats);
  readonly #clusters = new Map<string, UpstreamClusterInfo>();
  readonly #endpoints = new Map<string, PeerMetadata | undefined>();
  readonly #open = new Map<number, OpenConnection>();
  #complained = false;

  constructor(
    metadata: { readonly [key: string]: unknown },
    private readonly names: Pick<WorkloadNames, "find">,
    private readonly log: Logger,
  ) {
    const version = metadata.ISTIO_VERSION;
    this.#istio = new IstioMetrics(this.#stats, fromNodeMetadata(metadata), typeof version === "string" ? version : "");
  }

  /** Prometheus text. */
  prometheus(): string {
    return this.#stats.prometheus();
  }

  /** Takes one line of Envoy's log. */
  line(text: string): void {
    let line: TelemetryLine;
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed !== "object" || parsed === null) return;
      // Written by Envoy in the format that our control plane gave it; each field is checked where it is used.
      line = parsed as TelemetryLine;
    } catch (error) {
      if (!this.#complained) this.log.warn("Envoy's log for the agent has a line that cannot be read", { error: errorText(error) });
      this.#complained = true;
      return;
    }
    if (line.kind === "listener") return this.#listener(line);
    const count = (ends: Ends): void => (line.kind === "http" ? this.#request(line, ends) : this.#connection(line, ends));
    if (line.class !== "inbound") count(this.#outbound(line));
    else this.names.find(line.sourceIp ?? "", (source) => count(this.#inbound(line, source)));
  }

  #request(line: TelemetryLine, ends: Ends): void {
    const grpcStatus = line.grpcStatus === undefined || line.grpcStatus === null ? undefined : String(line.grpcStatus);
    this.#istio.request(
      line.class === "inbound" ? "destination" : "source",
      ends,
      {
        upstreamCluster: this.#cluster(line),
        request: { authority: line.authority ?? "" },
        responseHeaders: undefined,
        responseTrailers: { get: (name) => (name === "grpc-status" ? grpcStatus : undefined) },
        responseStatus: line.status ?? 0,
        flags: flagsOf(line),
        durationMs: line.milliseconds ?? 0,
        requestHeadBytes: line.requestHead ?? 0,
        bytesReceived: line.received ?? 0,
        responseHeadBytes: line.responseHead ?? 0,
        bytesSent: line.sent ?? 0,
      },
      // Where the host header comes from outside, it must not become a label.
      { grpc: (line.contentType ?? "").startsWith("application/grpc"), hostFallback: line.class === "outbound" },
    );
  }

  /** Envoy tells of a connection when it stands, while it lasts, and when it ends, each time with all its bytes so far. */
  #connection(line: TelemetryLine, ends: Ends): void {
    const series = this.#istio.tcp(
      line.class === "inbound" ? "destination" : "source",
      ends,
      this.#cluster(line),
      line.moment === CONNECTION_END ? flagsOf(line) : "",
    );
    const id = line.connection ?? 0;
    const known = this.#open.get(id);
    if (!known) series.opened.inc();
    const before = known ?? { received: 0, sent: 0 };
    const now = { received: line.received ?? 0, sent: line.sent ?? 0 };
    add(series, now.received - before.received, now.sent - before.sent);
    if (line.moment !== CONNECTION_END) {
      this.#open.set(id, now);
      return;
    }
    this.#open.delete(id);
    series.closed.inc();
    if (line.class === "inbound" && isDenied(line)) this.#refuse(line, "rbac_access_denied");
  }

  #listener(line: TelemetryLine): void {
    if (flagsOf(line).split(",").includes("NR")) this.#refuse(line, "filter_chain_not_found");
    else if (line.transportFailure?.startsWith(HANDSHAKE)) this.#refuse(line, handshakeReason(line.transportFailure));
    else if (isDenied(line)) this.#refuse(line, "rbac_access_denied");
  }

  #refuse(line: TelemetryLine, reason: RefusalReason): void {
    this.#refused.count(line.sourceIp ?? "", line.port ?? 0, reason);
  }

  #inbound(line: TelemetryLine, source: PeerMetadata | undefined): Ends {
    const sourcePrincipal = firstOf(line.peerId);
    const destinationPrincipal = firstOf(line.ownId);
    const security = sourcePrincipal !== "" && destinationPrincipal !== "" ? "mutual_tls" : "none";
    return { source, destination: this.#istio.own, sourcePrincipal, destinationPrincipal, security };
  }

  #outbound(line: TelemetryLine): Ends {
    const destinationPrincipal = firstOf(line.upstreamPeerId);
    return {
      source: this.#istio.own,
      destination: this.#endpoint(line.workload),
      sourcePrincipal: destinationPrincipal === "" ? "" : firstOf(line.upstreamOwnId),
      destinationPrincipal,
      // As in Istio: a client cannot know what the server made of it.
      security: "unknown",
    };
  }

  #endpoint(text: string | undefined): PeerMetadata | undefined {
    if (!text) return undefined;
    const known = this.#endpoints.get(text);
    if (known) return known;
    if (this.#endpoints.size >= MAX_CACHED) this.#endpoints.clear();
    const peer = fromEndpointMetadata(text);
    this.#endpoints.set(text, peer);
    return peer;
  }

  #cluster(line: TelemetryLine): UpstreamClusterInfo | undefined {
    if (!line.cluster) return undefined;
    const services = JSON.stringify(line.services ?? null);
    const key = `${line.cluster} ${services}`;
    let cluster = this.#clusters.get(key);
    if (!cluster) {
      if (this.#clusters.size >= MAX_CACHED) this.#clusters.clear();
      cluster = { name: line.cluster, observabilityName: line.cluster, metadata: { istio: { services: line.services ?? [] } } };
      this.#clusters.set(key, cluster);
    }
    return cluster;
  }
}

function add(series: TcpSeries, received: number, sent: number): void {
  series.received.inc(Math.max(0, received));
  series.sent.inc(Math.max(0, sent));
}

/** Of a failed handshake; what the inspector of first bytes says of plaintext begins without the colon. */
const HANDSHAKE = "TLS_error:";

/** In the words of our own proxy for the failures that Envoy's TLS library names. */
function handshakeReason(failure: string): RefusalReason {
  if (failure.includes("PEER_DID_NOT_RETURN_A_CERTIFICATE")) return "peer_certificate_required";
  if (failure.includes("SAN matcher")) return "peer_san_mismatch";
  if (failure.includes("CERTIFICATE_VERIFY_FAILED")) return "peer_not_trusted";
  return "tls_handshake_failed";
}

function isDenied({ termination }: TelemetryLine): boolean {
  return termination?.startsWith("rbac_access_denied") ?? false;
}

/** Certificates of the mesh have one URI; of others the first counts, as in Istio. */
function firstOf(list: string | undefined): string {
  return list?.split(",")[0] ?? "";
}

/** "-" stands for none in text formats. */
function flagsOf({ flags }: TelemetryLine): string {
  return flags === undefined || flags === null || flags === "-" ? "" : flags;
}

const CONNECTION_END = "TcpConnectionEnd";
/** Clusters and endpoints that one workload talks to; a large mesh has some thousands. */
const MAX_CACHED = 4_096;
