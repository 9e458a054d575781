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
import { agentSecret, credentialSecret, exactMatchers, fileCertificate, fileRoot, ROOT_CA, WORKLOAD_CERTIFICATE } from "../sds.ts";
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
}

/** Gives the cluster its transport: the rule's TLS, or mutual TLS to those endpoints that take it. */
export function applyUpstreamTls(draft: ClusterDraft, options: UpstreamTlsOptions): void {
  const { settings } = options;
  const automatic = !settings && options.autoMtls && !options.external && options.serviceMode !== undefined && options.serviceMode !== "DISABLE";
  const effective: ClientTlsSettings | undefined = settings
    ? settings.mode === "ISTIO_MUTUAL"
      ? { ...settings, sni: settings.sni || options.sni, subjectAltNames: settings.subjectAltNames ?? [...options.identities] }
      : settings
    : automatic
      ? { mode: "ISTIO_MUTUAL", sni: options.sni, subjectAltNames: [...options.identities] }
      : undefined;
  const context = effective && tlsContext(draft, effective, options);
  if (!context) return;
  const socket = { name: "envoy.transport_sockets.tls", configType: { case: "typedConfig" as const, value: packAny(UpstreamTlsContextSchema, context) } };
  // Where the application has chosen the address there is no endpoint to tell whether it takes mutual TLS.
  if (automatic && draft.type !== "ORIGINAL_DST") {
    draft.init.transportSocketMatches = [
      create(Cluster_TransportSocketMatchSchema, { name: "tlsMode-istio", match: { tlsMode: "istio" }, transportSocket: socket }),
      create(Cluster_TransportSocketMatchSchema, { name: "tlsMode-disabled", match: {}, transportSocket: rawBufferSocket() }),
    ];
  } else draft.init.transportSocket = create(TransportSocketSchema, socket);
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
      configType: { case: "typedConfig", value: packAny(ProxyProtocolUpstreamTransportSchema, { config: { version }, transportSocket: transportSocket ?? { ...rawBufferSocket(), name: PLAIN } }) },
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
          value: { defaultValidationContext: { matchSubjectAltNames: exactMatchers(settings.subjectAltNames) }, validationContextSdsSecretConfig: agentSecret(ROOT_CA) },
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
  if (settings.credentialName) {
    return {
      ...(mutual && { tlsCertificateSdsSecretConfigs: [credentialSecret(settings.credentialName)] }),
      ...(!insecure && {
        validationContextType: { case: "combinedValidationContext", value: { defaultValidationContext: { matchSubjectAltNames: exactMatchers(names) }, validationContextSdsSecretConfig: credentialSecret(settings.credentialName, true) } },
      }),
    };
  }
  const { clientCertificate, privateKey } = settings;
  if (mutual && (!clientCertificate || !privateKey)) return undefined;
  return {
    ...(mutual && { tlsCertificateSdsSecretConfigs: [agentSecret(fileCertificate(clientCertificate ?? "", privateKey ?? ""))] }),
    validationContextType: insecure
      ? { case: "validationContext", value: {} }
      : {
          case: "combinedValidationContext",
          value: {
            defaultValidationContext: { matchSubjectAltNames: exactMatchers(names), ...(settings.caCrl && { crl: { specifier: { case: "filename", value: settings.caCrl } } }) },
            // Without a CA of its own the rule means the roots that the system trusts.
            validationContextSdsSecretConfig: agentSecret(fileRoot(settings.caCertificates || "system")),
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
