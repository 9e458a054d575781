import type { Pod } from "../../resources/index.ts";
import type { Watched } from "./service-network.ts";

/** A pod with its address, as the runtime gave it; `pod` is undefined until the API has told of it. */
export interface AddressedPod {
  uid: string;
  ip: string;
  pod: Pod | undefined;
}

/**
 * Which pod has which address. The runtime says so before the pod's first process starts, and takes it back before
 * another pod gets the address; what the pod is comes from the API, earlier or later.
 */
export class PodAddresses {
  readonly #ips = new Map<string, string>();
  readonly #pods = new Map<string, Pod>();
  readonly #waiting = new Map<string, () => void>();
  readonly #listeners: (() => void)[] = [];

  follow(pods: Watched<Pod>): () => void {
    return pods.onChange(({ type, object }) => {
      const uid = object.metadata.uid ?? "";
      if (type === "DELETED") this.#pods.delete(uid);
      else this.#pods.set(uid, object);
      this.#waiting.get(uid)?.();
      if (this.#ips.has(uid)) this.#tell();
    });
  }

  /** Called when an address comes or goes, or a pod that has one changes. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  assign(uid: string, ip: string): void {
    this.#ips.set(uid, ip);
    this.#tell();
  }

  release(uid: string): void {
    if (this.#ips.delete(uid)) this.#tell();
  }

  list(): AddressedPod[] {
    return [...this.#ips].map(([uid, ip]) => ({ uid, ip, pod: this.#pods.get(uid) }));
  }

  /** Resolves when the API has told of the pod, or after `ms` all the same. */
  async known(uid: string, ms: number): Promise<void> {
    if (this.#pods.has(uid)) return;
    const told = Promise.withResolvers<void>();
    this.#waiting.set(uid, told.resolve);
    await Promise.race([told.promise, Bun.sleep(ms)]);
    this.#waiting.delete(uid);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
