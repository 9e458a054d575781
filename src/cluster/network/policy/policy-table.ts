import { errorText, systemClock, type Clock, type Logger } from "../../../base/index.ts";
import type { KubeObject, Namespace, Pod } from "../../../resources/index.ts";
import type { PodAddresses } from "../pod-addresses.ts";
import type { Watched } from "../service-network.ts";
import { emptyState, policyChanges } from "./diff.ts";
import { parsePolicy, type Policy } from "./parse.ts";
import { policyState, type PolicyInput, type PolicyPod } from "./rules.ts";

export interface PolicyTableOptions {
  addresses: PodAddresses;
  namespaces: Watched<Namespace>;
  policies: Watched<KubeObject>;
  /** What policies may let through to as if it were pods: the cluster's DNS. */
  others: PolicyPod[];
  /** Runs one nft transaction in the node's namespace. */
  nft(commands: string): Promise<unknown>;
  logger: Logger;
  clock?: Clock;
}

/** A refused transaction changes nothing, so the next try starts from what the kernel is known to hold. */
const RETRY_MS = 1_000;

/** Keeps the kernel's rules for NetworkPolicies equal to the API's objects and to the pods that run. */
export class PolicyTable {
  readonly #options: PolicyTableOptions;
  readonly #policies = new Map<string, Policy>();
  readonly #namespaces = new Map<string, Record<string, string>>();
  readonly #applied = emptyState();
  readonly #unsubscribe: (() => void)[];
  #running: Promise<void> | undefined;
  #dirty = false;
  #stopped = false;

  constructor(options: PolicyTableOptions) {
    this.#options = options;
    options.addresses.onChange(() => this.#changed());
    this.#unsubscribe = [
      options.namespaces.onChange(({ type, object }) => {
        if (type === "DELETED") this.#namespaces.delete(object.metadata.name);
        else this.#namespaces.set(object.metadata.name, object.metadata.labels ?? {});
        this.#changed();
      }),
      options.policies.onChange(({ type, object }) => {
        const policy = parsePolicy(object);
        if (type === "DELETED") this.#policies.delete(policy.key);
        else this.#policies.set(policy.key, policy);
        if (type !== "DELETED" && policy.problem !== undefined)
          options.logger.error("a NetworkPolicy is not understood and lets through only what is clear", { policy: policy.key, problem: policy.problem });
        this.#changed();
      }),
    ];
  }

  /** Resolves when the kernel follows all that is known by now. Rejects when it refused. */
  settled(): Promise<void> {
    return this.#sync();
  }

  stop(): void {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** Failures are logged, and tried again. */
  #changed(): void {
    void this.#sync().catch(() => {});
  }

  #sync(): Promise<void> {
    this.#dirty = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<void> {
    const { nft, logger, clock = systemClock } = this.#options;
    // Changes of one turn of the event loop, such as a first list, are taken together.
    await Promise.resolve();
    while (this.#dirty && !this.#stopped) {
      this.#dirty = false;
      try {
        for (const change of policyChanges(this.#applied, policyState(this.#input()))) {
          await nft(change.commands);
          change.apply(this.#applied);
        }
      } catch (error) {
        logger.error("the kernel refused rules for NetworkPolicies", { error: errorText(error) });
        clock.after(RETRY_MS, () => {
          if (!this.#stopped) this.#changed();
        });
        throw error;
      }
    }
  }

  #input(): PolicyInput {
    const pods: PolicyPod[] = [];
    const unknown: string[] = [];
    for (const { ip, pod } of this.#options.addresses.list()) {
      if (pod) pods.push(policyPod(pod, ip));
      else unknown.push(ip);
    }
    return { pods, others: this.#options.others, unknown, namespaces: this.#namespaces, policies: [...this.#policies.values()] };
  }
}

function policyPod(pod: Pod, ip: string): PolicyPod {
  const containers = [...(pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === "Always"), ...(pod.spec?.containers ?? [])];
  const ports = containers
    .flatMap((container) => container.ports ?? [])
    .flatMap(({ name, protocol = "TCP", containerPort: port }) => {
      const known = (["tcp", "udp", "sctp"] as const).find((each) => each.toUpperCase() === protocol);
      return name !== undefined && known ? [{ name, protocol: known, port }] : [];
    });
  return { namespace: pod.metadata.namespace ?? "", labels: pod.metadata.labels ?? {}, ip, ports };
}
