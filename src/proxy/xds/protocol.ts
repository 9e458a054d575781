import type { Any } from "@bufbuild/protobuf/wkt";
import { XDS_TYPES, type XdsTypeName } from "../../proto/index.ts";

/** What one answer of the control plane says, whichever variant of the protocol carried it. */
export interface XdsUpdate {
  readonly type: XdsTypeName;
  readonly nonce: string;
  /** Version of the whole type. */
  readonly version: string;
  readonly resources: readonly { readonly name: string; readonly version: string; readonly any: Any }[];
  readonly removed: readonly string[];
}

/** Names wanted of a type; "*" is all that there are. */
export type Subscription = ReadonlySet<string> | "*";

/** One variant of the ADS protocol as a state machine of one stream at a time: bytes in, bytes out, no I/O. */
export interface XdsProtocol {
  /** gRPC method. */
  readonly method: string;
  /** A new stream begins: the server knows nothing of us. */
  reset(): void;
  /** The request that makes the server's view of the type `names`; undefined when it is that already. */
  subscribe(type: XdsTypeName, names: Subscription): Uint8Array | undefined;
  /** Throws when the bytes are no answer; undefined when the answer is of a type that we never ask for. */
  receive(bytes: Uint8Array): XdsUpdate | undefined;
  /** ACK, or NACK with the reasons. */
  acknowledge(update: XdsUpdate, error: string | undefined): Uint8Array;
}

const BY_URL = new Map<string, XdsTypeName>(Object.entries(XDS_TYPES).map(([name, url]) => [url, name as XdsTypeName]));

export function typeOfUrl(url: string): XdsTypeName | undefined {
  return BY_URL.get(url);
}

/** google.rpc.Code INTERNAL: what Envoy puts into a NACK. */
export const NACK_CODE = 13;
