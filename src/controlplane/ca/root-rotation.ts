import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { isAlreadyExists, isConflict, SECRETS, type KubeClient } from "../../kube/index.ts";
import { parseCertificate } from "../../pki/index.ts";
import { DEFAULT_LIFETIME_MS, type CaMaterial, type CertificateAuthority } from "./certificate-authority.ts";
import type { SecretObject } from "./material.ts";
import { anchorOf, fingerprintOf, isTrusted, retire, rootsWithoutList, withRetired, type RetiredRoot } from "./retired-roots.ts";

export interface RootRotationOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long it takes until every workload has read a changed trust bundle. */
  readonly spreadMs: number;
}

/** A workload that may hold a certificate of a retired root. */
export interface Holder {
  /** A pod's uid, or what else tells it apart. */
  readonly key: string;
  /** `<namespace>/<name>`, for people. */
  readonly name: string;
}

/** Where a rotation stands, for metrics and for people. */
export interface RotationStatus {
  readonly signing: { readonly subject: string; readonly fingerprint: string; readonly notAfter: string };
  /** Set while a new root is being made known and does not sign yet. */
  readonly spreading?: { readonly fingerprint: string; readonly signsFrom: string };
  readonly retired: readonly {
    readonly fingerprint: string;
    readonly since: string;
    readonly until: string;
    /** How many workloads may still hold a certificate of it: it is trusted until there is none. */
    readonly remaining: number;
    /** The first of them. */
    readonly workloads: readonly string[];
  }[];
}

interface Stored {
  /** The root that signed last, PEM. */
  readonly current: string;
  readonly retired: RetiredRoot[];
  readonly renewed: string[];
  readonly leafLifetimeMs: number;
}

/**
 * Survives restarts of istiod. A Secret, since it says whom the mesh trusts: who may write it may add a root. Deleting it
 * drops the retired roots at once, whoever still holds certificates of them.
 */
export const RECORD = "istio-ca-rotation";
const KEY = "rotation.json";
/** Renewals of a fleet come together; the record is for restarts and need not be exact to the second. */
const STORE_DELAY_MS = 2_000;
/** How often it is looked whether anybody is left. */
const LOOK_MS = 5_000;
const SHOWN = 50;

/**
 * Replaces the mesh's root without a moment in which peers distrust each other: first the new root is made known, then it
 * signs, and the old one stays trusted until no workload holds a certificate of it. How many still do is always known.
 */
export class RootRotation {
  #pending: { next: CaMaterial; signsFrom: number; cancel: () => void } | undefined;
  #retired: RetiredRoot[] = [];
  /** Those that hold a certificate of the root that signs now. */
  readonly #renewed = new Set<string>();
  #leafLifetimeMs = DEFAULT_LIFETIME_MS;
  #holders: (() => Iterable<Holder>) | undefined;
  /** The authority's own material, without what is retired. */
  #own: CaMaterial;
  #cancelLook = (): void => {};
  #cancelStore: (() => void) | undefined;
  /** One write after the other. */
  #storing: Promise<void> = Promise.resolve();
  /** The record was written since the rotation began: when it is gone, somebody deleted it. */
  #recorded = false;
  #told = -1;

  private constructor(
    private readonly ca: CertificateAuthority,
    private readonly options: RootRotationOptions,
    material: CaMaterial,
  ) {
    this.#own = material;
  }

