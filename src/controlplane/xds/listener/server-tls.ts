import type { Init } from "../../../proto/index.ts";
import {
  CertificateValidationContext_TrustChainVerification,
  TlsParameters_TlsProtocol,
} from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import type { CommonTlsContextSchema } from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import type { ServerTlsSettings } from "../../../resources/index.ts";
import { clusterLookup } from "../cluster-lookup.ts";
import {
  agentSecret,
  credentialSecret,
  exactMatchers,
  fileCertificate,
  fileRoot,
  fileSecret,
  ROOT_CA,
  WORKLOAD_CERTIFICATE,
  type SecretSockets,
} from "../sds.ts";
import { HTTP_ALPN, tcpAlpn, workloadSecrets, type DownstreamTls } from "./downstream-tls.ts";
import type { ListenerParts } from "./parts.ts";

type CommonTls = Init<typeof CommonTlsContextSchema>;

const VERSIONS: Readonly<Record<string, TlsParameters_TlsProtocol>> = {
  TLSV1_0: TlsParameters_TlsProtocol.TLSv1_0,
  TLSV1_1: TlsParameters_TlsProtocol.TLSv1_1,
  TLSV1_2: TlsParameters_TlsProtocol.TLSv1_2,
  TLSV1_3: TlsParameters_TlsProtocol.TLSv1_3,
};

/** The cipher suites that the TLS library behind Envoy knows; it refuses a listener that names others. */
const KNOWN_CIPHERS: ReadonlySet<string> = new Set([
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-PSK-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-PSK-AES128-CBC-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
  "ECDHE-PSK-AES256-CBC-SHA",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "PSK-AES128-CBC-SHA",
  "AES256-SHA",
  "PSK-AES256-CBC-SHA",
  "DES-CBC3-SHA",
]);

/** The TLS that a Gateway's server or a Sidecar's ingress listener ends, by its settings. */
export function serverTls(parts: ListenerParts, settings: ServerTlsSettings, layer: "HTTP" | "TCP"): DownstreamTls {
  const { node, view } = parts.proxy;
  const mode = settings.mode ?? "PASSTHROUGH";
  const required = mode === "MUTUAL" || mode === "ISTIO_MUTUAL";
  const validates = required || mode === "OPTIONAL_MUTUAL";
  const secrets: CommonTls =
    mode === "ISTIO_MUTUAL"
      ? workloadSecrets(node, view, { matchSubjectAltNames: exactMatchers(settings.subjectAltNames), ...untrusted(settings), ...revocations(settings) })
      : settings.credentialName || settings.credentialNames?.length
        ? credentialSecrets(settings, secretSources(parts), mode === "MUTUAL" || mode === "OPTIONAL_MUTUAL")
        : fileSecrets(settings, view.secretSockets, validates);
  const params = mode === "ISTIO_MUTUAL" ? undefined : tlsParameters(parts, settings);
  return {
    requireClientCertificate: required,
    commonTlsContext: {
      alpnProtocols: layer === "TCP" && mode === "ISTIO_MUTUAL" ? tcpAlpn(view.dialect) : HTTP_ALPN,
      ...secrets,
      ...(params && { tlsParams: params }),
    },
  };
}

/** Where secrets named `sds://…` come from: the first server that the mesh config names. */
function secretSources(parts: ListenerParts) {
  const { view, mesh } = parts.proxy;
  const provider = mesh.config.extensionProviders.find((candidate) => candidate["sds"])?.["sds"] as { service?: string; port?: number } | undefined;
  const server = provider && clusterLookup(mesh.snapshot)(provider.service ?? "", provider.port ?? 0);
  return { ...view.secretSockets, server };
}

/** Certificates of clients that nothing vouches for are taken where the settings say so, and nowhere else. */
function untrusted({ insecureSkipVerify }: ServerTlsSettings) {
  return insecureSkipVerify ? { trustChainVerification: CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED } : {};
}

function revocations({ caCrl }: ServerTlsSettings) {
  return caCrl ? { crl: { specifier: { case: "filename" as const, value: caCrl } } } : {};
}

function credentialSecrets(settings: ServerTlsSettings, sources: ReturnType<typeof secretSources>, validates: boolean): CommonTls {
  const names = settings.credentialNames?.length ? settings.credentialNames : [settings.credentialName ?? ""];
  const ca = settings.caCertCredentialName ? credentialSecret(settings.caCertCredentialName, sources) : credentialSecret(names[0] ?? "", sources, true);
  const certificates = { tlsCertificateSdsSecretConfigs: names.map((name) => credentialSecret(name, sources)) };
  if (!validates) {
    if (!settings.subjectAltNames?.length) return certificates;
    return { ...certificates, validationContextType: { case: "validationContext", value: { matchSubjectAltNames: exactMatchers(settings.subjectAltNames) } } };
  }
  const defaultValidationContext = {
    matchSubjectAltNames: exactMatchers(settings.subjectAltNames),
    verifyCertificateSpki: settings.verifyCertificateSpki ?? [],
    verifyCertificateHash: settings.verifyCertificateHash ?? [],
    ...untrusted(settings),
  };
  return {
    ...certificates,
    validationContextType: { case: "combinedValidationContext", value: { defaultValidationContext, validationContextSdsSecretConfig: ca } },
  };
}

function fileSecrets(settings: ServerTlsSettings, sockets: SecretSockets, validates: boolean): CommonTls {
  const files = settings.tlsCertificates?.length ? settings.tlsCertificates : [settings];
  const certificates = files.map(({ serverCertificate, privateKey }) =>
    serverCertificate && privateKey ? fileSecret(fileCertificate(serverCertificate, privateKey), sockets) : agentSecret(WORKLOAD_CERTIFICATE),
  );
  return {
    tlsCertificateSdsSecretConfigs: certificates,
    ...(validates && {
      validationContextType: {
        case: "combinedValidationContext" as const,
        value: {
          defaultValidationContext: { matchSubjectAltNames: exactMatchers(settings.subjectAltNames), ...untrusted(settings), ...revocations(settings) },
          validationContextSdsSecretConfig: settings.caCertificates ? fileSecret(fileRoot(settings.caCertificates), sockets) : agentSecret(ROOT_CA),
        },
      },
    }),
  };
}

function tlsParameters(parts: ListenerParts, settings: ServerTlsSettings): CommonTls["tlsParams"] {
  const { ecdhCurves, cipherSuites, minProtocolVersion } = parts.proxy.mesh.config.tlsDefaults;
  const own = (settings.cipherSuites ?? []).filter((cipher) => KNOWN_CIPHERS.has(cipher));
  const ciphers = own.length > 0 ? own : (cipherSuites ?? []);
  const minimum = VERSIONS[settings.minProtocolVersion ?? ""] ?? VERSIONS[minProtocolVersion ?? ""];
  const maximum = VERSIONS[settings.maxProtocolVersion ?? ""];
  if (!ecdhCurves?.length && ciphers.length === 0 && minimum === undefined && maximum === undefined) return undefined;
  return {
    ...(ecdhCurves?.length && { ecdhCurves }),
    cipherSuites: ciphers,
    ...(minimum !== undefined && { tlsMinimumProtocolVersion: minimum }),
    ...(maximum !== undefined && { tlsMaximumProtocolVersion: maximum }),
  };
}
