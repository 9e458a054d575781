import { create } from "@bufbuild/protobuf";
import { packAny, type Init } from "../../../proto/index.ts";
import { Cluster_TransportSocketMatchSchema } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { TransportSocketSchema, type TransportSocket } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { ProxyProtocolConfig_Version } from "../../../proto/gen/envoy/config/core/v3/proxy_protocol_pb.ts";
import { UpstreamHttpProtocolOptionsSchema } from "../../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import { TlsParameters_TlsProtocol } from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import { ProxyProtocolUpstreamTransportSchema } from "../../../proto/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts";
import { UpstreamTlsContextSchema, type CommonTlsContextSchema } from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import type { ClientTlsSettings, TrafficPolicy } from "../../../resources/index.ts";
import type { MtlsMode } from "../../policy/index.ts";
import { rawBufferSocket } from "../filters.ts";
import type { ProxyView } from "../proxy.ts";
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
import type { ClusterDraft } from "./draft.ts";

type CommonTls = Init<typeof CommonTlsContextSchema>;

export interface UpstreamTlsOptions {
  /** What a DestinationRule says; undefined when it says nothing. */
  readonly settings: ClientTlsSettings | undefined;
  /** The mode that clients assume of the servers: undefined outside the mesh. */
  readonly serviceMode: MtlsMode | undefined;
  readonly identities: readonly string[];
  readonly sni: string;
  readonly external: boolean;
  /** Names that an external service declares for its certificates. */
  readonly declaredNames: readonly string[] | undefined;
  readonly autoMtls: boolean;
  readonly metadataExchange: boolean;
  /** A sidecar may not have the credentials that a rule for all sidecars names. */
  readonly mayUseCredentials: boolean;
  readonly tlsDefaults: { ecdhCurves?: string[]; cipherSuites?: string[] };
  readonly sockets: SecretSockets;
  /** The proxy's own files, which stand in for its workload's certificate. */
  readonly clientFiles: ProxyView["clientFiles"];
}

/** Gives the cluster its transport: the rule's TLS, or mutual TLS to those endpoints that take it. */
export function applyUpstreamTls(draft: ClusterDraft, options: UpstreamTlsOptions): void {
  const { settings } = options;
  const automatic = !settings && options.autoMtls && !options.external && options.serviceMode !== undefined && options.serviceMode !== "DISABLE";
  const effective = settings ? ruledSettings(settings, options) : automatic ? automaticSettings(options) : undefined;
  const context = effective && tlsContext(draft, effective, options);
  if (!context) return;
  const socket = { name: "envoy.transport_sockets.tls", configType: { case: "typedConfig" as const, value: packAny(UpstreamTlsContextSchema, context) } };
  // Where the application has chosen the address there is no endpoint to tell whether it takes mutual TLS. Files of its own
  // are what the proxy shows to all.
  if (automatic && effective?.mode === "ISTIO_MUTUAL" && draft.type !== "ORIGINAL_DST") {
    draft.init.transportSocketMatches = [
      create(Cluster_TransportSocketMatchSchema, { name: "tlsMode-istio", match: { tlsMode: "istio" }, transportSocket: socket }),
      create(Cluster_TransportSocketMatchSchema, { name: "tlsMode-disabled", match: {}, transportSocket: rawBufferSocket() }),
    ];
  } else draft.init.transportSocket = create(TransportSocketSchema, socket);
}

function ruledSettings(settings: ClientTlsSettings, { clientFiles, external, sni, identities }: UpstreamTlsOptions): ClientTlsSettings {
  const mode = settings.mode ?? "DISABLE";
  if (mode === "DISABLE" || mode === "SIMPLE") return settings;
  // Whoever is outside the mesh may trust other certificates than those that the proxy was given.
  if (clientFiles) return external ? settings : { ...ofFiles(clientFiles), ...optional(settings) };
  return mode === "MUTUAL" ? settings : { ...settings, sni: settings.sni || sni, subjectAltNames: settings.subjectAltNames ?? [...identities] };
}

function automaticSettings({ clientFiles, sni, identities }: UpstreamTlsOptions): ClientTlsSettings {
  const names = { sni, subjectAltNames: [...identities] };
  return clientFiles ? { ...ofFiles(clientFiles), ...names } : { mode: "ISTIO_MUTUAL", ...names };
}

function ofFiles({ certificate, key, root }: NonNullable<ProxyView["clientFiles"]>): ClientTlsSettings {
  return { mode: "MUTUAL", clientCertificate: certificate, privateKey: key, caCertificates: root };
}

function optional({ subjectAltNames, sni, insecureSkipVerify }: ClientTlsSettings): ClientTlsSettings {
  return { ...(subjectAltNames && { subjectAltNames }), ...(sni && { sni }), ...(insecureSkipVerify !== undefined && { insecureSkipVerify }) };
}

/** Whether a rule has clients take other certificates than that for the name which was looked up. */
export function insecureByName(policy: TrafficPolicy | undefined): boolean {
  const mode = policy?.tls?.mode ?? "DISABLE";
  return mode !== "DISABLE" && (policy?.tls?.insecureSkipVerify === true || Boolean(policy?.tls?.sni));
}

