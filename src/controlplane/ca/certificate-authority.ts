import type { KeyObject } from "node:crypto";
import { errorText, type Clock } from "../../base/index.ts";
import {
  isRevoked,
  issueLeaf,
  parseCsr,
  parseRevocationLists,
  PkiError,
  type Certificate,
  type RevocationList,
  type SubjectAltNames,
} from "../../pki/index.ts";
import { CaError } from "./errors.ts";

/** What a CA signs with and what its leaves' verifiers trust. Immutable: a rotation replaces it whole. */
export interface CaMaterial {
  certificate: Certificate;
  key: KeyObject;
  /** PEM between the signing certificate and the root, the signing certificate included; empty for a self-signed root. */
  chainPem: string;
  /** Every root that is trusted, PEM. */
  rootBundlePem: string;
  /** PEM of revocation lists; empty for none. */
  crlPem: string;
  source: "self-signed" | "plugged-in";
}

const HOUR = 3_600_000;
/** Istio's DEFAULT_WORKLOAD_CERT_TTL and MAX_WORKLOAD_CERT_TTL. */
export const DEFAULT_LIFETIME_MS = 24 * HOUR;
export const MAX_LIFETIME_MS = 90 * 24 * HOUR;

/** Signs certificates for authenticated callers. The material can be replaced while it runs. */
export class CertificateAuthority {
  readonly #listeners = new Set<() => void>();
  #material: CaMaterial;
  #revoked: readonly RevocationList[];
  readonly #clock: Clock;

  constructor(material: CaMaterial, clock: Clock) {
    this.#material = material;
    this.#revoked = parseRevocationLists(material.crlPem);
    this.#clock = clock;
  }

  get material(): CaMaterial {
    return this.#material;
  }

  /** Goes on with other material, and tells everybody who distributes or serves it. */
  replace(material: CaMaterial): void {
    this.#material = material;
    this.#revoked = parseRevocationLists(material.crlPem);
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Istio's answer to a certificate request: leaf, intermediates, and last the whole root bundle. The names in the
   * request are ignored, since `spiffeId` is who the caller has proved to be. `lifetimeMs` 0 takes the default.
   */
  signRequest(csrPem: string, spiffeId: string, lifetimeMs: number): string[] {
    let spki: Uint8Array;
    try {
      spki = parseCsr(csrPem).spki;
    } catch (cause) {
      if (!(cause instanceof PkiError)) throw cause;
      throw new CaError("CA_CSR_INVALID", `CSR signing error (${cause.message})`, { cause });
    }
    const lifetime = lifetimeMs > 0 ? lifetimeMs : DEFAULT_LIFETIME_MS;
    if (lifetime > MAX_LIFETIME_MS) {
      throw new CaError(
        "CA_TTL_TOO_LONG",
        `CSR signing error (requested TTL ${goDuration(lifetime)} is greater than the max allowed TTL ${goDuration(MAX_LIFETIME_MS)})`,
      );
    }
    const { chainPem, rootBundlePem } = this.#material;
    return [this.issue(spki, { uris: [spiffeId] }, lifetime).pem, ...(chainPem ? [chainPem] : []), rootBundlePem];
  }

  /** Whether the operator's revocation lists name this certificate. */
  isRevoked(certificate: Certificate): boolean {
    return isRevoked(certificate, this.#revoked);
  }

  /** A leaf for a key that is already known to be its asker's. */
  issue(spki: Uint8Array, names: Partial<SubjectAltNames>, lifetimeMs: number): Certificate {
    try {
      return issueLeaf({ signer: this.#material, spki, names, now: this.#clock.now(), lifetimeMs });
    } catch (cause) {
      throw new CaError("CA_SIGNING_FAILED", `the CA could not sign: ${errorText(cause)}`, {
        cause,
        hint: "kubectl -n istio-system get secret istio-ca-secret cacerts",
      });
    }
  }
}

/** `2161h0m0s`: how Istio's messages show durations. */
function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m${seconds % 60}s`;
}
