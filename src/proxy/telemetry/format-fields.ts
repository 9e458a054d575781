import { createHash, randomUUID } from "node:crypto";
import { parseCertificate } from "../../pki/index.ts";
import type { PeerCertificate } from "../net/connection-info.ts";
import { InvalidResource } from "../types.ts";
import type { HeaderMap } from "../http/header-map.ts";
import { addressText } from "../net/connection-info.ts";
import type { StreamInfo, UpstreamHostInfo } from "./stream-info.ts";

/** Writes one part of a line; undefined when there is nothing to show. */
export type Part = (info: StreamInfo) => string | undefined;

const some = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
const list = (names: readonly string[] | undefined): string | undefined => some(names?.join(","));

/** Commands that are asked for less often than those in `format.ts`. */
export const RARE_FIELDS: Readonly<Record<string, Part | undefined>> = {
  ACCESS_LOG_TYPE: (info) => (info.request === undefined && info.protocol === undefined ? "TcpConnectionEnd" : "DownstreamEnd"),
  LOCAL_REPLY_BODY: (info) => info.localReplyBody,
  TRACE_ID: (info) => info.span?.traceId,
  SPAN_ID: (info) => info.span?.spanId,
  UNIQUE_ID: () => randomUUID(),
  QUERY_PARAMS: ({ request }) => (request?.path.includes("?") ? request.path.slice(request.path.indexOf("?") + 1) : undefined),
  DOWNSTREAM_WIRE_BYTES_RECEIVED: (info) => String(info.bytesReceived + info.requestHeadBytes),
  DOWNSTREAM_WIRE_BYTES_SENT: (info) => String(info.bytesSent + info.responseHeadBytes),
  DOWNSTREAM_HEADER_BYTES_RECEIVED: (info) => String(info.requestHeadBytes),
  DOWNSTREAM_HEADER_BYTES_SENT: (info) => String(info.responseHeadBytes),
  DOWNSTREAM_PEER_IP_SAN: ({ downstream }) => list((downstream.tls?.peer as { ipSans?: readonly string[] } | undefined)?.ipSans),
  DOWNSTREAM_PEER_CERT: ({ downstream }) => certificate(downstream.tls?.peer),
  DOWNSTREAM_PEER_CERT_V_START: ({ downstream }) => validity(downstream.tls?.peer, "notBefore"),
  DOWNSTREAM_PEER_CERT_V_END: ({ downstream }) => validity(downstream.tls?.peer, "notAfter"),
  DOWNSTREAM_PEER_FINGERPRINT_1: ({ downstream }) => sha1(downstream.tls?.peer),
  UPSTREAM_HOST_NAME: ({ upstreamHost }) => upstreamHost && (upstreamHost.hostname || upstreamHost.text),
  UPSTREAM_HOST_NAME_WITHOUT_PORT: ({ upstreamHost }) =>
    upstreamHost && (upstreamHost.hostname || upstreamHost.text.replace(/:\d+$/, "").replace(/^\[|\]$/g, "")),
  UPSTREAM_HOSTS_ATTEMPTED: (info) => attempted(info, ({ text }) => text),
  UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT: (info) => attempted(info, ({ text }) => bare(text)),
  UPSTREAM_HOST_NAMES_ATTEMPTED: (info) => attempted(info, ({ hostname, text }) => hostname || text),
  UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT: (info) => attempted(info, ({ hostname, text }) => hostname || bare(text)),
  // What the kernel sends again is counted for QUIC only, and a connection that ends at once is none of these.
  BYTES_RETRANSMITTED: () => "0",
  PACKETS_RETRANSMITTED: () => "0",
  REQUEST_HEADERS_BYTES: ({ request }) =>
    String(
      request
        ? sizeOf(request.headers) +
            pseudo(":method", request.method) +
            pseudo(":path", request.path) +
            pseudo(":authority", request.authority) +
            pseudo(":scheme", request.scheme)
        : 0,
    ),
  RESPONSE_HEADERS_BYTES: ({ responseHeaders }) => String(responseHeaders ? sizeOf(responseHeaders) + ":status200".length : 0),
  RESPONSE_TRAILERS_BYTES: ({ responseTrailers }) => String(responseTrailers ? sizeOf(responseTrailers) : 0),
  CUSTOM_FLAGS: () => "",
  DOWNSTREAM_DETECTED_CLOSE_TYPE: () => "Normal",
  UPSTREAM_DETECTED_CLOSE_TYPE: ({ upstreamHost }) => upstreamHost && "Normal",
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS: ({ downstream }) => addressText(downstream.directLocal),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT: ({ downstream }) => downstream.directLocal.address,
  DOWNSTREAM_DIRECT_LOCAL_PORT: ({ downstream }) => String(downstream.directLocal.port),
  DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID: () => "",
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID: () => "",
  // Of a chain only the leaf is kept.
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1: ({ downstream }) => sha1(downstream.tls?.peer),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256: ({ downstream }) => some(downstream.tls?.peer?.sha256),
  DOWNSTREAM_PEER_CHAIN_SERIALS: ({ downstream }) => some(downstream.tls?.peer?.serialNumber),
  UPSTREAM_TLS_VERSION: ({ upstreamTls }) => some(upstreamTls?.version),
  UPSTREAM_TLS_CIPHER: ({ upstreamTls }) => some(upstreamTls?.cipher),
  UPSTREAM_PEER_SUBJECT: ({ upstreamTls }) => some(upstreamTls?.peer?.subject),
  UPSTREAM_PEER_ISSUER: ({ upstreamTls }) => some(upstreamTls?.peer?.issuer),
  UPSTREAM_PEER_DNS_SAN: ({ upstreamTls }) => list(upstreamTls?.peer?.dnsSans),
  UPSTREAM_PEER_CERT: ({ upstreamTls }) => certificate(upstreamTls?.peer),
  UPSTREAM_PEER_CERT_V_START: ({ upstreamTls }) => validity(upstreamTls?.peer, "notBefore"),
  UPSTREAM_PEER_CERT_V_END: ({ upstreamTls }) => validity(upstreamTls?.peer, "notAfter"),
  UPSTREAM_LOCAL_URI_SAN: (info) => some(info.upstreamLocalUri),
};

