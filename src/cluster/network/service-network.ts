import type { EndpointSlice, Service } from "../../resources/index.ts";
import { setService, serviceOfSlice, zoneService, type Zone } from "./dns/zone.ts";
import type { NodePorts } from "./node-ports.ts";
import { serviceEntry, type ServiceEntry } from "./service-entry.ts";
import type { ServiceTable } from "./service-table.ts";

/** As much of src/kube's Informer as this needs. */
export interface Watched<T> {
  /** Called for each object already there, then for each change. Returns the unsubscribe. */
  onChange(listener: (change: { type: "ADDED" | "MODIFIED" | "DELETED"; object: T }) => void): () => void;
}

export interface ServiceNetworkOptions {
  services: Watched<Service>;
  endpointSlices: Watched<EndpointSlice>;
  table: Pick<ServiceTable, "change">;
  zone: Zone;
  nodePorts: Pick<NodePorts, "update">;
}

/** Follows Services and EndpointSlices: of each that changed, its rules, its names and its ports on the host. */
export class ServiceNetwork {
  readonly #options: ServiceNetworkOptions;
  readonly #services = new Map<string, Service>();
  /** Service key to slice key to slice. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #owner = new Map<string, string>();
  readonly #entries = new Map<string, ServiceEntry>();
  readonly #dirty = new Set<string>();
  readonly #unsubscribe: (() => void)[];
  #scheduled = false;
  #settled: Promise<void> = Promise.resolve();

  constructor(options: ServiceNetworkOptions) {
    this.#options = options;
    this.#unsubscribe = [
      options.services.onChange(({ type, object }) => {
        const key = keyOf(object);
        if (type === "DELETED") this.#services.delete(key);
        else this.#services.set(key, object);
        this.#touch(key);
      }),
      options.endpointSlices.onChange(({ type, object }) => this.#onSlice(type === "DELETED", object)),
    ];
  }

  /** Resolves when the kernel, the zone and the listeners follow all that was seen so far. */
  async settled(): Promise<void> {
    while (this.#scheduled) await Promise.resolve();
    await this.#settled;
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #onSlice(deleted: boolean, slice: EndpointSlice): void {
    const key = keyOf(slice);
    const before = this.#owner.get(key);
    const owner = deleted ? undefined : serviceOfSlice(slice);
    if (before !== undefined && before !== owner) {
      this.#slices.get(before)?.delete(key);
      if (this.#slices.get(before)?.size === 0) this.#slices.delete(before);
      this.#owner.delete(key);
      this.#touch(before);
    }
    if (owner === undefined) return;
    this.#owner.set(key, owner);
    const slices = this.#slices.get(owner) ?? new Map<string, EndpointSlice>();
    this.#slices.set(owner, slices.set(key, slice));
    this.#touch(owner);
  }

  /** Changes of one turn of the event loop, such as a first list, are taken together. */
  #touch(key: string): void {
    this.#dirty.add(key);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const changes = new Map<string, ServiceEntry | undefined>();
    for (const key of this.#dirty) {
      const service = this.#services.get(key);
      const slices = [...(this.#slices.get(key)?.values() ?? [])];
      const entry = service && serviceEntry(service, slices);
      if (entry) this.#entries.set(key, entry);
      else this.#entries.delete(key);
      changes.set(key, entry);
      const [namespace = "", name = ""] = key.split("/");
      setService(this.#options.zone, namespace, name, service && zoneService(service, slices));
    }
    this.#dirty.clear();
    this.#options.nodePorts.update(this.#entries.values());
    this.#settled = this.#options.table.change(changes);
  }
}

function keyOf(object: { metadata: { namespace?: string; name: string } }): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}
