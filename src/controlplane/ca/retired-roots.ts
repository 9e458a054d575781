import { createHash } from "node:crypto";
import { mergeBundles, parseBundle, parseRevocationLists, verifyChain, type Certificate } from "../../pki/index.ts";
import type { CaMaterial } from "./certificate-authority.ts";

/** A root that signs no more and is trusted for as long as somebody may still show a certificate of it. */
export interface RetiredRoot {
  /** SHA-256 of the certificate, hexadecimal. */
  readonly fingerprint: string;
  readonly pem: string;
  /** Revocation lists that hold for its certificates. */
  readonly crlPem: string;
  /** Milliseconds: when it was replaced, and when the last certificate of it ends. */
  readonly since: number;
  readonly until: number;
}

export function fingerprintOf(certificate: Certificate): string {
  return createHash("sha256").update(certificate.der).digest("hex");
}

/** The root that certificates of this authority lead to. */
export function anchorOf(material: CaMaterial): Certificate {
  const { certificate, chainPem, rootBundlePem, source } = material;
  if (source === "self-signed") return certificate;
  const roots = parseBundle(rootBundlePem);
  const same = roots.find((root) => Buffer.from(root.der).equals(certificate.der));
  // An operator's root may sign itself, or stand some intermediates above.
  return same ?? verifyChain(certificate, { intermediates: parseBundle(chainPem), roots, now: certificate.notBefore, anchors: "any" }).at(-1) ?? certificate;
}

/**
 * What stays trusted when `next` takes over from `previous`: the root of before, unless the new bundle has it or has its
 * key under a new certificate, and those that were retired earlier. A root that comes back is no longer retired.
 */
export function retire(previous: CaMaterial, next: CaMaterial, retired: readonly RetiredRoot[], now: number, leafLifetimeMs: number): RetiredRoot[] {
  const anchor = anchorOf(previous);
  const candidates = [
    ...retired,
    { fingerprint: fingerprintOf(anchor), pem: anchor.pem, crlPem: previous.crlPem, since: now, until: Math.min(now + leafLifetimeMs, anchor.notAfter) },
  ];
  const kept = new Map<string, RetiredRoot>();
  for (const root of candidates) if (!kept.has(root.fingerprint) && !covers(next, root.pem)) kept.set(root.fingerprint, root);
  return [...kept.values()];
}

/** The authority as the mesh sees it: its own roots first, since agents take the first for the one that signs. */
export function withRetired(material: CaMaterial, retired: readonly RetiredRoot[]): CaMaterial {
  if (retired.length === 0) return material;
  return {
    ...material,
    rootBundlePem: mergeBundles(material.rootBundlePem, ...retired.map(({ pem }) => pem)),
    crlPem: [...new Set([material.crlPem, ...retired.map(({ crlPem }) => crlPem)])].join(""),
  };
}

/** Whether whoever trusts `trusted` already accepts certificates of `material`. */
export function isTrusted(material: CaMaterial, trusted: CaMaterial): boolean {
  return covers(trusted, anchorOf(material).pem);
}

/** Roots without a list while others have one: TLS refuses all their certificates, as it must. */
export function rootsWithoutList(material: CaMaterial): Certificate[] {
  const lists = parseRevocationLists(material.crlPem);
  if (lists.length === 0) return [];
  return parseBundle(material.rootBundlePem).filter((root) => !lists.some((list) => Buffer.from(list.issuerDer).equals(Buffer.from(root.subjectDer))));
}

/** By the certificate or by its key: a root that was renewed with its key accepts what the old one signed. */
function covers(material: CaMaterial, rootPem: string): boolean {
  const [root] = parseBundle(rootPem);
  return (
    root !== undefined &&
    parseBundle(material.rootBundlePem).some(({ der, spki }) => Buffer.from(der).equals(root.der) || Buffer.from(spki).equals(Buffer.from(root.spki)))
  );
}