/** All hosts that were connected to, each once, in the order of their first try. */
function attempted({ upstreamHost, triedHosts, upstreamLocal }: StreamInfo, show: (host: UpstreamHostInfo) => string): string | undefined {
  const hosts = new Set([...(triedHosts ?? []), ...(upstreamHost && upstreamLocal !== "" ? [upstreamHost] : [])]);
  return hosts.size === 0 ? undefined : [...hosts].map(show).join(",");
}

/** As Envoy counts: names and values, as they are in the end, whatever the wire made of them. */
function sizeOf({ names, values }: HeaderMap): number {
  let size = 0;
  for (let i = 0; i < names.length; i++) size += (names[i] as string).length + (values[i] as string).length;
  return size;
}

function pseudo(name: string, value: string): number {
  return value === "" ? 0 : name.length + value.length;
}

function bare(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}

/** What Envoy knows and this proxy does not keep: shown as missing, so that a format which has one is taken. */
export const UNKEPT_FIELDS: ReadonlySet<string> = new Set([
  "ROUNDTRIP_DURATION",
  "TLS_JA3_FINGERPRINT",
  "TLS_JA4_FINGERPRINT",
  "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
  "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
  "DOWNSTREAM_HANDSHAKE_DURATION",
  "DOWNSTREAM_LOCAL_CLOSE_REASON",
  "DOWNSTREAM_LOCAL_DNS_SAN",
  "DOWNSTREAM_LOCAL_EMAIL_SAN",
  "DOWNSTREAM_LOCAL_IP_SAN",
  "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
  "DOWNSTREAM_LOCAL_SUBJECT",
  "DOWNSTREAM_PEER_EMAIL_SAN",
  "DOWNSTREAM_PEER_OTHERNAME_SAN",
  "DOWNSTREAM_TLS_SESSION_ID",
  "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
  "UPSTREAM_CONNECTION_ID",
  "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
  "UPSTREAM_CONNECTION_POOL_READY_DURATION",
  "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
  "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
  "UPSTREAM_HEADER_BYTES_RECEIVED",
  "UPSTREAM_HEADER_BYTES_SENT",
  "UPSTREAM_LOCAL_CLOSE_REASON",
  "UPSTREAM_LOCAL_DNS_SAN",
  "UPSTREAM_LOCAL_IP_SAN",
  "UPSTREAM_PEER_IP_SAN",
  "UPSTREAM_TLS_SESSION_ID",
  "UPSTREAM_WIRE_BYTES_RECEIVED",
  "UPSTREAM_WIRE_BYTES_SENT",
  "REQUEST_TX_DURATION",
  "DOWNSTREAM_CX_RTT",
  "UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID",
  "UPSTREAM_FILTER_STATE",
  "DOWNSTREAM_TLS_GROUP",
  "UPSTREAM_TLS_GROUP",
  "UPSTREAM_SERVER_NAME",
  "DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256",
  "DOWNSTREAM_PEER_ISSUER_SERIAL",
]);

