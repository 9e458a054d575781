import type { MessageInitShape } from "@bufbuild/protobuf";
import { packAny, type Init } from "../../../proto/index.ts";
import type { TransportSocketSchema } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { TlsParameters_TlsProtocol, type CertificateValidationContextSchema } from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import { DownstreamTlsContextSchema } from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import type { StringMatcherSchema } from "../../../proto/gen/envoy/type/matcher/v3/string_pb.ts";
import type { MeshConfig } from "../../registry/index.ts";
import { metadataText, type ProxyView } from "../proxy.ts";
import { agentSecret, fileCertificate, fileRoot, fileSecret, ROOT_CA, WORKLOAD_CERTIFICATE } from "../sds.ts";
import type { Dialect, ProxyNode } from "../types.ts";

export type DownstreamTls = MessageInitShape<typeof DownstreamTlsContextSchema>;

export const HTTP_ALPN = ["h2", "http/1.1"];
/** Istio's own name first: with it the peers of a TCP connection tell each other who they are. */
const TCP_ALPN = ["istio-peer-exchange", ...HTTP_ALPN];

/** Mutual TLS in the mesh has both ends under one's own control, so that what is weak can be left out. */
const CIPHER_SUITES = [
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-GCM-SHA256",
];

export function tcpAlpn(dialect: Dialect): string[] {
  return dialect === "istio" ? TCP_ALPN : HTTP_ALPN;
}

/** Mutual TLS with the workload's certificate; peers must be of the mesh's trust domains. */
export function inboundMutualTls(node: ProxyNode, view: Pick<ProxyView, "secretSockets">, mesh: MeshConfig, layer: "HTTP" | "TCP"): DownstreamTls {
  const { cipherSuites, minProtocolVersion } = mesh.meshMTLS;
  return {
    requireClientCertificate: true,
    commonTlsContext: {
      alpnProtocols: layer === "HTTP" ? HTTP_ALPN : tcpAlpn(node.dialect),
      tlsParams: {
        cipherSuites: cipherSuites ?? CIPHER_SUITES,
        tlsMinimumProtocolVersion: minProtocolVersion === "TLSV1_3" ? TlsParameters_TlsProtocol.TLSv1_3 : TlsParameters_TlsProtocol.TLSv1_2,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      },
      ...workloadSecrets(node, view, { matchSubjectAltNames: trustDomainMatchers(mesh) }),
    },
  };
}

/** The workload's own certificate and the roots that peers' certificates are checked with. */
export function workloadSecrets(
  node: ProxyNode,
  { secretSockets }: Pick<ProxyView, "secretSockets">,
  defaultValidationContext: Init<typeof CertificateValidationContextSchema>,
) {
  const chain = metadataText(node, "TLS_SERVER_CERT_CHAIN");
  const key = metadataText(node, "TLS_SERVER_KEY");
  const root = metadataText(node, "TLS_SERVER_ROOT_CERT");
  return {
    tlsCertificateSdsSecretConfigs: [chain && key ? fileSecret(fileCertificate(chain, key), secretSockets) : agentSecret(WORKLOAD_CERTIFICATE)],
    validationContextType: {
      case: "combinedValidationContext" as const,
      value: { defaultValidationContext, validationContextSdsSecretConfig: root ? fileSecret(fileRoot(root), secretSockets) : agentSecret(ROOT_CA) },
    },
  };
}

export function trustDomainMatchers({ trustDomain, trustDomainAliases }: MeshConfig): MessageInitShape<typeof StringMatcherSchema>[] {
  return [...new Set([trustDomain, ...trustDomainAliases])].map((domain) => ({ matchPattern: { case: "prefix" as const, value: `spiffe://${domain}/` } }));
}

export function tlsSocket(context: DownstreamTls): Init<typeof TransportSocketSchema> {
  return { name: "envoy.transport_sockets.tls", configType: { case: "typedConfig", value: packAny(DownstreamTlsContextSchema, context) } };
}
