import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { isConflict, isNotFound, SERVICE_ENTRIES, type KubeClient } from "../../kube/index.ts";
import type { ServiceEntry } from "../../resources/index.ts";
import type { Registry } from "../registry/index.ts";
import { planAddresses } from "./address-plan.ts";

export interface AddressAllocationOptions {
  readonly client: KubeClient;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** An API server that restarts is back by then. */
const RETRY_MS = 5_000;

/** Gives ServiceEntries without addresses addresses of their own, in their status, as Istio does. */
export function allocateAddresses({ client, registry, clock, log }: AddressAllocationOptions): { stop(): void } {
  let next = 0;
  let running = false;
  let again = false;
  let stopped = false;
  let cancelRetry = (): void => {};

  const settle = async (): Promise<void> => {
    const entries = registry.current().objects.list("ServiceEntry") as readonly ServiceEntry[];
    const plan = planAddresses(entries, next);
    let failed = false;
    for (const { entry, addresses } of plan.changes) {
      const { name, namespace, resourceVersion } = entry.metadata;
      if (stopped) return;
      try {
        // With the version that was read: whoever was faster is not overwritten.
        await client.patch(SERVICE_ENTRIES, name, namespace, { metadata: { resourceVersion }, status: { addresses } }, "status");
      } catch (thrown) {
        if (isNotFound(thrown)) continue;
        failed = true;
        if (!isConflict(thrown))
          log.warn("could not write the addresses of a ServiceEntry", { entry: `${namespace}/${name}`, error: errorText(thrown), wait_ms: RETRY_MS });
        cancelRetry();
        cancelRetry = clock.after(RETRY_MS, () => void run());
      }
    }
    if (!failed) next = plan.next;
  };
  /** One round at a time; what changes meanwhile makes another. */
  const run = async (): Promise<void> => {
    again = true;
    if (running) return;
    running = true;
    while (again && !stopped) {
      again = false;
      await settle();
    }
    running = false;
  };
  const unsubscribe = registry.onChange(({ kinds }) => {
    if (kinds.has("ServiceEntry")) void run();
  });
  void registry.synced.then(run);
  return {
    stop() {
      stopped = true;
      unsubscribe();
      cancelRetry();
    },
  };
}
