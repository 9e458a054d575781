import { encode } from "../../proto/index.ts";
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
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
  return new EncodedResponse([...resources.map((resource) => frameOf(resource, sotwFrames, sotwFrame)), encode(DiscoveryResponseSchema, { versionInfo, typeUrl, nonce, ...controlPlane(head) })]);
}

/** A DeltaDiscoveryResponse. */
export function encodeDelta(head: ResponseHead, changed: readonly XdsResource[], removed: readonly string[]): EncodedResponse {
  const { version: systemVersionInfo, typeUrl, nonce } = head;
  const rest = encode(DeltaDiscoveryResponseSchema, { systemVersionInfo, typeUrl, nonce, removedResources: [...removed], ...controlPlane(head) });
  return new EncodedResponse([...changed.map((resource) => frameOf(resource, deltaFrames, deltaFrame)), rest]);
}

/**
 * Resources as they stand in a response, field number and length included. The same resource goes to many clients, so it
 * is put into its frame once; and since fields of a message may come in any order and in parts, a response is the frames
 * of its resources one after the other, and then the rest.
 */
type Frames = WeakMap<XdsResource, Uint8Array>;
const sotwFrames: Frames = new WeakMap();
const deltaFrames: Frames = new WeakMap();

function sotwFrame({ typeUrl, value }: XdsResource): Uint8Array {
  return encode(DiscoveryResponseSchema, { resources: [{ typeUrl, value }] });
}

function deltaFrame({ name, version, typeUrl, value }: XdsResource): Uint8Array {
  return encode(DeltaDiscoveryResponseSchema, { resources: [{ name, version, resource: { typeUrl, value } }] });
}

function frameOf(resource: XdsResource, frames: Frames, make: (resource: XdsResource) => Uint8Array): Uint8Array {
  let frame = frames.get(resource);
  if (!frame) frames.set(resource, (frame = make(resource)));
  return frame;
}

function controlPlane({ identifier }: ResponseHead): { controlPlane?: { identifier: string } } {
  return identifier === undefined ? {} : { controlPlane: { identifier } };
}
