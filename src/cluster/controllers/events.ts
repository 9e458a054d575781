import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { EVENTS, isNotFound, type KubeClient } from "../../kube/index.ts";
import type { Event, KubeObject } from "../../resources/index.ts";
import { timestamp } from "./objects.ts";

/** Repeats of an event count up in one object, as client-go's correlator does; the oldest beyond this are forgotten. */
const MAX_REMEMBERED = 1024;

/** Event names end in the time in nanoseconds; a serial number stands for what the clock does not tell apart. */
const NANOS = 1_000_000n;

/** Writes Kubernetes events: what `kubectl describe` and `kubectl get events` show. Losing one is never an error. */
export class EventRecorder {
  readonly #known = new Map<string, { name: string; count: number }>();
  #serial = 0;

  constructor(
    private readonly client: KubeClient,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  normal(component: string, about: KubeObject, reason: string, message: string): void {
    void this.#record(component, about, "Normal", reason, message);
  }

  warning(component: string, about: KubeObject, reason: string, message: string): void {
    void this.#record(component, about, "Warning", reason, message);
  }

  async #record(component: string, about: KubeObject, type: "Normal" | "Warning", reason: string, message: string): Promise<void> {
    const namespace = about.metadata.namespace ?? "default";
    const now = timestamp(this.clock.now());
    const key = `${component}/${about.metadata.uid}/${type}/${reason}/${message}`;
    try {
      const known = this.#known.get(key);
      if (known) {
        known.count++;
        try {
          await this.client.patch(EVENTS, known.name, namespace, { count: known.count, lastTimestamp: now });
          return;
        } catch (thrown) {
          if (!isNotFound(thrown)) throw thrown; // it has expired or was deleted: a new one
        }
      }
      const name = `${about.metadata.name}.${(BigInt(this.clock.now()) * NANOS + BigInt(this.#serial++)).toString(16)}`;
      this.#remember(key, name);
      await this.client.create<Event>(EVENTS, {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: about.apiVersion,
          kind: about.kind,
          name: about.metadata.name,
          ...(about.metadata.namespace ? { namespace: about.metadata.namespace } : {}),
          ...(about.metadata.uid ? { uid: about.metadata.uid } : {}),
          ...(about.metadata.resourceVersion ? { resourceVersion: about.metadata.resourceVersion } : {}),
        },
        type,
        reason,
        message,
        count: 1,
        source: { component },
        reportingComponent: component,
        reportingInstance: "",
        firstTimestamp: now,
        lastTimestamp: now,
        eventTime: null,
      });
    } catch (thrown) {
      this.log.debug("event not written", { reason, object: `${namespace}/${about.metadata.name}`, error: errorText(thrown) });
    }
  }

  #remember(key: string, name: string): void {
    this.#known.delete(key);
    this.#known.set(key, { name, count: 1 });
    if (this.#known.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
