import type { Clock } from "../../../base/index.ts";
import type { KubeObject, Pod } from "../../../resources/index.ts";
import { type Store, WriteConflict } from "../../store/index.ts";
import { forbidden } from "../http/status.ts";
import { equalJson } from "../json.ts";
import { type Amounts, nanosOf, sum } from "./pod-amounts.ts";
import { bounded, growth, isInScope, kindOf, type Quota, quotaOf, total, unnamed, usageOf } from "./quota-usage.ts";
import type { AdmissionPlugin, Attributes } from "./types.ts";

const QUOTAS = "/resourcequotas";
/** Of these an update may take more. */
const GROWING = new Set(["/services", "/persistentvolumeclaims"]);
/** How old the shown use may be: a person who looks twice sees it. */
const STATUS_INTERVAL_MS = 1000;

interface Reservation {
  id: string;
  namespace: string;
  object: KubeObject;
}

/**
 * Refuses (403) what would take more than a namespace's ResourceQuotas allow, by what is stored at that moment and what
 * was let in just before. https://kubernetes.io/docs/concepts/policy/resource-quotas/
 */
export class ResourceQuotas implements AdmissionPlugin {
  readonly #store: Store;
  readonly #clock: Clock;
  /** By uid: what was let in and is not stored yet. */
  readonly #reserved = new Map<string, Reservation>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Runs after everything else that may refuse. */
  validate(attributes: Attributes): void {
    const { operation, resource, subresource, namespace, name, object, old, dryRun } = attributes;
    const { id } = resource;
    if (subresource !== "" || !object || namespace === "" || !(operation === "CREATE" || (operation === "UPDATE" && GROWING.has(id)))) return;
    const quotas = this.#store.list(QUOTAS, namespace);
    if (quotas.length === 0) return;
    const refuse = (why: string) => forbidden(resource.definition, name, why);
    const usage = usageOf(id, object);
    for (const stored of quotas) {
      const quota = quotaOf(stored.object);
      const own = bounded(quota, usage);
      if (!isInScope(quota, id, object)) continue;
      const missing = id === "/pods" ? unnamed(quota, object as KubeObject as Pod) : undefined;
      const quotaName = stored.object.metadata.name;
      if (missing) throw refuse(`failed quota: ${quotaName}: ${missing}`);
      const requested = growth(own, old ? usageOf(id, old) : {});
      const used = this.#used(quota, namespace, Object.keys(requested));
      const exceeded = Object.keys(requested).filter(
        (one) => nanosOf(requested[one] as string) + nanosOf(used[one] ?? "0") > nanosOf(quota.hard[one] as string),
      );
      const shown = (amounts: Amounts) =>
        exceeded
          .toSorted()
          .map((one) => `${one}=${amounts[one] ?? "0"}`)
          .join(",");
      if (exceeded.length > 0)
        throw refuse(`exceeded quota: ${quotaName}, requested: ${shown(requested)}, used: ${shown(used)}, limited: ${shown(quota.hard)}`);
    }
    if (!dryRun && operation === "CREATE" && object.metadata.uid) this.#reserved.set(object.metadata.uid, { id, namespace, object });
  }

  settled({ metadata }: KubeObject): void {
    this.#reserved.delete(metadata.uid ?? "");
  }

  /** Keeps the status of every quota. Returns what stops it. */
  keepStatus(): () => void {
    let cancel = () => {};
    let seen = -1;
    const next = () => {
      cancel = this.#clock.after(STATUS_INTERVAL_MS, () => {
        if (this.#store.revision !== seen) {
          seen = this.#store.revision;
          for (const stored of this.#store.list(QUOTAS)) void this.#refresh(stored);
        }
        next();
      });
    };
    next();
    return () => cancel();
  }

  async #refresh(stored: ReturnType<Store["list"]>[number]): Promise<void> {
    const { object } = stored;
    const quota = quotaOf(object);
    const names = Object.keys(quota.hard);
    const used = { ...Object.fromEntries(names.map((name) => [name, "0"])), ...this.#used(quota, object.metadata.namespace ?? "", names) };
    const status = names.length > 0 ? { hard: quota.hard, used } : {};
    if (equalJson(status, object.status ?? {})) return;
    try {
      await this.#store.put(QUOTAS, { ...object, status }, stored);
    } catch (error) {
      // It changed or went just now, or the disk is full: the next round comes.
      if (!(error instanceof WriteConflict) && !(error instanceof Error && "code" in error && error.code === "STORE_WRITE_FAILED")) throw error;
    }
  }

  /** What the objects of the namespace take of the named parts of a quota. */
  #used(quota: Quota, namespace: string, names: readonly string[]): Amounts {
    let used: Amounts = {};
    for (const id of new Set(names.map(kindOf))) {
      const objects = this.#store.list(id, namespace).map(({ object }) => object);
      const stored = new Set(objects.map(({ metadata }) => metadata.uid));
      for (const [uid, one] of this.#reserved) {
        if (one.id === id && one.namespace === namespace && !stored.has(uid)) objects.push(one.object);
      }
      used = sum(used, total(objects.filter((object) => isInScope(quota, id, object)).map((object) => usageOf(id, object))));
    }
    return Object.fromEntries(Object.entries(used).filter(([name]) => names.includes(name)));
  }
}
