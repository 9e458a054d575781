import type { KubeObject, Pod, WorkloadEntry } from "../../resources/index.ts";
import { compareText } from "./order.ts";
import { REGISTRY_KINDS, type ObjectReader, type RegistryKind } from "./types.ts";

const KINDS: ReadonlySet<string> = new Set(REGISTRY_KINDS);

/** The objects of all kinds by namespace and name. */
export class ObjectStore implements ObjectReader {
  readonly #objects = new Map<RegistryKind, Map<string, Map<string, KubeObject>>>();
  readonly #podsByAddress = new Map<string, Pod>();
  readonly #workloadsByAddress = new Map<string, Map<string, WorkloadEntry>>();

  /** Puts the object in the place of what had its name, and answers that. */
  set(kind: RegistryKind, object: KubeObject): KubeObject | undefined {
    const namespace = object.metadata.namespace ?? "";
    let namespaces = this.#objects.get(kind);
    if (!namespaces) this.#objects.set(kind, (namespaces = new Map()));
    let objects = namespaces.get(namespace);
    if (!objects) namespaces.set(namespace, (objects = new Map()));
    const old = objects.get(object.metadata.name);
    objects.set(object.metadata.name, object);
    if (kind === "Pod") {
      if (old) this.#forgetAddresses(old as Pod);
      this.#noteAddresses(object as Pod);
    }
    if (kind === "WorkloadEntry") {
      if (old) this.#forgetWorkload(old as WorkloadEntry);
      const address = (object as WorkloadEntry).spec?.address ?? "";
      const workloads = this.#workloadsByAddress.get(address) ?? new Map<string, WorkloadEntry>();
      this.#workloadsByAddress.set(address, workloads.set(keyOf(object), object as WorkloadEntry));
    }
    return old;
  }

  delete(kind: RegistryKind, name: string, namespace = ""): KubeObject | undefined {
    const objects = this.#objects.get(kind)?.get(namespace);
    const old = objects?.get(name);
    objects?.delete(name);
    if (kind === "Pod" && old) this.#forgetAddresses(old as Pod);
    if (kind === "WorkloadEntry" && old) this.#forgetWorkload(old as WorkloadEntry);
    return old;
  }

  list(kind: RegistryKind, namespace?: string): KubeObject[] {
    const namespaces = this.#objects.get(kind);
    if (!namespaces) return [];
    if (namespace !== undefined) return [...(namespaces.get(namespace)?.values() ?? [])];
    return [...namespaces.values()].flatMap((objects) => [...objects.values()]);
  }

  get(kind: RegistryKind, name: string, namespace = ""): KubeObject | undefined {
    return this.#objects.get(kind)?.get(namespace)?.get(name);
  }

  /** The running pod with this address; pods on the host's network share theirs and are not found. */
  podByAddress(address: string): Pod | undefined {
    return this.#podsByAddress.get(address);
  }

  workloadsByAddress(address: string): readonly WorkloadEntry[] {
    const workloads = this.#workloadsByAddress.get(address);
    return workloads ? [...workloads].sort(([a], [b]) => compareText(a, b)).map(([, workload]) => workload) : [];
  }

  #forgetWorkload(workload: WorkloadEntry): void {
    const address = workload.spec?.address ?? "";
    const workloads = this.#workloadsByAddress.get(address);
    workloads?.delete(keyOf(workload));
    if (workloads?.size === 0) this.#workloadsByAddress.delete(address);
  }

  #noteAddresses(pod: Pod): void {
    if (pod.spec?.hostNetwork || pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") return;
    eachAddress(pod, (address) => this.#podsByAddress.set(address, pod));
  }

  #forgetAddresses(pod: Pod): void {
    eachAddress(pod, (address) => {
      if (this.#podsByAddress.get(address) === pod) this.#podsByAddress.delete(address);
    });
  }
}

/** Whether the registry reads objects of this kind. */
export function isRegistryKind(kind: string): kind is RegistryKind {
  return KINDS.has(kind);
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

/** Most pods have one. */
function eachAddress({ status }: Pod, use: (address: string) => void): void {
  if (!status?.podIP) return;
  use(status.podIP);
  for (const { ip } of status.podIPs ?? []) if (ip !== status.podIP) use(ip);
}