  /** Goes on where an earlier istiod left off. A root that signed before and is not `material`'s counts as retired. */
  static async open(ca: CertificateAuthority, material: CaMaterial, options: RootRotationOptions): Promise<RootRotation> {
    const self = new RootRotation(ca, options, material);
    const { client, namespace, clock, log } = options;
    const record = await client.find<SecretObject>(SECRETS, RECORD, namespace);
    const stored = record && readStored(record, log);
    if (stored) {
      self.#retired = stored.retired.filter(({ until }) => until > clock.now());
      self.#leafLifetimeMs = stored.leafLifetimeMs;
      if (!self.#adopt(stored.current)) for (const key of stored.renewed) self.#renewed.add(key);
    }
    if (stored?.current !== anchorOf(material).pem) self.#storeSoon();
    if (self.#retired.length > 0) self.#publish();
    return self;
  }

  /** Takes another authority's place in as many steps as peers need. */
  offer(next: CaMaterial): void {
    const { clock, spreadMs, log } = this.options;
    this.#pending?.cancel();
    this.#pending = undefined;
    if (isTrusted(next, this.ca.material) || spreadMs <= 0) return this.#switch(next);
    const signsFrom = clock.now() + spreadMs;
    this.#pending = { next, signsFrom, cancel: clock.after(spreadMs, () => this.#switch(next)) };
    log.info("a new root is made known; it signs as soon as every workload had time to read it", {
      root: fingerprintOf(anchorOf(next)).slice(0, 16),
      in_seconds: spreadMs / 1000,
    });
    this.#publish();
  }

  /** Workloads that hold certificates: until it is known which there are, nothing is dropped. */
  follow(holders: () => Iterable<Holder>): void {
    this.#holders = holders;
    if (this.#retired.length > 0) this.#look();
  }

  /** A certificate of the root that signs now was issued. `key` undefined: to nobody that `follow` knows. */
  issued(key: string | undefined, lifetimeMs: number): void {
    if (lifetimeMs > this.#leafLifetimeMs) {
      this.#leafLifetimeMs = lifetimeMs;
      this.#storeSoon();
    }
    if (key === undefined || this.#renewed.has(key)) return;
    this.#renewed.add(key);
    if (this.#retired.length > 0) this.#storeSoon();
  }

  /** What an operator does whose old root is no longer safe. */
  dropRetired(): void {
    if (this.#retired.length === 0) return;
    const left = [...this.#left()].length;
    this.options.log.warn("retired roots are no longer trusted", { workloads_that_lose_trust: left });
    this.#finish();
  }

  status(): RotationStatus {
    const anchor = anchorOf(this.#own);
    const left = this.#retired.length > 0 ? [...this.#left()] : [];
    const pending = this.#pending;
    return {
      signing: { subject: anchor.subject, fingerprint: fingerprintOf(anchor), notAfter: iso(anchor.notAfter) },
      ...(pending && { spreading: { fingerprint: fingerprintOf(anchorOf(pending.next)), signsFrom: iso(pending.signsFrom) } }),
      retired: this.#retired.map(({ fingerprint, since, until }) => ({
        fingerprint,
        since: iso(since),
        until: iso(until),
        remaining: left.length,
        workloads: left.slice(0, SHOWN).map(({ name }) => name),
      })),
    };
  }

  stop(): void {
    this.#pending?.cancel();
    this.#cancelLook();
    this.#cancelStore?.();
  }

  #switch(next: CaMaterial): void {
    const { clock, log } = this.options;
    this.#pending = undefined;
    const before = this.#retired.length;
    const previous = this.#own;
    this.#retired = retire(previous, next, this.#retired, clock.now(), this.#leafLifetimeMs);
    this.#own = next;
    const sameSigner = anchorOf(previous).pem === anchorOf(next).pem;
    if (!sameSigner) this.#renewed.clear();
    this.#publish();
    if (this.#retired.length > 0 && !sameSigner)
      log.info("a new root signs; the old one stays trusted while workloads hold certificates of it", { retired: this.#retired.length });
    if (this.#retired.length > 0 || before > 0) this.#storeSoon();
    if (this.#retired.length > 0) this.#look();
  }

  #publish(): void {
    const { log } = this.options;
    const effective = withRetired(this.#own, this.#retired);
    const pending = this.#pending;
    // The old root first: it signs until the new one is known everywhere.
    const material = pending
      ? withRetired(effective, [{ fingerprint: "", pem: pending.next.rootBundlePem, crlPem: pending.next.crlPem, since: 0, until: 0 }])
      : effective;
    for (const root of rootsWithoutList(material))
      log.warn("certificates of a root without a revocation list are refused while other roots have one", { root: root.subject });
    this.ca.replace(material);
  }

  /** An istiod that was down when its CA was replaced must not forget the root of before. True when it was another. */
  #adopt(previousPem: string): boolean {
    const { clock, log } = this.options;
    const root = parseCertificate(previousPem);
    if (root.notAfter <= clock.now() || isTrusted({ ...this.#own, certificate: root, source: "self-signed" }, this.#own)) return false;
    const fingerprint = fingerprintOf(root);
    if (!this.#retired.some((known) => known.fingerprint === fingerprint)) {
      this.#retired.push({ fingerprint, pem: root.pem, crlPem: "", since: clock.now(), until: Math.min(root.notAfter, clock.now() + this.#leafLifetimeMs) });
    }
    log.info("another root signed before this start; it stays trusted while workloads hold certificates of it", { root: root.subject });
    return true;
  }

  #look(): void {
    const { clock, log } = this.options;
    this.#cancelLook();
    const now = clock.now();
    const ended = this.#retired.every(({ until }) => until <= now);
    const left = this.#holders ? [...this.#left()].length : undefined;
    if (ended || left === 0) {
      log.info("no workload holds a certificate of a retired root; it is trusted no more", { why: ended ? "all have expired" : "all were renewed" });
      return this.#finish();
    }
    if (left !== undefined && left !== this.#told) log.info("workloads that may hold a certificate of a retired root", { remaining: (this.#told = left) });
    this.#cancelLook = clock.after(LOOK_MS, () => this.#look());
    if (this.#recorded) void this.#readRecord();
  }

  /** Others who sign with the same root say in the record whom they renewed, and when nobody is left. */
  async #readRecord(): Promise<void> {
    const { client, namespace, log } = this.options;
    try {
      const record = await client.find<SecretObject>(SECRETS, RECORD, namespace);
      if (!this.#recorded || this.#cancelStore !== undefined) return;
      if (!record) return this.dropRetired();
      const stored = readStored(record, log);
      if (stored?.current !== anchorOf(this.#own).pem) return;
      for (const key of stored.renewed) this.#renewed.add(key);
      if (stored.retired.length === 0) this.#finish();
    } catch (thrown) {
      log.debug("the record of the root's rotation could not be looked at", { error: errorText(thrown) });
    }
  }

  #finish(): void {
    this.#cancelLook();
    this.#retired = [];
    this.#recorded = false;
    this.#told = -1;
    this.#publish();
    this.#storeSoon();
  }

  *#left(): Generator<Holder> {
    for (const holder of this.#holders?.() ?? []) if (!this.#renewed.has(holder.key)) yield holder;
  }

  #storeSoon(): void {
    this.#cancelStore ??= this.options.clock.after(STORE_DELAY_MS, () => {
      this.#cancelStore = undefined;
      this.#storing = this.#storing
        .then(() => this.#store())
        .catch((thrown: unknown) => {
          const raced = isConflict(thrown) || isAlreadyExists(thrown);
          this.options.log[raced ? "debug" : "warn"]("the state of the root's rotation could not be written", { error: errorText(thrown) });
          this.#storeSoon();
        });
    });
  }

  async #store(): Promise<void> {
    const { client, namespace, log } = this.options;
    // Outside of a rotation it does not matter who was renewed: every certificate is of the one root.
    const renewed = this.#retired.length > 0 ? [...this.#renewed] : [];
    const stored: Stored = { current: anchorOf(this.#own).pem, retired: this.#retired, renewed, leafLifetimeMs: this.#leafLifetimeMs };
    const existing = await client.find<SecretObject>(SECRETS, RECORD, namespace);
    const theirs = existing && readStored(existing, log);
    if (theirs?.current === stored.current && renewed.length > 0) stored.renewed.push(...theirs.renewed.filter((key) => !this.#renewed.has(key)));
    const data = { [KEY]: Buffer.from(JSON.stringify(stored)).toString("base64") };
    // A conflict is another istiod's write in between: the next try reads what it wrote.
    if (existing) await client.update<SecretObject>(SECRETS, { ...existing, data });
    else
      await client.create<SecretObject>(SECRETS, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: RECORD, namespace, labels: { "istio.io/config": "true" } },
        type: "istio.io/ca-rotation",
        data,
      });
    this.#recorded = this.#retired.length > 0;
  }
}

function readStored(record: SecretObject, log: Logger): Stored | undefined {
  try {
    const parsed = JSON.parse(Buffer.from(record.data?.[KEY] ?? "", "base64").toString("utf8")) as Partial<Stored>;
    const retired = (parsed.retired ?? []).filter((root) => typeof root.pem === "string" && Number.isFinite(root.since) && Number.isFinite(root.until));
    // Fingerprints are computed anew: what is trusted is the certificate, not what somebody wrote beside it.
    const checked = retired.map((root) => ({
      fingerprint: fingerprintOf(parseCertificate(root.pem)),
      pem: root.pem,
      crlPem: String(root.crlPem ?? ""),
      since: root.since,
      until: root.until,
    }));
    return {
      current: parseCertificate(String(parsed.current ?? "")).pem,
      retired: checked,
      renewed: (parsed.renewed ?? []).map(String),
      leafLifetimeMs: Math.max(DEFAULT_LIFETIME_MS, Number(parsed.leafLifetimeMs) || 0),
    };
  } catch (thrown) {
    log.warn("the record of the root's rotation cannot be read", { secret: record.metadata.name, error: errorText(thrown) });
    return undefined;
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
