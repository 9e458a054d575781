import type { MtlsMode } from "../../policy/index.ts";
import { PLAINTEXT_HTTP, RAW_BUFFER_PROTOCOL, TLS_PROTOCOL } from "./filter-chain.ts";

/** One of the ways in which connections to a port are told apart, and what is done with those. */
export interface InboundMatch {
  readonly layer: "HTTP" | "TCP";
  readonly transportProtocol: string;
  readonly applicationProtocols?: readonly string[];
  /** Whether the proxy ends the TLS. TLS that it does not end is the application's own. */
  readonly endsTls?: boolean;
}

const MESH_HTTP = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
const MESH_TCP = ["istio-peer-exchange", "istio"];
/** Every name by which the mesh recognises its own connections. */
export const MESH_ALPN = ["istio", "istio-peer-exchange", ...MESH_HTTP];

const plainHttp: InboundMatch = { layer: "HTTP", transportProtocol: RAW_BUFFER_PROTOCOL };
const plainTcp: InboundMatch = { layer: "TCP", transportProtocol: RAW_BUFFER_PROTOCOL };
const sniffedHttp: InboundMatch = { ...plainHttp, applicationProtocols: PLAINTEXT_HTTP };
const foreignTls: InboundMatch = { layer: "TCP", transportProtocol: TLS_PROTOCOL };
const mutual = (layer: "HTTP" | "TCP", applicationProtocols?: readonly string[]): InboundMatch => ({
  layer,
  transportProtocol: TLS_PROTOCOL,
  endsTls: true,
  ...(applicationProtocols && { applicationProtocols }),
});

/**
 * STRICT ends all TLS as mutual TLS and has nothing for plaintext; PERMISSIVE tells mutual TLS by its ALPN from TLS that
 * is the application's own; DISABLE has nothing for TLS.
 */
const MATCHES: Record<"HTTP" | "TCP" | "AUTO", Record<MtlsMode, readonly InboundMatch[]>> = {
  HTTP: { STRICT: [mutual("HTTP")], PERMISSIVE: [mutual("HTTP", MESH_ALPN), plainHttp], DISABLE: [plainHttp] },
  TCP: { STRICT: [mutual("TCP")], PERMISSIVE: [mutual("TCP", MESH_ALPN), foreignTls, plainTcp], DISABLE: [plainTcp] },
  AUTO: {
    STRICT: [mutual("HTTP", MESH_HTTP), mutual("TCP")],
    PERMISSIVE: [mutual("HTTP", MESH_HTTP), sniffedHttp, mutual("TCP", MESH_TCP), plainTcp, foreignTls],
    DISABLE: [sniffedHttp, plainTcp],
  },
};

export function inboundMatches(kind: "HTTP" | "TCP" | "AUTO", mode: MtlsMode): readonly InboundMatch[] {
  return MATCHES[kind][mode];
}
