import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { Logger } from "../../base/index.ts";
import { errorText } from "../../base/index.ts";
import { parseCertificate } from "../../pki/index.ts";
import type { CertificateValidationContext, TlsParameters } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import {
  CertificateValidationContext_TrustChainVerification as TrustChain,
  TlsParameters_TlsProtocol as Protocol,
} from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import type { CommonTlsContext } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import type { NativeSecureContext } from "../net/bun-socket.ts";
import { InvalidResource, type SecretProvider } from "../types.ts";
import { readText } from "./data-source.ts";
import { completeChain } from "./own-chain.ts";
import { compileSans, type ParsedPeer, type SanMatch } from "./peer.ts";

/** A context that can make handshakes, for as long as its secrets stay the same. */
export interface ReadyContext extends OwnIdentity {
  /** There are roots: a peer's chain is verified. */
  readonly verifies: boolean;
  /** One for each certificate, the first of which is also for names that none has. */
  readonly identities: readonly OwnIdentity[];
}

/** A certificate of ours with what it is shown by. */
export interface OwnIdentity {
  readonly native: NativeSecureContext;
  readonly localUriSans: readonly string[];
  readonly dnsSans: readonly string[];
}

/** The identity that a client asks for by server name: an exact name, then a wildcard for one label, else the first. */
export function identityFor(context: ReadyContext, serverName: string): OwnIdentity {
  const { identities } = context;
  if (identities.length < 2 || serverName === "") return context;
  const wanted = serverName.toLowerCase();
  const wildcard = wanted.replace(/^[^.]+/, "*");
  const showing = (name: string): OwnIdentity | undefined => identities.find(({ dnsSans }) => dnsSans.some((each) => each.toLowerCase() === name));
  return showing(wanted) ?? showing(wildcard) ?? context;
}

/** Makes native contexts, one for equal secrets and parameters: a sidecar has dozens of clusters with the same identity. */
export class ContextCache {
  readonly #contexts = new Map<string, NativeSecureContext>();

  /** `ca` has one root each; a certificate that comes alone is shown with its issuers among them. */
  get(
    options: Omit<SecureContextOptions, "cert" | "ca"> & { cert?: string; ca?: readonly string[]; requestCert: boolean; rejectUnauthorized: boolean },
  ): NativeSecureContext {
    const key = new Bun.CryptoHasher("sha256").update(JSON.stringify(options)).digest("hex");
    let context = this.#contexts.get(key);
    if (!context) {
      const { cert, ca = [], ...others } = options;
      const full = { ...others, ...(ca.length > 0 && { ca: [...ca] }), ...(cert !== undefined && { cert: completeChain(cert, ca) }) };
      context = (createSecureContext(full) as unknown as { context: NativeSecureContext }).context;
      // Connections hold their own context: forgetting the oldest here only costs a rebuild.
      if (this.#contexts.size >= MAX_CONTEXTS) this.#contexts.delete(this.#contexts.keys().next().value as string);
      this.#contexts.set(key, context);
    }
    return context;
  }
}

/** Identity, gateway credentials and a few external services, each in two roles. */
const MAX_CONTEXTS = 128;

export interface TlsContextDeps {
  readonly secrets: SecretProvider;
  readonly contexts: ContextCache;
  readonly log: Logger;
}

export interface TlsContextOptions {
  readonly role: "server" | "client";
  /** Server only: a client without a certificate is refused. */
  readonly requireClientCertificate: boolean;
}

/** A CommonTlsContext with its secrets, rebuilt when they rotate. Connections that stand keep what they were made with. */
export class TlsContext {
  readonly alpn: readonly string[];
  /** There are several certificates: the server name decides. */
  readonly hasChoice: boolean;
  /** SDS names that it needs before it can be used. */
  readonly secretNames: readonly string[];
  readonly #common: CommonTlsContext;
  readonly #certificateNames: readonly string[];
  readonly #validationName: string | undefined;
  readonly #validation: CertificateValidationContext | undefined;
  readonly #sanMatch: SanMatch | undefined;
  readonly #unwatch: (() => void)[];
  #ready: ReadyContext | undefined;
  #stale = true;

