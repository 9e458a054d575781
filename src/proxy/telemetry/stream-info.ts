import type { HeaderMap, RequestHead } from "../http/header-map.ts";
import type { ActiveSpan } from "../tracing/index.ts";
import type { ConnectionInfo, TlsInfo } from "../net/connection-info.ts";

/** Envoy's response flags by their short names. */
export type ResponseFlag =
  | "LH"
  | "UH"
  | "UT"
  | "LR"
  | "UR"
  | "UF"
  | "UC"
  | "UO"
  | "NR"
  | "DI"
  | "FI"
  | "RL"
  | "UAEX"
  | "RLSE"
  | "DC"
  | "URX"
  | "SI"
  | "IH"
  | "DPE"
  | "UMSDR"
  | "RFCF"
  | "NFCF"
  | "DT"
  | "UPE"
  | "NC"
  | "OM"
  | "DF"
  | "DO"
  | "DR"
  | "UDO";

/** What an access log shows of the chosen upstream host. */
export interface UpstreamHostInfo {
  /** `ip:port`. */
  readonly text: string;
  readonly metadata: FilterMetadata;
  /** Attached by Istio to endpoints of other meshes; undefined otherwise. */
  readonly hostname: string;
}

export interface UpstreamClusterInfo {
  readonly name: string;
  readonly observabilityName: string;
  readonly metadata: FilterMetadata;
}

/** `filter_metadata` of a resource as plain objects. */
export type FilterMetadata = { readonly [filter: string]: { readonly [key: string]: unknown } };

/** How a stream ended of which nothing more can be said to the client. */
export interface StreamLoss {
  readonly flag: "DC" | "DR" | "DPE";
  readonly details: string;
}

const DISCONNECT: StreamLoss = { flag: "DC", details: "downstream_remote_disconnect" };

/** What is known of a request, or of a TCP connection: the material of access logs, metrics and header formats. */
export class StreamInfo {
  /** Wall clock, milliseconds since the epoch with fractions. */
  startTime: number;
  /** Monotonic milliseconds. */
  readonly startMono: number;
  durationMs = 0;
  request: RequestHead | undefined;
  /** `HTTP/1.1`, or undefined for what is no HTTP. */
  protocol: string | undefined;
  responseStatus = 0;
  responseHeaders: HeaderMap | undefined;
  responseTrailers: HeaderMap | undefined;
  /** Comma-joined in the order in which they were set, as Envoy prints them; empty for none. */
  flags = "";
  details = "";
  terminationDetails = "";
  upstreamFailure = "";
  bytesReceived = 0;
  bytesSent = 0;
  requestHeadBytes = 0;
  responseHeadBytes = 0;
  upstreamHost: UpstreamHostInfo | undefined;
  upstreamCluster: UpstreamClusterInfo | undefined;
  upstreamLocal = "";
  /** `HTTP/1.1` or `HTTP/2`; empty while there is no connection, and for what is no HTTP. */
  upstreamProtocol = "";
  /** URI SANs of both ends of the upstream TLS connection. */
  upstreamPeerUri = "";
  upstreamLocalUri = "";
  upstreamTls: TlsInfo | undefined;
  /** Milliseconds from the start to the last byte of the request, to the first and the last of the response; -1: never. */
  requestCompleteMs = -1;
  responseStartMs = -1;
  attempts = 0;
  /** Hosts of tries before the last. */
  triedHosts: UpstreamHostInfo[] | undefined;
  /** What the proxy itself would have answered, for the page around it. */
  localReplyBody = "";
  routeName = "";
  /** It asks for this proxy's health. */
  healthCheck = false;
  virtualHostName = "";
  /** The downstream's address as XFF has it, `ip:port`; the connection's own otherwise. */
  remoteText: string;
  remoteIp: string;
  /** Values that filters have given it by name; those of the connection are the connection's. */
  namedState: Map<string, string> | undefined;
  dynamicMetadata: Map<string, { [key: string]: unknown }> | undefined;

  /** Where a tracer is configured: sampled or not. */
  span: ActiveSpan | undefined;
  /** Set for HTTP, once the route is known. */
  route: { readonly metadata: FilterMetadata } | undefined;

  constructor(
    readonly downstream: ConnectionInfo,
    wall: number,
    mono: number,
  ) {
    this.startTime = wall;
    this.startMono = mono;
    this.remoteText = downstream.remoteText;
    this.remoteIp = downstream.remote.address;
  }

  addFlag(flag: ResponseFlag): void {
    if (this.flags === "") this.flags = flag;
    else if (!this.hasFlag(flag)) this.flags += `,${flag}`;
  }

  hasFlag(flag: ResponseFlag): boolean {
    return this.flags === flag || (this.flags !== "" && this.flags.split(",").includes(flag));
  }

  /** The client gets no answer any more: its connection has ended, or this one of its streams. */
  clientGone({ flag, details }: StreamLoss = DISCONNECT): void {
    this.addFlag(flag);
    this.details = details;
  }

  setMetadata(filter: string, key: string, value: unknown): void {
    this.dynamicMetadata ??= new Map();
    let fields = this.dynamicMetadata.get(filter);
    if (!fields) {
      fields = {};
      this.dynamicMetadata.set(filter, fields);
    }
    fields[key] = value;
  }
}
