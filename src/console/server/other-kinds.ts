import type { Clock } from "../../base/index.ts";
import type { GroupVersionResource, Informer } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";

/** After nobody has asked for a kind for so long, its copy is let go: most pages never need most kinds. */
const KEEP_MS = 300_000;
/** A kind that the API server does not know (a definition that is not installed) never syncs: it counts as empty. */
const SYNC_TIMEOUT_MS = 2_000;

interface Kept {
  informer: Informer;
  synced: Promise<void>;
  cancel: () => void;
}

/** Copies of kinds that are needed now and then, started by the first question. */
export class OtherKinds {
  readonly #kept = new Map<string, Kept>();

  constructor(
    private readonly start: (gvr: GroupVersionResource) => Informer,
    private readonly onChange: () => void,
    private readonly clock: Clock,
  ) {}

  async list<T extends KubeObject>(gvr: GroupVersionResource): Promise<T[]> {
    const key = `${gvr.group}/${gvr.version}/${gvr.resource}`;
    let kept = this.#kept.get(key);
    if (!kept) {
      const informer = this.start(gvr);
      informer.onChange(this.onChange);
      const timeout = new Promise<void>((resolve) => this.clock.after(SYNC_TIMEOUT_MS, resolve));
      kept = { informer, synced: Promise.race([informer.synced, timeout]), cancel: () => {} };
      this.#kept.set(key, kept);
    }
    kept.cancel();
    kept.cancel = this.clock.after(KEEP_MS, () => {
      this.#kept.get(key)?.informer.stop();
      this.#kept.delete(key);
    });
    await kept.synced;
    // Objects of the kind were put in by the informer that was started for it.
    return kept.informer.list() as T[];
  }

  stop(): void {
    for (const { informer, cancel } of this.#kept.values()) {
      cancel();
      informer.stop();
    }
    this.#kept.clear();
  }
}
