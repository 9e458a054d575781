import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Node } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { XDS_TYPES, type XdsTypeName } from "../../proto/index.ts";
import { NACK_CODE, typeOfUrl, type Subscription, type XdsProtocol, type XdsUpdate } from "./protocol.ts";
import type { XdsStore } from "./store.ts";

/** State-of-the-world xDS: each answer to a wildcard is complete, so what it leaves out is gone. */
export class SotwProtocol implements XdsProtocol {
  readonly method = "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
  readonly #node: Node;
  readonly #store: XdsStore;
  readonly #nameOf: (type: XdsTypeName, any: Any) => string;
  readonly #subscribed = new Map<XdsTypeName, Subscription>();
  readonly #nonces = new Map<XdsTypeName, string>();
  #nodeSent = false;

  /** `nameOf` reads a resource's own name, since this variant sends none beside it. */
  constructor(node: Node, store: XdsStore, nameOf: (type: XdsTypeName, any: Any) => string) {
    this.#node = node;
    this.#store = store;
    this.#nameOf = nameOf;
  }

  reset(): void {
    this.#subscribed.clear();
    this.#nonces.clear();
    this.#nodeSent = false;
  }

  subscribe(type: XdsTypeName, names: Subscription): Uint8Array | undefined {
    const known = this.#subscribed.get(type);
    const same = names === "*" || known === "*" ? known === names : sameNames(known ?? new Set(), names);
    if (same) return undefined;
    this.#subscribed.set(type, names === "*" ? "*" : new Set(names));
    return this.#encode(type, { versionInfo: this.#store.version(type) });
  }

  receive(bytes: Uint8Array): XdsUpdate | undefined {
    const response = fromBinary(DiscoveryResponseSchema, bytes);
    const type = typeOfUrl(response.typeUrl);
    if (!type) return undefined;
    this.#nonces.set(type, response.nonce);
    const resources = response.resources.map((any) => ({ name: this.#nameOf(type, any), version: response.versionInfo, any }));
    const sent = new Set(resources.map(({ name }) => name));
    const complete = this.#subscribed.get(type) === "*";
    const removed = complete ? this.#store.list(type).flatMap(({ name }) => (sent.has(name) ? [] : [name])) : [];
    return { type, nonce: response.nonce, version: response.versionInfo, resources, removed };
  }

  acknowledge(update: XdsUpdate, error: string | undefined): Uint8Array {
    return this.#encode(update.type, {
      versionInfo: error === undefined ? update.version : this.#store.version(update.type),
      responseNonce: update.nonce,
      ...(error !== undefined && { errorDetail: { code: NACK_CODE, message: error } }),
    });
  }

  #encode(type: XdsTypeName, init: MessageInitShape<typeof DiscoveryRequestSchema>): Uint8Array {
    const node = this.#nodeSent ? {} : { node: this.#node };
    this.#nodeSent = true;
    const names = this.#subscribed.get(type);
    return toBinary(
      DiscoveryRequestSchema,
      create(DiscoveryRequestSchema, {
        responseNonce: this.#nonces.get(type) ?? "",
        ...init,
        ...node,
        typeUrl: XDS_TYPES[type],
        resourceNames: names === undefined || names === "*" ? [] : [...names],
      }),
    );
  }
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name));
}
