import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { isAlreadyExists, isConflict, LEASES, type KubeClient } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";

/** Who of several istiods does what only one may do, such as writing trust bundles. */
export interface Leadership {
  leads(): boolean;
  /** Called when this istiod begins or ceases to lead. */
  onChange(listener: (leads: boolean) => void): () => void;
  /** Lets go, so that another need not wait for the lease to run out. */
  stop(): Promise<void>;
}

export interface LeadershipOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** Each revision has a leader of its own. */
  readonly revision: string;
  /** The pod's name: a container that is started again in its pod leads on at once. */
  readonly identity: string;
  /** How many istiods of this revision there should be. Who is alone needs no lease, and writes none. May reject: then it asks for the lease. */
  readonly replicas: () => number | Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
}

type Lease = KubeObject<{ holderIdentity?: string; leaseDurationSeconds?: number; acquireTime?: string; renewTime?: string; leaseTransitions?: number }>;

/** Long enough for an API server that restarts, short enough that a dead leader is not missed. */
const DURATION_MS = 15_000;
const RENEW_MS = 5_000;
/** A leader that could not renew for so long ceases to lead before another may begin. */
const GIVE_UP_MS = 10_000;

/** Leads when alone; else by a Lease, as Kubernetes' own controllers do. */
export function followLeadership(options: LeadershipOptions): Leadership & { readonly settled: Promise<void> } {
  const election = new Election(options);
  return { leads: () => election.leads, onChange: (listener) => election.onChange(listener), stop: () => election.stop(), settled: election.start() };
}

class Election {
  leads = false;
  readonly #listeners = new Set<(leads: boolean) => void>();
  /** What the lease said when it last changed, and when by our own clock: others' clocks may differ. */
  #seen: { renewTime: string; holder: string; at: number } | undefined;
  #renewedAt = 0;
  #several = false;
  #cancel = (): void => {};
  #stopped = false;

  constructor(private readonly options: LeadershipOptions) {}

  onChange(listener: (leads: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    const { clock, log } = this.options;
    try {
      if (await this.#isAlone()) {
        // Whoever joins later is told by the clock when to begin, not by a lease from before.
        this.#renewedAt = 0;
        this.#become(true);
      } else await this.#tryLease();
    } catch (thrown) {
      log.warn("the lease of the leader could not be had", { error: errorText(thrown) });
      if (this.leads && clock.now() - this.#renewedAt > GIVE_UP_MS) this.#become(false);
    }
    if (!this.#stopped) this.#cancel = clock.after(RENEW_MS, () => void this.start());
  }

  async stop(): Promise<void> {
    const { client, namespace, identity, log } = this.options;
    this.#stopped = true;
    this.#cancel();
    this.#listeners.clear();
    if (!this.leads || this.#renewedAt === 0) return;
    this.leads = false;
    try {
      const lease = await client.find<Lease>(LEASES, this.#name, namespace);
      if (lease?.spec?.holderIdentity === identity) await client.update(LEASES, { ...lease, spec: { ...lease.spec, holderIdentity: "" } });
    } catch (thrown) {
      // It runs out by itself.
      log.debug("the lease of the leader could not be given back", { error: errorText(thrown) });
    }
  }

  async #isAlone(): Promise<boolean> {
    const { replicas, log } = this.options;
    try {
      this.#several = (await replicas()) > 1;
    } catch (thrown) {
      log.warn("how many istiods there are is not known; the leader is the one with the lease", { error: errorText(thrown) });
      this.#several = true;
    }
    return !this.#several;
  }

  get #name(): string {
    return `istio-leader-${this.options.revision}`;
  }

  async #tryLease(): Promise<void> {
    const { client, namespace, identity, clock } = this.options;
    const lease = await client.find<Lease>(LEASES, this.#name, namespace);
    const now = clock.now();
    const holder = lease?.spec?.holderIdentity ?? "";
    const renewTime = lease?.spec?.renewTime ?? "";
    if (this.#seen?.renewTime !== renewTime || this.#seen.holder !== holder) this.#seen = { renewTime, holder, at: now };
    const runsOut = this.#seen.at + (lease?.spec?.leaseDurationSeconds ?? DURATION_MS / 1000) * 1000;
    if (holder !== "" && holder !== identity && now < runsOut) return this.#become(false);
    const taken = holder !== identity;
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: DURATION_MS / 1000,
      acquireTime: taken ? micro(now) : (lease?.spec?.acquireTime ?? micro(now)),
      renewTime: micro(now),
      leaseTransitions: (lease?.spec?.leaseTransitions ?? 0) + (taken && lease ? 1 : 0),
    };
    try {
      if (lease) await client.update<Lease>(LEASES, { ...lease, spec });
      else await client.create<Lease>(LEASES, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: this.#name, namespace }, spec });
    } catch (thrown) {
      // Another was faster; the next look shows whom.
      if (isConflict(thrown) || isAlreadyExists(thrown)) return this.#become(false);
      throw thrown;
    }
    this.#renewedAt = now;
    this.#become(true);
  }

  #become(leads: boolean): void {
    if (this.#stopped || this.leads === leads) return;
    this.leads = leads;
    if (this.#several)
      this.options.log.info(leads ? "leads the istiods of this revision" : "another istiod of this revision leads", { identity: this.options.identity });
    for (const listener of this.#listeners) listener(leads);
  }
}

/** Kubernetes' MicroTime. */
const micro = (ms: number): string => new Date(ms).toISOString().replace("Z", "000Z");
