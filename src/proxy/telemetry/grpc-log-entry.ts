import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, type Duration } from "@bufbuild/protobuf/wkt";
import { RequestMethod } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import {
  AccessLogType,
  HTTPAccessLogEntry_HTTPVersion as HttpVersion,
  ResponseFlags_Unauthorized_Reason,
  TLSProperties_TLSVersion as TlsVersion,
  type AccessLogCommonSchema,
  type HTTPAccessLogEntrySchema,
  type ResponseFlagsSchema,
  type TCPAccessLogEntrySchema,
  type TLSPropertiesSchema,
} from "../../proto/gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { timestamp } from "../export/index.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import type { ReadonlyTags } from "../tracing/custom-tags.ts";
import type { ResponseFlag, StreamInfo } from "./stream-info.ts";

export type HttpEntry = MessageInitShape<typeof HTTPAccessLogEntrySchema>;
export type TcpEntry = MessageInitShape<typeof TCPAccessLogEntrySchema>;

/** What the configuration wants beside what every entry has. */
export interface ShownHeaders {
  readonly request: readonly string[];
  readonly response: readonly string[];
  readonly trailers: readonly string[];
  readonly tags: ReadonlyTags;
}

/** A finished request as envoy.data.accesslog.v3 has it; it refers to nothing of the request. */
export function httpEntry(info: StreamInfo, shown: ShownHeaders): HttpEntry {
  const headers = info.request?.headers;
  const get = (name: string): string => utf8(headers?.get(name));
  return {
    commonProperties: { ...common(info, shown.tags), streamId: get("x-request-id"), accessLogType: AccessLogType.DownstreamEnd },
    protocolVersion: VERSIONS[info.protocol ?? ""] ?? HttpVersion.PROTOCOL_UNSPECIFIED,
    request: {
      requestMethod: METHODS[info.request?.method ?? ""] ?? RequestMethod.METHOD_UNSPECIFIED,
      scheme: info.request?.scheme ?? "",
      authority: utf8(info.request?.authority),
      path: utf8(info.request?.path),
      userAgent: get("user-agent"),
      referer: get("referer"),
      forwardedFor: get("x-forwarded-for"),
      requestId: get("x-request-id"),
      originalPath: get("x-envoy-original-path"),
      requestHeadersBytes: BigInt(info.requestHeadBytes),
      requestBodyBytes: BigInt(info.bytesReceived),
      requestHeaders: chosen(headers, shown.request),
      downstreamHeaderBytesReceived: BigInt(info.requestHeadBytes),
    },
    response: {
      ...(info.responseStatus > 0 && { responseCode: info.responseStatus }),
      responseHeadersBytes: BigInt(info.responseHeadBytes),
      responseBodyBytes: BigInt(info.bytesSent),
      responseHeaders: chosen(info.responseHeaders, shown.response),
      responseTrailers: chosen(info.responseTrailers, shown.trailers),
      responseCodeDetails: info.details,
      downstreamHeaderBytesSent: BigInt(info.responseHeadBytes),
    },
  };
}

/** A finished connection. */
export function tcpEntry(info: StreamInfo, tags: ReadonlyTags): TcpEntry {
  return {
    commonProperties: { ...common(info, tags), streamId: String(info.downstream.id), accessLogType: AccessLogType.TcpConnectionEnd },
    connectionProperties: { receivedBytes: BigInt(info.bytesReceived), sentBytes: BigInt(info.bytesSent) },
  };
}

function common(info: StreamInfo, tags: ReadonlyTags): Exclude<MessageInitShape<typeof AccessLogCommonSchema>, { $typeName: string }> {
  const { downstream, upstreamHost } = info;
  const answered = info.upstreamHost !== undefined && info.responseStartMs >= 0;
  return {
    downstreamRemoteAddress: address(info.remoteText),
    downstreamLocalAddress: address(downstream.localText),
    downstreamDirectRemoteAddress: address(downstream.remoteText),
    ...(downstream.tls && { tlsProperties: tlsProperties(downstream.tls, downstream.serverName) }),
    startTime: timestamp(info.startTime),
    timeToLastRxByte: since(info.requestCompleteMs),
    timeToFirstUpstreamRxByte: since(answered ? info.responseStartMs : -1),
    timeToFirstDownstreamTxByte: since(info.responseStartMs),
    timeToLastDownstreamTxByte: since(info.responseStartMs < 0 ? -1 : info.durationMs),
    duration: since(info.durationMs),
    ...(upstreamHost && { upstreamRemoteAddress: address(upstreamHost.text) }),
    ...(info.upstreamLocal !== "" && { upstreamLocalAddress: address(info.upstreamLocal) }),
    upstreamCluster: info.upstreamCluster?.name ?? "",
    ...(info.flags !== "" && { responseFlags: responseFlags(info.flags) }),
    ...(info.dynamicMetadata && { metadata: { filterMetadata: Object.fromEntries(info.dynamicMetadata) as never } }),
    upstreamTransportFailureReason: info.upstreamFailure,
    routeName: info.routeName,
    connectionTerminationDetails: info.terminationDetails,
    upstreamRequestAttemptCount: info.attempts,
    downstreamWireBytesSent: BigInt(info.bytesSent + info.responseHeadBytes),
    downstreamWireBytesReceived: BigInt(info.bytesReceived + info.requestHeadBytes),
    customTags: Object.fromEntries(tags.map(([name, value]) => [name, utf8(value(info))]).filter(([, value]) => value !== "")),
  };
}

