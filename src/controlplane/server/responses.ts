import { create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema, ResourceSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import type { XdsResource } from "../xds/types.ts";

export interface ResponseHead {
  typeUrl: string;
  /** `<time>/<counter>`, as Istio's. */
  version: string;
  nonce: string;
  /** JSON that says which control plane answered; only istioctl's types carry it. */
  identifier?: string;
}

/** A DiscoveryResponse, encoded. */
export function encodeSotw(head: ResponseHead, resources: readonly XdsResource[]): Uint8Array {
  const { version: versionInfo, typeUrl, nonce } = head;
  return concat(resources, sotwFrames, sotwFrame, toBinary(DiscoveryResponseSchema, create(DiscoveryResponseSchema, { versionInfo, typeUrl, nonce, ...controlPlane(head) })));
}

/** A DeltaDiscoveryResponse, encoded. */
export function encodeDelta(head: ResponseHead, changed: readonly XdsResource[], removed: readonly string[]): Uint8Array {
  const { version: systemVersionInfo, typeUrl, nonce } = head;
  const rest = create(DeltaDiscoveryResponseSchema, { systemVersionInfo, typeUrl, nonce, removedResources: [...removed], ...controlPlane(head) });
  return concat(changed, deltaFrames, deltaFrame, toBinary(DeltaDiscoveryResponseSchema, rest));
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
  return toBinary(DiscoveryResponseSchema, create(DiscoveryResponseSchema, { resources: [create(AnySchema, { typeUrl, value })] }));
}

function deltaFrame({ name, version, typeUrl, value }: XdsResource): Uint8Array {
  const resource = create(ResourceSchema, { name, version, resource: create(AnySchema, { typeUrl, value }) });
  return toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, { resources: [resource] }));
}

function concat(resources: readonly XdsResource[], frames: Frames, encode: (resource: XdsResource) => Uint8Array, rest: Uint8Array): Uint8Array {
  if (resources.length === 0) return rest;
  const parts = resources.map((resource) => {
    let frame = frames.get(resource);
    if (!frame) frames.set(resource, (frame = encode(resource)));
    return frame;
  });
  return Buffer.concat([...parts, rest]);
}

function controlPlane({ identifier }: ResponseHead): { controlPlane?: { identifier: string } } {
  return identifier === undefined ? {} : { controlPlane: { identifier } };
}
