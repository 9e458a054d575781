import { fromBinary } from "@bufbuild/protobuf";
import type { Node } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { DeltaDiscoveryRequestSchema, DiscoveryRequestSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { XdsError } from "./errors.ts";
import type { DeltaRequest, SotwRequest } from "./watch.ts";

export type Protocol = "sotw" | "delta";

/** A request of either protocol; `node` comes with the first one at least. */
export type XdsRequest = { node: Node | undefined } & (({ protocol: "sotw" } & SotwRequest) | ({ protocol: "delta" } & DeltaRequest));

/** Decodes what a client sent. Throws XDS_INVALID_REQUEST. */
export function decodeRequest(protocol: Protocol, bytes: Uint8Array): XdsRequest {
  try {
    if (protocol === "sotw") {
      const { node, typeUrl, resourceNames, responseNonce, errorDetail } = fromBinary(DiscoveryRequestSchema, bytes);
      return { protocol, node, typeUrl: named(typeUrl), resourceNames, responseNonce, error: errorDetail?.message };
    }
    const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
    return {
      protocol,
      node: request.node,
      typeUrl: named(request.typeUrl),
      subscribe: request.resourceNamesSubscribe,
      unsubscribe: request.resourceNamesUnsubscribe,
      initialVersions: request.initialResourceVersions,
      responseNonce: request.responseNonce,
      error: request.errorDetail?.message,
    };
  } catch (cause) {
    if (cause instanceof XdsError) throw cause;
    throw new XdsError("XDS_INVALID_REQUEST", "the discovery request cannot be decoded", { cause });
  }
}

function named(typeUrl: string): string {
  if (typeUrl === "") throw new XdsError("XDS_INVALID_REQUEST", "the discovery request names no type");
  return typeUrl;
}