  /** Throws InvalidResource for what cannot be honoured. */
  constructor(
    common: CommonTlsContext,
    readonly options: TlsContextOptions,
    private readonly deps: TlsContextDeps,
  ) {
    this.#common = common;
    this.alpn = common.alpnProtocols;
    this.hasChoice = common.tlsCertificates.length + common.tlsCertificateSdsSecretConfigs.length > 1;
    if (common.tlsCertificateCertificateProvider || common.tlsCertificateProviderInstance || common.tlsCertificateCertificateProviderInstance) {
      throw new InvalidResource("UNSUPPORTED_TLS", "certificate providers are not supported");
    }
    this.#certificateNames = common.tlsCertificateSdsSecretConfigs.map((config) => config.name);
    const validation = common.validationContextType;
    switch (validation.case) {
      case "validationContext":
        this.#validation = validation.value;
        break;
      case "validationContextSdsSecretConfig":
        this.#validationName = validation.value.name;
        break;
      case "combinedValidationContext":
        this.#validation = validation.value.defaultValidationContext;
        this.#validationName = validation.value.validationContextSdsSecretConfig?.name;
        break;
      case undefined:
        break;
      default:
        throw new InvalidResource("UNSUPPORTED_TLS", `${validation.case} is not supported`);
    }
    const names = (this.#validation?.matchTypedSubjectAltNames.length ?? 0) + (this.#validation?.matchSubjectAltNames.length ?? 0);
    if (
      names > 0 &&
      this.#validationName === undefined &&
      !this.#validation?.trustedCa &&
      !this.#validation?.caCertificateProviderInstance &&
      !this.#validation?.systemRootCerts
    ) {
      throw new InvalidResource("INVALID_TLS", "SAN-based verification of peer certificates without trusted CA is insecure and not allowed");
    }
    if (this.#validation?.customValidatorConfig) throw new InvalidResource("UNSUPPORTED_TLS", "custom certificate validators are not supported");
    if (options.role === "server" && this.#certificateNames.length === 0 && common.tlsCertificates.length === 0) {
      throw new InvalidResource("NO_CERTIFICATE", "Server TlsCertificates must have at least one certificate");
    }
    this.#sanMatch = compileSans(this.#validation?.matchTypedSubjectAltNames ?? [], this.#validation?.matchSubjectAltNames ?? []);
    this.secretNames = this.#validationName === undefined ? this.#certificateNames : [...this.#certificateNames, this.#validationName];
    this.#unwatch = this.secretNames.map((name) => deps.secrets.watch(name, () => (this.#stale = true)));
    // What is inline or in files must be good now: a NACK tells the sender, a refused connection would not.
    if (this.secretNames.length === 0) this.#ready = this.#build();
  }

  /** The context for a new connection; undefined while a secret is missing. The caller must then refuse the connection. */
  current(): ReadyContext | undefined {
    if (this.#stale && this.secretNames.length > 0) {
      this.#stale = false;
      try {
        this.#ready = this.#build();
      } catch (error) {
        this.deps.log.error("a TLS secret cannot be used; the one before stays", { secrets: this.secretNames.join(","), error: errorText(error) });
      }
    }
    return this.#ready;
  }

  /** Whether the peer's names are accepted. Chain verification is the handshake's. */
  accepts(peer: ParsedPeer): boolean {
    if (this.#sanMatch && !this.#sanMatch(peer)) return false;
    const hashes = this.#validation?.verifyCertificateHash ?? [];
    return hashes.length === 0 || hashes.some((hash) => hash.replace(/:/g, "").toLowerCase() === peer.sha256);
  }

  /** An untrusted chain is let through; its names are still matched. */
  get acceptsUntrusted(): boolean {
    return this.#validation?.trustChainVerification === TrustChain.ACCEPT_UNTRUSTED;
  }

  dispose(): void {
    for (const unwatch of this.#unwatch) unwatch();
  }

  #build(): ReadyContext | undefined {
    const certificates: { chain: string; key: string }[] = [];
    for (const inline of this.#common.tlsCertificates) {
      const chain = readText(inline.certificateChain);
      const key = readText(inline.privateKey);
      if (chain === undefined || key === undefined) throw new InvalidResource("NO_CERTIFICATE", "a TLS certificate lacks its chain or its private key");
      certificates.push({ chain, key });
    }
    for (const name of this.#certificateNames) {
      const secret = this.deps.secrets.get(name);
      if (!secret || !("privateKeyPem" in secret)) return undefined;
      certificates.push({ chain: secret.certificateChainPem, key: secret.privateKeyPem });
    }
    let ca = readText(this.#validation?.trustedCa);
    let crl = readText(this.#validation?.crl);
    if (this.#validationName !== undefined) {
      const secret = this.deps.secrets.get(this.#validationName);
      if (!secret || !("trustedCaPem" in secret)) return undefined;
      ca = secret.trustedCaPem;
      crl = secret.crlPem ?? crl;
    }
    const { role, requireClientCertificate } = this.options;
    const verifies = ca !== undefined;
    const options = {
      ...parameters(this.#common.tlsParams),
      ...(ca === undefined ? {} : { ca: splitPem(ca) }),
      ...(crl === undefined ? {} : { crl }),
      requestCert: role === "client" || verifies || requireClientCertificate,
      rejectUnauthorized: role === "server" && verifies && requireClientCertificate && !this.acceptsUntrusted,
    };
    const identity = (certificate?: { chain: string; key: string }): OwnIdentity => {
      const { uris = [], dnsNames = [] } = certificate ? parseCertificate(certificate.chain) : {};
      return {
        native: this.deps.contexts.get({ ...options, ...(certificate && { cert: certificate.chain, key: certificate.key }) }),
        localUriSans: uris,
        dnsSans: dnsNames,
      };
    };
    try {
      const identities = certificates.length > 0 ? certificates.map(identity) : [identity()];
      return { ...(identities[0] as OwnIdentity), identities, verifies };
    } catch (cause) {
      throw new InvalidResource("BAD_TLS_MATERIAL", `Failed to load certificate chain or key: ${errorText(cause)}`, { cause });
    }
  }
}

const VERSIONS = { [Protocol.TLSv1_0]: "TLSv1", [Protocol.TLSv1_1]: "TLSv1.1", [Protocol.TLSv1_2]: "TLSv1.2", [Protocol.TLSv1_3]: "TLSv1.3" } as const;

function parameters(params: TlsParameters | undefined): Pick<SecureContextOptions, "minVersion" | "maxVersion" | "ciphers" | "ecdhCurve"> {
  const min = params?.tlsMinimumProtocolVersion ?? Protocol.TLS_AUTO;
  const max = params?.tlsMaximumProtocolVersion ?? Protocol.TLS_AUTO;
  // BoringSSL writes equal preference as [A|B].
  const ciphers = params?.cipherSuites.map((suite) => suite.replace(/[[\]]/g, "").replace(/\|/g, ":")).join(":") ?? "";
  const curves = params?.ecdhCurves.join(":") ?? "";
  return {
    minVersion: min === Protocol.TLS_AUTO ? "TLSv1.2" : VERSIONS[min],
    maxVersion: max === Protocol.TLS_AUTO ? "TLSv1.3" : VERSIONS[max],
    ...(ciphers === "" ? {} : { ciphers }),
    ...(curves === "" ? {} : { ecdhCurve: curves }),
  };
}

/** A bundle of roots as a list: one text with several certificates would count as one. */
function splitPem(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [bundle];
}