function tlsProperties(tls: TlsInfo, serverName: string): MessageInitShape<typeof TLSPropertiesSchema> {
  const { peer } = tls;
  return {
    tlsVersion: TLS_VERSIONS[tls.version] ?? TlsVersion.VERSION_UNSPECIFIED,
    tlsSniHostname: serverName,
    localCertificateProperties: { subjectAltName: tls.localUriSans.map((value) => ({ san: { case: "uri" as const, value } })) },
    ...(peer && {
      peerCertificateProperties: {
        subjectAltName: [
          ...peer.uriSans.map((value) => ({ san: { case: "uri" as const, value } })),
          ...peer.dnsSans.map((value) => ({ san: { case: "dns" as const, value } })),
        ],
        subject: peer.subject,
        issuer: peer.issuer,
      },
    }),
  };
}

function responseFlags(flags: string): MessageInitShape<typeof ResponseFlagsSchema> {
  const message: Record<string, unknown> = {};
  for (const flag of flags.split(",")) {
    if (flag === "UAEX") message["unauthorizedDetails"] = { reason: ResponseFlags_Unauthorized_Reason.EXTERNAL_SERVICE };
    else {
      const field = FLAGS[flag as ResponseFlag];
      if (field !== undefined) message[field] = true;
    }
  }
  return message as MessageInitShape<typeof ResponseFlagsSchema>;
}

const FLAGS: Partial<Record<ResponseFlag, string>> = {
  LH: "failedLocalHealthcheck",
  UH: "noHealthyUpstream",
  UT: "upstreamRequestTimeout",
  LR: "localReset",
  UR: "upstreamRemoteReset",
  UF: "upstreamConnectionFailure",
  UC: "upstreamConnectionTermination",
  UO: "upstreamOverflow",
  NR: "noRouteFound",
  DI: "delayInjected",
  FI: "faultInjected",
  RL: "rateLimited",
  RLSE: "rateLimitServiceError",
  DC: "downstreamConnectionTermination",
  URX: "upstreamRetryLimitExceeded",
  SI: "streamIdleTimeout",
  IH: "invalidEnvoyRequestHeaders",
  DPE: "downstreamProtocolError",
  UMSDR: "upstreamMaxStreamDurationReached",
  RFCF: "responseFromCacheFilter",
  NFCF: "noFilterConfigFound",
  DT: "durationTimeout",
  UPE: "upstreamProtocolError",
  NC: "noClusterFound",
  OM: "overloadManager",
  DF: "dnsResolutionFailure",
  DR: "downstreamRemoteReset",
};

const VERSIONS: Record<string, HttpVersion> = { "HTTP/1.0": HttpVersion.HTTP10, "HTTP/1.1": HttpVersion.HTTP11, "HTTP/2": HttpVersion.HTTP2 };
const TLS_VERSIONS: Record<string, TlsVersion> = { "TLSv1.2": TlsVersion.TLSv1_2, "TLSv1.3": TlsVersion.TLSv1_3 };
const METHODS: Record<string, RequestMethod> = {
  GET: RequestMethod.GET,
  HEAD: RequestMethod.HEAD,
  POST: RequestMethod.POST,
  PUT: RequestMethod.PUT,
  DELETE: RequestMethod.DELETE,
  CONNECT: RequestMethod.CONNECT,
  OPTIONS: RequestMethod.OPTIONS,
  TRACE: RequestMethod.TRACE,
  PATCH: RequestMethod.PATCH,
};

function chosen(headers: HeaderMap | undefined, names: readonly string[]): { [name: string]: string } {
  const found: { [name: string]: string } = {};
  for (const name of names) {
    const value = headers?.getJoined(name);
    if (value !== undefined) found[name] = utf8(value);
  }
  return found;
}

/** Headers are kept one character a byte. */
function utf8(text: string | undefined): string {
  return text === undefined || !/[\x80-\xff]/.test(text) ? (text ?? "") : Buffer.from(text, "latin1").toString("utf8");
}

/** Of `ip:port`, also with an IPv6 address in brackets. */
function address(text: string) {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon).replace(/^\[|\]$/g, "");
  return {
    address: { case: "socketAddress" as const, value: { address: host, portSpecifier: { case: "portValue" as const, value: Number(text.slice(colon + 1)) } } },
  };
}

function since(ms: number): Duration | undefined {
  if (ms < 0) return undefined;
  const duration = durationFromMs(Math.floor(ms));
  duration.nanos += Math.round((ms % 1) * 1_000_000);
  return duration;
}
