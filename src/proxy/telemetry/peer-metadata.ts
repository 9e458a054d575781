import { fromBinary, fromJson, toBinary, toJson, type JsonObject } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import type { NodeIdentity } from "../types.ts";

/** What Istio's metrics say of a workload at either end. Empty: not known. */
export interface PeerMetadata {
  readonly workload: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly app: string;
  readonly version: string;
}

export const ID_HEADER = "x-envoy-peer-metadata-id";
export const METADATA_HEADER = "x-envoy-peer-metadata";

/** The size of a Struct with a few labels is some 300 bytes: what is far larger is no peer's. */
const MAX_ENCODED = 16 * 1024;
/** Istio's own limit for this cache. */
const MAX_PEERS = 500;

/** Reads a workload from a node's metadata (Istio's NAME, NAMESPACE, LABELS, …). */
export function fromNodeMetadata(metadata: { readonly [key: string]: unknown }): PeerMetadata {
  const labels = metadata["LABELS"];
  const label = (name: string): string => text((typeof labels === "object" && labels !== null ? (labels as Record<string, unknown>) : {})[name]);
  return {
    workload: text(metadata["WORKLOAD_NAME"]),
    namespace: text(metadata["NAMESPACE"]),
    cluster: text(metadata["CLUSTER_ID"]),
    canonicalName: label("service.istio.io/canonical-name"),
    canonicalRevision: label("service.istio.io/canonical-revision"),
    app: label("app"),
    version: label("version"),
  };
}

/** The Struct that Istio's proxies exchange for a node: only what metrics use. */
export function exchangedStruct(metadata: { readonly [key: string]: unknown }): JsonObject {
  const own = fromNodeMetadata(metadata);
  const labels: JsonObject = {};
  const put = (into: JsonObject, key: string, value: string): void => {
    if (value !== "") into[key] = value;
  };
  put(labels, "app", own.app);
  put(labels, "service.istio.io/canonical-name", own.canonicalName);
  put(labels, "service.istio.io/canonical-revision", own.canonicalRevision);
  put(labels, "version", own.version);
  const struct: JsonObject = {};
  put(struct, "CLUSTER_ID", own.cluster);
  if (Object.keys(labels).length > 0) struct["LABELS"] = labels;
  put(struct, "NAME", text(metadata["NAME"]));
  put(struct, "NAMESPACE", own.namespace);
  put(struct, "OWNER", text(metadata["OWNER"]));
  put(struct, "WORKLOAD_NAME", own.workload);
  return struct;
}

/** Encodes and decodes what travels in the headers (and, on TCP, in the first bytes) between two sidecars. */
export class PeerExchange {
  readonly ownId: string;
  /** Base64 of the Struct. */
  readonly ownHeader: string;
  readonly ownStruct: JsonObject;
  readonly #peers = new Map<string, PeerMetadata>();

  constructor(node: NodeIdentity) {
    this.ownId = node.id;
    this.ownStruct = exchangedStruct(node.metadata);
    this.ownHeader = Buffer.from(toBinary(StructSchema, fromJson(StructSchema, this.ownStruct))).toString("base64");
  }

  /** The peer behind a header's value, or undefined when it is none. Equal ids are decoded once. */
  read(id: string | undefined, encoded: string): PeerMetadata | undefined {
    const key = id ?? encoded;
    const known = this.#peers.get(key);
    if (known) return known;
    if (encoded.length > MAX_ENCODED) return undefined;
    let peer: PeerMetadata;
    try {
      peer = fromStruct(toJson(StructSchema, fromBinary(StructSchema, Buffer.from(encoded, "base64"))));
    } catch {
      // Bytes of a peer that we cannot read say nothing: its traffic is not worse for it.
      return undefined;
    }
    if (this.#peers.size >= MAX_PEERS) this.#peers.clear();
    this.#peers.set(key, peer);
    return peer;
  }
}

export function fromStruct(json: unknown): PeerMetadata {
  return fromNodeMetadata(typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {});
}

/** An endpoint's own word: `workload;namespace;canonical name;revision;cluster` in its metadata, as istiod writes it. */
export function fromEndpointMetadata(value: unknown): PeerMetadata | undefined {
  if (typeof value !== "string") return undefined;
  const [workload = "", namespace = "", canonicalName = "", canonicalRevision = "", cluster = ""] = value.split(";");
  return { workload, namespace, cluster, canonicalName, canonicalRevision, app: "", version: "" };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