/** Tells the servers where connections came from, before everything else: around the transport that is there. */
export function applyProxyProtocol(draft: ClusterDraft, proxyProtocol: TrafficPolicy["proxyProtocol"]): void {
  if (!proxyProtocol) return;
  const { init } = draft;
  const version = proxyProtocol.version === "V2" ? ProxyProtocolConfig_Version.V2 : ProxyProtocolConfig_Version.V1;
  const wrap = (transportSocket: TransportSocket | undefined): TransportSocket =>
    create(TransportSocketSchema, {
      name: "envoy.transport_sockets.upstream_proxy_protocol",
      configType: {
        case: "typedConfig",
        value: packAny(ProxyProtocolUpstreamTransportSchema, {
          config: { version },
          transportSocket: transportSocket ?? { ...rawBufferSocket(), name: PLAIN },
        }),
      },
    });
  for (const match of init.transportSocketMatches) match.transportSocket = wrap(match.transportSocket);
  if (init.transportSocket || init.transportSocketMatches.length === 0) init.transportSocket = wrap(init.transportSocket);
}

/** What Istio calls the transport within when there is no other. */
const PLAIN = "raw_buffer";

function tlsContext(draft: ClusterDraft, settings: ClientTlsSettings, options: UpstreamTlsOptions): Init<typeof UpstreamTlsContextSchema> | undefined {
  const mode = settings.mode ?? "DISABLE";
  if (mode === "DISABLE") return undefined;
  if (mode === "ISTIO_MUTUAL") {
    const exchange = options.metadataExchange ? ["istio-peer-exchange"] : [];
    if (draft.byName) applyAutomaticNames(draft, settings);
    return {
      sni: settings.sni || (draft.byName ? "" : draft.init.name),
      commonTlsContext: {
        ...tlsParameters(),
        alpnProtocols: [...exchange, "istio", ...(draft.isHttp2 ? ["h2"] : [])],
        tlsCertificateSdsSecretConfigs: [agentSecret(WORKLOAD_CERTIFICATE)],
        validationContextType: {
          case: "combinedValidationContext",
          value: {
            defaultValidationContext: { matchSubjectAltNames: exactMatchers(settings.subjectAltNames) },
            validationContextSdsSecretConfig: agentSecret(ROOT_CA),
          },
        },
      },
    };
  }
  const credential = settings.credentialName;
  if (credential && !options.mayUseCredentials && !credential.startsWith("configmap://")) return undefined;
  const common = customTls(settings, options);
  if (!common) return undefined;
  const { ecdhCurves, cipherSuites } = options.tlsDefaults;
  const params = { ...TLS_VERSIONS, ...(ecdhCurves?.length && { ecdhCurves }), ...(cipherSuites?.length && { cipherSuites }) };
  applyAutomaticNames(draft, settings);
  return { sni: settings.sni ?? "", commonTlsContext: { ...common, tlsParams: params, ...(draft.isHttp2 && { alpnProtocols: ["h2"] }) } };
}

/** The contexts of SIMPLE and MUTUAL; undefined when MUTUAL has no certificate. */
function customTls(settings: ClientTlsSettings, options: UpstreamTlsOptions): CommonTls | undefined {
  const mutual = settings.mode === "MUTUAL";
  const names = settings.subjectAltNames?.length ? settings.subjectAltNames : (options.declaredNames ?? settings.subjectAltNames);
  const insecure = settings.insecureSkipVerify === true;
  const { sockets } = options;
  if (settings.credentialName) {
    return {
      ...(mutual && { tlsCertificateSdsSecretConfigs: [credentialSecret(settings.credentialName, sockets)] }),
      ...(!insecure && {
        validationContextType: {
          case: "combinedValidationContext",
          value: {
            defaultValidationContext: { matchSubjectAltNames: exactMatchers(names) },
            validationContextSdsSecretConfig: credentialSecret(settings.credentialName, sockets, true),
          },
        },
      }),
    };
  }
  const { clientCertificate, privateKey } = settings;
  if (mutual && (!clientCertificate || !privateKey)) return undefined;
  return {
    ...(mutual && { tlsCertificateSdsSecretConfigs: [fileSecret(fileCertificate(clientCertificate ?? "", privateKey ?? ""), sockets)] }),
    validationContextType: insecure
      ? { case: "validationContext", value: {} }
      : {
          case: "combinedValidationContext",
          value: {
            defaultValidationContext: {
              matchSubjectAltNames: exactMatchers(names),
              ...(settings.caCrl && { crl: { specifier: { case: "filename", value: settings.caCrl } } }),
            },
            // Without a CA of its own the rule means the roots that the system trusts.
            validationContextSdsSecretConfig: fileSecret(fileRoot(settings.caCertificates || "system"), sockets),
          },
        },
  };
}

/** Without names in the rule, the request's host is what the server is asked for and what its certificate must say. */
function applyAutomaticNames(draft: ClusterDraft, settings: ClientTlsSettings): void {
  const autoSni = !settings.sni;
  const autoSanValidation = (draft.byName || (autoSni && !settings.subjectAltNames?.length)) && settings.insecureSkipVerify !== true;
  if (!autoSni && !autoSanValidation) return;
  draft.httpOptions.upstreamHttpProtocolOptions = create(UpstreamHttpProtocolOptionsSchema, { autoSni, autoSanValidation });
}

const TLS_VERSIONS = { tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2, tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3 };

function tlsParameters(): CommonTls {
  return { tlsParams: TLS_VERSIONS };
}
