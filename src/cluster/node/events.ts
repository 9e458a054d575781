import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { EVENTS, isNotFound, type KubeClient } from "../../kube/index.ts";
import type { Event, Pod } from "../../resources/index.ts";
import type { ContainerRecord } from "./records.ts";
import { rfc3339 } from "./status.ts";

/** As client-go's recorder: an object may burst 25 events and then one in five minutes, so that a crash loop cannot fill the store. */
const BURST = 25;
const REFILL_MS = 300_000;
/** Entries kept for counting repeats; the oldest go first. */
const MAX_REMEMBERED = 4096;

export interface PodEvent {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
  /** `spec.containers{web-api}` for events of one container. */
  fieldPath?: string;
}

interface Remembered {
  name: string;
  count: number;
  /** Writes for one event follow each other, or the count would go backwards. */
  tail: Promise<void>;
}

/** Writes core/v1 events about pods; a repeat counts up the first instead of adding another. */
export class EventRecorder {
  readonly #seen = new Map<string, Remembered>();
  #sequence = 0;
  readonly #budgets = new Map<string, { tokens: number; at: number }>();

  constructor(
    readonly client: KubeClient,
    readonly clock: Clock,
    readonly log: Logger,
    readonly nodeName: string,
  ) {}

  /** Never throws and never waits: an event that cannot be written is a line in the log. */
  record(pod: Pod, event: PodEvent): void {
    const { uid = "" } = pod.metadata;
    const key = [uid, event.type, event.reason, event.fieldPath ?? "", event.message].join("\0");
    if (!this.#allow(uid)) return;
    const seen = this.#seen.get(key);
    const now = this.clock.now();
    if (seen) {
      seen.count += 1;
      seen.tail = seen.tail.then(() => this.#repeat(pod, event, seen, now));
      return;
    }
    const fresh: Remembered = { name: eventName(pod.metadata.name, now, this.#sequence++), count: 1, tail: Promise.resolve() };
    this.#seen.set(key, fresh);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= MAX_REMEMBERED) break;
      this.#seen.delete(oldest);
    }
    fresh.tail = this.#write(() => this.client.create(EVENTS, eventObject(pod, event, fresh, now, this.nodeName)));
  }

  /** Resolves when everything recorded so far is written. */
  async flush(): Promise<void> {
    await Promise.all([...this.#seen.values()].map((seen) => seen.tail));
  }

  /** Drops what is remembered of a pod that is gone. */
  forget(uid: string): void {
    this.#budgets.delete(uid);
    for (const key of this.#seen.keys()) if (key.startsWith(`${uid}\0`)) this.#seen.delete(key);
  }

  #repeat(pod: Pod, event: PodEvent, seen: Remembered, now: number): Promise<void> {
    const patch = { count: seen.count, lastTimestamp: rfc3339(now) };
    return this.#write(async () => {
      try {
        await this.client.patch(EVENTS, seen.name, pod.metadata.namespace, patch);
      } catch (thrown) {
        // Events expire: then the next one starts over.
        if (!isNotFound(thrown)) throw thrown;
        seen.count = 1;
        seen.name = eventName(pod.metadata.name, now, this.#sequence++);
        await this.client.create(EVENTS, eventObject(pod, event, seen, now, this.nodeName));
      }
    });
  }

  async #write(send: () => Promise<unknown>): Promise<void> {
    try {
      await send();
    } catch (thrown) {
      this.log.debug("event not written", { error: errorText(thrown) });
    }
  }

  #allow(uid: string): boolean {
    const now = this.clock.now();
    const budget = this.#budgets.get(uid) ?? { tokens: BURST, at: now };
    budget.tokens = Math.min(BURST, budget.tokens + (now - budget.at) / REFILL_MS);
    budget.at = now;
    this.#budgets.set(uid, budget);
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    return true;
  }
}

/** Where an event about one container points. */
export function containerFieldPath(record: ContainerRecord): { fieldPath: string } {
  const list = record.role === "app" ? "containers" : record.role === "ephemeral" ? "ephemeralContainers" : "initContainers";
  return { fieldPath: `spec.${list}{${record.name}}` };
}

/** `<pod>.<16 hex digits>`, as client-go names events: the time in nanoseconds, here with a counter as its last digits. */
function eventName(pod: string, now: number, sequence: number): string {
  return `${pod}.${(BigInt(Math.floor(now)) * 1_000_000n + BigInt(sequence % 1_000_000)).toString(16).padStart(16, "0")}`;
}

function eventObject(pod: Pod, event: PodEvent, { name, count }: Remembered, now: number, nodeName: string): Event {
  const { metadata } = pod;
  const namespace = metadata.namespace ?? "default";
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace },
    involvedObject: {
      kind: "Pod",
      apiVersion: "v1",
      namespace,
      name: metadata.name,
      ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
      ...(event.fieldPath === undefined ? {} : { fieldPath: event.fieldPath }),
    },
    reason: event.reason,
    message: event.message,
    type: event.type,
    source: { component: "kubelet", host: nodeName },
    reportingComponent: "kubelet",
    reportingInstance: nodeName,
    firstTimestamp: rfc3339(now),
    lastTimestamp: rfc3339(now),
    eventTime: null,
    count,
  };
}