/** `%XFCC_VALUE(key)%`: a value of the last element of x-forwarded-client-cert, which the proxy before has written. */
export function xfccValue(key: string): Part {
  const wanted = key.toLowerCase();
  return ({ request }) => {
    const last = request?.headers
      .getJoined("x-forwarded-client-cert")
      ?.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g)
      ?.at(-1);
    const pair = last?.match(/(?:"(?:[^"\\]|\\.)*"|[^;"])+/g)?.find((each) => each.slice(0, each.indexOf("=")).trim().toLowerCase() === wanted);
    return some(pair?.slice(pair.indexOf("=") + 1).replace(/^"|"$/g, ""));
  };
}

/** A parameter of a path's query, as it stands there. */
export function queryValue(path: string, name: string): string | undefined {
  const start = path.indexOf("?");
  if (start < 0) return undefined;
  for (const part of path.slice(start + 1).split("&")) {
    const equals = part.indexOf("=");
    if ((equals < 0 ? part : part.slice(0, equals)) === name) return equals < 0 ? "" : part.slice(equals + 1);
  }
  return undefined;
}

const UNITS: Readonly<Record<string, number | undefined>> = { ms: 1, us: 1000, ns: 1_000_000 };

/** `%COMMON_DURATION(from:to:unit)%`: milliseconds since the start of what is kept of a request's time line. */
export function commonDuration(argument: string): Part {
  const [from = "", to = "", unit = "ms"] = argument.split(":");
  const start = TIME_POINTS[from];
  const end = TIME_POINTS[to];
  const factor = UNITS[unit];
  if (!start || !end || factor === undefined) throw new InvalidResource("INVALID_FORMAT", `Invalid common duration configuration: ${argument}.`);
  return (info) => {
    const begin = start(info);
    const finish = end(info);
    return begin < 0 || finish < begin ? undefined : String(Math.floor((finish - begin) * factor));
  };
}

const never = (): number => -1;

/** In ms after the start; negative for what has not been, or is not known. */
const TIME_POINTS: Readonly<Record<string, ((info: StreamInfo) => number) | undefined>> = {
  DS_RX_BEG: () => 0,
  DS_RX_END: (info) => info.requestCompleteMs,
  US_CX_BEG: never,
  US_CX_END: never,
  US_HS_END: never,
  US_TX_BEG: never,
  US_TX_END: never,
  US_RX_BEG: (info) => (info.upstreamHost ? info.responseStartMs : -1),
  US_RX_END: (info) => (info.upstreamHost && info.responseStartMs >= 0 ? info.durationMs : -1),
  DS_TX_BEG: (info) => info.responseStartMs,
  DS_TX_END: (info) => (info.responseStartMs < 0 ? -1 : info.durationMs),
};

function certificate(peer: PeerCertificate | undefined): string | undefined {
  return peer && encodeURIComponent(peer.pem);
}

function validity(peer: PeerCertificate | undefined, end: "notBefore" | "notAfter"): string | undefined {
  return peer && new Date(parseCertificate(peer.pem)[end]).toISOString();
}

function sha1(peer: PeerCertificate | undefined): string | undefined {
  if (!peer) return undefined;
  return createHash("sha1")
    .update(Buffer.from(peer.pem.replace(/-----[^-]+-----|\s/g, ""), "base64"))
    .digest("hex");
}
