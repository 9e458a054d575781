import type { KubeObject, Pod } from "../../resources/index.ts";
import { snapshotOf, type MeshSnapshot } from "../registry/snapshot.ts";
import type { Registry, RegistryChange, RegistryKind } from "../registry/types.ts";
import type { ProxyNode, XdsGenerator, XdsResource } from "../xds/types.ts";

/** A registry and generator whose resources a test sets by hand: name to content, by type. */
export class FakeMesh {
  readonly objects = new Map<string, KubeObject>();
  readonly resources = new Map<string, Map<string, string>>();
  /** Every call of generate: `<type> <names>`. */
  readonly generated: string[] = [];
  readonly #listeners = new Set<(change: RegistryChange) => void>();

  readonly registry: Registry = {
    current: () => this.snapshot(),
    onChange: (listener) => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    },
    synced: Promise.resolve(),
    stop: () => this.#listeners.clear(),
  };

  readonly generator: XdsGenerator = {
    generate: (_node: ProxyNode, _snapshot: MeshSnapshot, typeUrl: string, names?: readonly string[]): XdsResource[] => {
      this.generated.push(`${typeUrl.slice(typeUrl.lastIndexOf(".") + 1)} ${names ? names.join(",") : "*"}`);
      const all = this.resources.get(typeUrl) ?? new Map<string, string>();
      return [...all]
        .filter(([name]) => !names || names.includes(name))
        .map(([name, content]) => ({ name, typeUrl, version: content, value: new TextEncoder().encode(`${name}=${content}`) }));
    },
    affected: () => new Map([...this.resources.keys()].map((typeUrl) => [typeUrl, undefined])),
  };

  set(typeUrl: string, content: Record<string, string>): void {
    this.resources.set(typeUrl, new Map(Object.entries(content)));
  }

  change(kind: RegistryKind = "PeerAuthentication", keys: string[] = []): void {
    const change: RegistryChange = { kinds: new Set([kind]), keys: new Set(keys), endpoints: new Set(), identities: new Set() };
    for (const listener of this.#listeners) listener(change);
  }

  snapshot(): MeshSnapshot {
    return {
      ...snapshotOf([]),
      objects: {
        list: (kind, namespace) => [...this.objects].filter(([key]) => key.startsWith(`${kind}/${namespace ?? ""}`)).map(([, object]) => object),
        get: (kind, name, namespace = "") => this.objects.get(`${kind}/${namespace}/${name}`),
        workloadsByAddress: () => [],
        podByAddress: (address) =>
          [...this.objects.values()].find((object): object is Pod => object.kind === "Pod" && (object as Pod).status?.podIP === address),
      },
    };
  }
}
