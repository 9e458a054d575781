import { encode } from "../../proto/index.ts";
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { partsOf } from "../xds/joined-list.ts";
import type { XdsResource } from "../xds/types.ts";

export interface ResponseHead {
  typeUrl: string;
  /** `<time>/<counter>`, as Istio's. */
  version: string;
  nonce: string;
  /** JSON that says which control plane answered; only istioctl's types carry it. */
  identifier?: string;
}

/** An encoded response as the parts that it consists of: whoever sends it copies them once, to where they go out from. */
export class EncodedResponse {
  readonly byteLength: number;

  constructor(private readonly parts: readonly Uint8Array[]) {
    this.byteLength = parts.reduce((sum, part) => sum + part.length, 0);
  }

  copy(target: Uint8Array, start: number): void {
    let at = start;
    for (const part of this.parts) {
      target.set(part, at);
      at += part.length;
    }
  }

  /** In one piece. */
  bytes(): Uint8Array {
    const whole = new Uint8Array(this.byteLength);
    this.copy(whole, 0);
    return whole;
  }
}

/** A DiscoveryResponse. */
export function encodeSotw(head: ResponseHead, resources: readonly XdsResource[]): EncodedResponse {
  const { version: versionInfo, typeUrl, nonce } = head;
  return new EncodedResponse([...sotwFrames.of(resources), encode(DiscoveryResponseSchema, { versionInfo, typeUrl, nonce, ...controlPlane(head) })]);
}

/** A DeltaDiscoveryResponse. */
export function encodeDelta(head: ResponseHead, changed: readonly XdsResource[], removed: readonly string[]): EncodedResponse {
  const { version: systemVersionInfo, typeUrl, nonce } = head;
  const rest = encode(DeltaDiscoveryResponseSchema, { systemVersionInfo, typeUrl, nonce, removedResources: [...removed], ...controlPlane(head) });
  return new EncodedResponse([...deltaFrames.of(changed), rest]);
}

/** Parts of lists that are shorter are copied one by one. */
const SHORT_LIST = 32;

/**
 * Resources as they stand in a response, field number and length included. The same resource goes to many clients, so it
 * is put into its frame once; and since fields of a message may come in any order and in parts, a response is the frames
 * of its resources one after the other, and then the rest. Of a list that goes out a second time the frames are put into
 * one piece: thousands of small copies cost more than everything else that a further client does.
 */
class Frames {
  readonly #frames = new WeakMap<XdsResource, Uint8Array>();
  readonly #seen = new WeakSet<readonly XdsResource[]>();
  readonly #joined = new WeakMap<readonly XdsResource[], Uint8Array>();

  constructor(private readonly make: (resource: XdsResource) => Uint8Array) {}

  of(resources: readonly XdsResource[]): Uint8Array[] {
    return partsOf(resources).flatMap((part) => this.#ofPart(part));
  }

  #ofPart(part: readonly XdsResource[]): Uint8Array[] {
    const joined = this.#joined.get(part);
    if (joined) return [joined];
    const frames = part.map((resource) => this.#frame(resource));
    if (part.length < SHORT_LIST) return frames;
    if (this.#seen.has(part)) return [this.#join(part, frames)];
    this.#seen.add(part);
    return frames;
  }

  #frame(resource: XdsResource): Uint8Array {
    let frame = this.#frames.get(resource);
    if (!frame) this.#frames.set(resource, (frame = this.make(resource)));
    return frame;
  }

  /** From then on the piece holds each frame too, so that none is kept twice. */
  #join(part: readonly XdsResource[], frames: readonly Uint8Array[]): Uint8Array {
    const joined = new EncodedResponse(frames).bytes();
    let at = 0;
    for (const [index, resource] of part.entries()) {
      const end = at + (frames[index]?.length ?? 0);
      this.#frames.set(resource, joined.subarray(at, end));
      at = end;
    }
    this.#joined.set(part, joined);
    return joined;
  }
}

const sotwFrames = new Frames(({ typeUrl, value }) => encode(DiscoveryResponseSchema, { resources: [{ typeUrl, value }] }));
const deltaFrames = new Frames(({ name, version, typeUrl, value }) =>
  encode(DeltaDiscoveryResponseSchema, { resources: [{ name, version, resource: { typeUrl, value } }] }),
);

function controlPlane({ identifier }: ResponseHead): { controlPlane?: { identifier: string } } {
  return identifier === undefined ? {} : { controlPlane: { identifier } };
}
