import {
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_ServerHeaderTransformation,
} from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { ProxyConfigSpec } from "../registry/index.ts";
import type { TrafficClass } from "./telemetry/index.ts";

/** Which headers a proxy adds, keeps and forges, by its ProxyConfig's `proxyHeaders`. */
export interface ProxyHeaders {
  readonly serverName: string;
  readonly serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation;
  readonly forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails | undefined;
  readonly certificateDetails: Readonly<Record<"subject" | "uri" | "dns" | "cert" | "chain", boolean | undefined>>;
  readonly generateRequestId: boolean | undefined;
  readonly includeRequestAttemptCount: boolean;
  readonly suppressEnvoyHeaders: boolean;
  readonly skipMetadataHeaders: boolean;
  readonly forwardedPort: boolean;
  readonly forwardedHost: boolean;
}

const SERVER_NAME = "istio-envoy";

export function proxyHeaders(config: ProxyConfigSpec, trafficClass: TrafficClass): ProxyHeaders {
  const settings = record(config.proxyHeaders);
  const server = record(settings["server"]);
  const details = record(settings["setCurrentClientCertDetails"]);
  const flag = (header: string, field: string): boolean => record(settings[header])[field] === true;
  const detail = (field: string): boolean | undefined => (typeof details[field] === "boolean" ? details[field] : undefined);
  // On the way out Envoy's own name stays, which is what servers' answers have always shown there.
  const serverName = trafficClass === "outbound" ? "" : SERVER_NAME;
  return {
    serverName: server["disabled"] === true ? "" : typeof server["value"] === "string" && server["value"] !== "" ? server["value"] : serverName,
    serverHeaderTransformation:
      server["disabled"] === true ? HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH : HttpConnectionManager_ServerHeaderTransformation.OVERWRITE,
    forwardClientCertDetails: clientCertDetails(settings["forwardedClientCert"]),
    certificateDetails: { subject: detail("subject"), uri: detail("uri"), dns: detail("dns"), cert: detail("cert"), chain: detail("chain") },
    generateRequestId: flag("requestId", "disabled") ? false : undefined,
    includeRequestAttemptCount: !flag("attemptCount", "disabled"),
    suppressEnvoyHeaders: flag("envoyDebugHeaders", "disabled"),
    skipMetadataHeaders: record(settings["metadataExchangeHeaders"])["mode"] === "IN_MESH",
    forwardedPort: flag("xForwardedPort", "enabled"),
    forwardedHost: flag("xForwardedHost", "enabled"),
  };
}

/** Undefined when the mode is not set; another name than Envoy's means that nothing is believed. */
export function clientCertDetails(mode: unknown): HttpConnectionManager_ForwardClientCertDetails | undefined {
  if (typeof mode !== "string" || mode === "UNDEFINED") return undefined;
  const known = HttpConnectionManager_ForwardClientCertDetails[mode as keyof typeof HttpConnectionManager_ForwardClientCertDetails];
  return typeof known === "number" ? known : HttpConnectionManager_ForwardClientCertDetails.SANITIZE;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
