import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { Node } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { XDS_TYPES, type XdsTypeName } from "../../proto/index.ts";
import { NACK_CODE, typeOfUrl, type Subscription, type XdsProtocol, type XdsUpdate } from "./protocol.ts";
import type { XdsStore } from "./store.ts";

/** Incremental xDS: only changes travel, and after a reconnect the server learns what we still hold. */
export class DeltaProtocol implements XdsProtocol {
  readonly method = "envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
  readonly #node: Node;
  readonly #store: XdsStore;
  /** What the server knows of on this stream. */
  readonly #subscribed = new Map<XdsTypeName, Subscription>();
  #nodeSent = false;

  constructor(node: Node, store: XdsStore) {
    this.#node = node;
    this.#store = store;
  }

  reset(): void {
    this.#subscribed.clear();
    this.#nodeSent = false;
  }

  subscribe(type: XdsTypeName, names: Subscription): Uint8Array | undefined {
    const known = this.#subscribed.get(type);
    if (names === "*") {
      if (known === "*") return undefined;
      this.#subscribed.set(type, "*");
      // No names in the first request of a type is the wildcard.
      return this.#encode(type, { initialResourceVersions: this.#held(type, "*") });
    }
    if (known === "*") throw new Error(`${type} is subscribed as a whole`);
    const before = known ?? new Set<string>();
    const add = [...names].filter((name) => !before.has(name));
    const drop = [...before].filter((name) => !names.has(name));
    if (add.length === 0 && drop.length === 0) return undefined;
    this.#subscribed.set(type, new Set(names));
    return this.#encode(type, {
      resourceNamesSubscribe: add,
      resourceNamesUnsubscribe: drop,
      ...(known === undefined && { initialResourceVersions: this.#held(type, names) }),
    });
  }

  receive(bytes: Uint8Array): XdsUpdate | undefined {
    const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    const type = typeOfUrl(response.typeUrl);
    if (!type) return undefined;
    return {
      type,
      nonce: response.nonce,
      version: response.systemVersionInfo,
      resources: response.resources.flatMap(({ name, version, resource }) => (resource ? [{ name, version, any: resource }] : [])),
      removed: response.removedResources,
    };
  }

  acknowledge(update: XdsUpdate, error: string | undefined): Uint8Array {
    return this.#encode(update.type, {
      responseNonce: update.nonce,
      ...(error !== undefined && { errorDetail: { code: NACK_CODE, message: error } }),
    });
  }

  #held(type: XdsTypeName, names: Subscription): Record<string, string> {
    const versions: Record<string, string> = {};
    for (const { name, active } of this.#store.list(type)) if (active && (names === "*" || names.has(name))) versions[name] = active.version;
    return versions;
  }

  #encode(type: XdsTypeName, init: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): Uint8Array {
    const node = this.#nodeSent ? {} : { node: this.#node };
    this.#nodeSent = true;
    return toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { ...init, ...node, typeUrl: XDS_TYPES[type] }));
  }
}
