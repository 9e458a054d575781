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
  return toBinary(
    DiscoveryResponseSchema,
    create(DiscoveryResponseSchema, {
      versionInfo: head.version,
      typeUrl: head.typeUrl,
      nonce: head.nonce,
      resources: resources.map(({ typeUrl, value }) => create(AnySchema, { typeUrl, value })),
      ...(head.identifier === undefined ? {} : { controlPlane: { identifier: head.identifier } }),
    }),
  );
}

/** A DeltaDiscoveryResponse, encoded. */
export function encodeDelta(head: ResponseHead, changed: readonly XdsResource[], removed: readonly string[]): Uint8Array {
  return toBinary(
    DeltaDiscoveryResponseSchema,
    create(DeltaDiscoveryResponseSchema, {
      systemVersionInfo: head.version,
      typeUrl: head.typeUrl,
      nonce: head.nonce,
      resources: changed.map(({ name, version, typeUrl, value }) => create(ResourceSchema, { name, version, resource: create(AnySchema, { typeUrl, value }) })),
      removedResources: [...removed],
      ...(head.identifier === undefined ? {} : { controlPlane: { identifier: head.identifier } }),
    }),
  );
}
