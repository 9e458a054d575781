import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { isConflict, isNotFound, PODS, type KubeClient } from "../../kube/index.ts";
import type { Condition, Pod, PodStatus } from "../../resources/index.ts";
import { OWN_CONDITIONS } from "./status.ts";

/** The API server is in the same process: if it fails, it is restarting or its disk is full. */
const RETRY_MS = 1000;

/** Fields that may vanish again, and then have to be removed by name. */
const REMOVABLE = ["reason", "message", "podIP", "podIPs"] as const;

/** Writes one pod's status: only when it differs from what was written last, one request at a time, the newest winning. */
export class StatusWriter {
  #written: string | undefined;
  #wanted: PodStatus | undefined;
  #busy: Promise<void> | undefined;
  #gone = false;
  #decided: Condition[] | undefined;

  constructor(
    readonly client: KubeClient,
    readonly clock: Clock,
    readonly log: Logger,
    readonly pod: Pod,
  ) {}

  /** The newest conditions that are known: ours as last decided, those of others from the pod. */
  conditions(pod: Pod): Condition[] {
    const known = pod.status?.conditions ?? [];
    return this.#decided ? [...this.#decided, ...known.filter((c) => !OWN_CONDITIONS.includes(c.type))] : known;
  }

  write(status: PodStatus): void {
    this.#decided = status.conditions?.filter((c) => OWN_CONDITIONS.includes(c.type));
    this.#wanted = status;
    this.#kick();
  }

  /** Resolves when the newest status is stored, or the pod is gone. */
  async flush(): Promise<void> {
    while (this.#busy) await this.#busy;
  }

  /** Ends retries: nobody will see this pod's status any more. */
  stop(): void {
    this.#gone = true;
  }

  #kick(): void {
    if (this.#busy || this.#gone || !this.#wanted) return;
    this.#busy = this.#drain().then(() => {
      this.#busy = undefined;
      this.#kick();
    });
  }

  async #drain(): Promise<void> {
    // What changes in the same turn (started and ready, say) goes out together.
    await Promise.resolve();
    while (!this.#gone && this.#wanted) {
      const status = this.#wanted;
      const text = JSON.stringify(status);
      this.#wanted = undefined;
      if (text === this.#written) continue;
      try {
        await this.#send(status);
        this.#written = text;
      } catch (thrown) {
        // Deleted, or another pod has taken the name: the uid in the patch no longer matches.
        if (isNotFound(thrown) || isConflict(thrown)) this.#gone = true;
        else {
          this.log.warn("pod status not written, trying again", { pod: this.pod.metadata.name, error: errorText(thrown) });
          this.#wanted ??= status;
          await new Promise<void>((resolve) => void this.clock.after(RETRY_MS, resolve));
        }
      }
    }
  }

  #send(status: PodStatus): Promise<unknown> {
    const { name, namespace, uid } = this.pod.metadata;
    const removed = Object.fromEntries(REMOVABLE.filter((field) => !(field in status)).map((field) => [field, null]));
    return this.client.patch(PODS, name, namespace, { metadata: { uid }, status: { ...removed, ...status } }, "status");
  }
}
