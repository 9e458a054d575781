/**
 * What a plain Envoy tells its agent about each request and connection: a line of JSON in an access log of its own. The
 * control plane writes these formats into listeners, the agent counts by them; neither knows the other, so they meet here.
 */

/** The node's metadata say under this name at which path the agent reads; without it nothing is written. */
export const TELEMETRY_METADATA = "CHAINMAIL_TELEMETRY_PATH";

/** On which side of a call the listener stands. */
export type TelemetryClass = "inbound" | "outbound" | "gateway";

/** A line, as JSON.parse gives it: absent values are null or missing. */
export interface TelemetryLine {
  readonly kind: "http" | "tcp" | "listener";
  readonly class: TelemetryClass;
  /** Envoy's name of the moment at which it was written, such as TcpPeriodic. */
  readonly moment?: string;
  readonly connection?: number;
  readonly flags?: string;
  readonly sourceIp?: string;
  readonly port?: number;
  readonly milliseconds?: number;
  readonly received?: number;
  readonly sent?: number;
  readonly requestHead?: number;
  readonly responseHead?: number;
  readonly status?: number;
  readonly grpcStatus?: number | string;
  readonly contentType?: string;
  readonly authority?: string;
  readonly peerId?: string;
  readonly ownId?: string;
  readonly upstreamPeerId?: string;
  readonly upstreamOwnId?: string;
  readonly cluster?: string;
  /** The cluster's metadata: the services that it stands for. */
  readonly services?: unknown;
  /** The endpoint's metadata: `workload;namespace;canonical name;revision;cluster`. */
  readonly workload?: string;
  /** Why a connection was ended: by rules, or by a failed handshake. */
  readonly termination?: string;
  readonly transportFailure?: string;
}

type Fields = Readonly<Partial<Record<keyof TelemetryLine, string>>>;

const CONNECTION: Fields = {
  flags: "%RESPONSE_FLAGS%",
  sourceIp: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
  port: "%DOWNSTREAM_LOCAL_PORT%",
  termination: "%CONNECTION_TERMINATION_DETAILS%",
};

const TRAFFIC: Fields = {
  ...CONNECTION,
  milliseconds: "%DURATION%",
  received: "%BYTES_RECEIVED%",
  sent: "%BYTES_SENT%",
  peerId: "%DOWNSTREAM_PEER_URI_SAN%",
  ownId: "%DOWNSTREAM_LOCAL_URI_SAN%",
  upstreamPeerId: "%UPSTREAM_PEER_URI_SAN%",
  upstreamOwnId: "%UPSTREAM_LOCAL_URI_SAN%",
  cluster: "%UPSTREAM_CLUSTER_RAW%",
  services: "%METADATA(CLUSTER:istio:services)%",
  workload: "%METADATA(UPSTREAM_HOST:istio:workload)%",
};

/** Envoy's format of each field by kind of line; `kind` and `class` are constants beside them. */
export const TELEMETRY_FORMATS: Readonly<Record<TelemetryLine["kind"], Fields>> = {
  http: {
    ...TRAFFIC,
    status: "%RESPONSE_CODE%",
    requestHead: "%REQUEST_HEADERS_BYTES%",
    responseHead: "%RESPONSE_HEADERS_BYTES%",
    grpcStatus: "%GRPC_STATUS_NUMBER%",
    contentType: "%REQ(CONTENT-TYPE)%",
    authority: "%REQ(:AUTHORITY)%",
  },
  tcp: { ...TRAFFIC, moment: "%ACCESS_LOG_TYPE%", connection: "%CONNECTION_ID%" },
  listener: { ...CONNECTION, transportFailure: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%" },
};
