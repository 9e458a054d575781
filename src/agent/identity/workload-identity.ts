import { ChainmailError, errorText, type Clock, type Logger } from "../../base/index.ts";
import {
  createCsr,
  encodePrivateKey,
  formatSpiffeId,
  generateKey,
  parseCertificate,
  PkiError,
  publicKeyDer,
  splitCertificates,
  verifyChain,
  type Certificate,
  type KeyAlgorithm,
} from "../../pki/index.ts";
import { Backoff, type SecretStore } from "../../proxy/xds/index.ts";
import type { IssuedChain } from "./ca-client.ts";
import type { TrustBundleFile } from "./trust-bundle.ts";

/** SDS names that Istio's configuration refers to. */
export const WORKLOAD_SECRET = "default";
export const ROOT_SECRET = "ROOTCA";

export interface WorkloadIdentityDeps {
  readonly spiffe: { readonly trustDomain: string; readonly namespace: string; readonly serviceAccount: string };
  readonly sign: (csrPem: string, ttlSeconds: number) => Promise<IssuedChain>;
  readonly ttlSeconds: number;
  readonly keyAlgorithm: KeyAlgorithm;
  readonly bundle: TrustBundleFile;
  /** Revocation lists of the mesh's roots, where the operator gives any. */
  readonly revocations: TrustBundleFile;
  readonly secrets: SecretStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/**
 * Gives the pod its certificate and keeps it fresh: a new key and CSR at half of the certificate's life, sooner when the
 * mesh's roots no longer hold the one that ours comes from. The key never leaves this process but by SDS.
 */
export class WorkloadIdentity {
  readonly #deps: WorkloadIdentityDeps;
  readonly #backoff: Backoff;
  readonly #starting: Backoff;
  /** The CA's whole trust bundle as of the last certificate, until the mounted one has changed since. */
  #issuedRoots: string[] = [];
  /** The root that our certificate comes from, PEM. */
  #ownRoot: string | undefined;
  #expires: number | undefined;
  #cancel: () => void = () => {};
  #stopWatch: () => void = () => {};
  #requests = { sent: 0, failed: 0 };
  #count = 0;
  #stopped = false;

  constructor(deps: WorkloadIdentityDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS, random: deps.random });
    this.#starting = new Backoff({ firstMs: RETRY_FIRST_MS, maxMs: START_RETRY_MAX_MS, random: deps.random });
  }

  start(): void {
    const stops = [this.#deps.bundle.watch(() => this.#bundleChanged()), this.#deps.revocations.watch(() => this.#publishRoots(this.#version()))];
    this.#stopWatch = () => stops.forEach((stop) => stop());
    void this.#renew();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#stopWatch();
  }

  /** Epoch milliseconds of the leaf's end; undefined without one. */
  get expires(): number | undefined {
    return this.#expires;
  }

  get requests(): { readonly sent: number; readonly failed: number } {
    return this.#requests;
  }

  async #renew(): Promise<void> {
    const { clock, log, random, keyAlgorithm, sign, spiffe, ttlSeconds, secrets } = this.#deps;
    this.#cancel();
    try {
      const key = await generateKey(keyAlgorithm);
      this.#requests.sent++;
      const { chain, rootsPem } = await sign(createCsr({ key, spiffeId: formatSpiffeId(spiffe) }), ttlSeconds);
      const leaf = parseCertificate(chain[0] ?? "");
      this.#check(leaf, publicKeyDer(key));
      if (this.#stopped) return;
      this.#issuedRoots = splitCertificates(rootsPem);
      this.#ownRoot = rootOf(leaf, chain.slice(1), this.#issuedRoots, clock.now());
      this.#expires = leaf.notAfter;
      const version = this.#version();
      secrets.set(WORKLOAD_SECRET, { certificateChainPem: chain.map(endLine).join(""), privateKeyPem: encodePrivateKey(key) }, version, clock.now());
      this.#publishRoots(version);
      this.#backoff.reset();
      const wait = rotationDelay(leaf, clock.now(), random);
      log.info("workload certificate issued", {
        serial: leaf.serialNumber,
        notAfter: new Date(leaf.notAfter).toISOString(),
        rotateInSeconds: Math.round(wait / 1000),
      });
      this.#cancel = clock.after(wait, () => void this.#renew());
    } catch (error) {
      if (this.#stopped) return;
      this.#requests.failed++;
      const wait = (this.#expires === undefined ? this.#starting : this.#backoff).next();
      log.warn("no certificate from the CA, trying again", { error: errorText(error), retryInMs: Math.round(wait), ...this.#remaining() });
      this.#cancel = clock.after(wait, () => void this.#renew());
    }
  }

  /** What came is used only if it is ours: the CA may be misconfigured, or not be the one we think. */
  #check(leaf: ReturnType<typeof parseCertificate>, spki: Uint8Array): void {
    const expected = formatSpiffeId(this.#deps.spiffe);
    if (leaf.uris.length !== 1 || leaf.uris[0] !== expected) {
      throw new ChainmailError("CA_ANSWER_INVALID", `the CA issued a certificate for ${leaf.uris.join(", ") || "nobody"}, this pod is ${expected}`);
    }
    if (Buffer.compare(leaf.spki, spki) !== 0) throw new ChainmailError("CA_ANSWER_INVALID", "the CA issued a certificate for another key");
    if (leaf.notAfter <= this.#deps.clock.now())
      throw new ChainmailError("CA_ANSWER_INVALID", "the CA issued a certificate that has expired: compare the clocks");
  }

  #bundleChanged(): void {
    const { bundle, clock, log, random } = this.#deps;
    const roots = bundle.roots();
    if (roots.length === 0) return;
    log.info("the mesh's roots changed", { roots: roots.length });
    // What came with the certificate is older than this.
    this.#issuedRoots = [];
    this.#publishRoots(this.#version());
    if (this.#ownRoot === undefined || roots[0] === this.#ownRoot) return;
    // Not among them: peers are about to refuse us. Not the first: another root signs now, and ours is kept for us alone.
    const wait = roots.includes(this.#ownRoot) ? random() * ROOT_RENEWAL_SPREAD_MS : 0;
    this.#cancel();
    this.#cancel = clock.after(wait, () => void this.#renew());
  }

  /** The mounted bundle, which is live, and what the CA sent last, which may be newer than the mount. */
  #publishRoots(version: string): void {
    const { bundle, revocations, secrets, clock } = this.#deps;
    const crlPem = revocations.text();
    const trustedCaPem = [...new Set([...this.#issuedRoots, ...bundle.roots()])].map(endLine).join("");
    const current = secrets.get(ROOT_SECRET);
    if (!trustedCaPem || (current && "trustedCaPem" in current && current.trustedCaPem === trustedCaPem && (current.crlPem ?? "") === crlPem)) return;
    secrets.set(ROOT_SECRET, { trustedCaPem, ...(crlPem && { crlPem }) }, version, clock.now());
  }

  #remaining(): Record<string, unknown> {
    return this.#expires === undefined ? {} : { currentExpires: new Date(this.#expires).toISOString() };
  }

  /** Istio's form: the time in seconds and a counter. */
  #version(): string {
    return `${new Date(this.#deps.clock.now()).toISOString().slice(0, 19)}Z/${++this.#count}`;
  }
}

/** The root that a certificate leads to; undefined when it leads to none, which the first handshake will tell. */
function rootOf(leaf: Certificate, intermediates: readonly string[], roots: readonly string[], now: number): string | undefined {
  try {
    return verifyChain(leaf, {
      intermediates: intermediates.flatMap(splitCertificates).map((pem) => parseCertificate(pem)),
      roots: roots.map((pem) => parseCertificate(pem)),
      now,
      anchors: "any",
    }).at(-1)?.pem;
  } catch (error) {
    if (error instanceof PkiError) return undefined;
    throw error;
  }
}

/** Istio's rule: half of the life before the end, give or take a hundredth, so that a fleet does not renew as one. */
export function rotationDelay(leaf: { notBefore: number; notAfter: number }, now: number, random: () => number): number {
  const ratio = 0.5 + (random() * 2 - 1) * 0.01;
  return Math.max(0, leaf.notAfter - ratio * (leaf.notAfter - leaf.notBefore) - now);
}

function endLine(pem: string): string {
  return pem.endsWith("\n") ? pem : `${pem}\n`;
}

/** A pod that starts beside its control plane should not lose a second to the first refusal. */
const RETRY_FIRST_MS = 50;
/** Until the first certificate somebody waits for the pod; a refused connection a second harms nobody. */
const START_RETRY_MAX_MS = 1_000;
/** A fleet whose root is replaced renews within half a minute, not at once. */
const ROOT_RENEWAL_SPREAD_MS = 30_000;
/** A CA that is down for long is asked by every pod: each ten seconds with jitter it can bear. */
const RETRY_MAX_MS = 10_000;
