/**
 * One sidecar as the control plane sees it: it asks for clusters, for their endpoints, for listeners and for their
 * routes, each when it has what names them, and acknowledges all. Answers are not decoded beyond what that needs.
 */
import { create, fromBinary, toBinary, type JsonObject } from "@bufbuild/protobuf";
import { Cluster_DiscoveryType, ClusterSchema } from "../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { NodeSchema } from "../../src/proto/gen/envoy/config/core/v3/base_pb.ts";
import { ListenerSchema } from "../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { HttpConnectionManagerSchema } from "../../src/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../../src/proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { XDS_TYPES } from "../../src/proto/index.ts";
import { GrpcStream } from "./grpc-stream.ts";
import { nowMs } from "./process-figures.ts";
import { podOf } from "./world.ts";

export type Mode = "delta" | "sotw";
export type Short = "CDS" | "EDS" | "LDS" | "RDS";

/** What a proxy subscribes to by name. All proxies see the same mesh, so one answer is decoded for all. */
export interface Names {
  EDS: readonly string[] | undefined;
  RDS: readonly string[] | undefined;
}

/** Told of every answer: its size in bytes, its resources, and when it was whole. */
export type Receipt = (proxy: number, type: Short, bytes: number, resources: number, atMs: number) => void;

const ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const SHORTS = new Map<string, Short>((["CDS", "EDS", "LDS", "RDS"] as const).map((short) => [XDS_TYPES[short], short]));
const NEXT: Partial<Record<Short, Short>> = { CDS: "EDS", EDS: "LDS", LDS: "RDS" };
const ISTIO_VERSION = "1.31.0";
const text = new TextDecoder();

export class SimulatedProxy {
  readonly synced: Promise<void>;
  readonly #stream: GrpcStream;
  readonly #seen = new Set<Short>();
  #resolve: () => void = () => {};

  constructor(
    private readonly index: number,
    private readonly mode: Mode,
    private readonly names: Names,
    private readonly receipt: Receipt,
    onBroken: (reason: string) => void,
  ) {
    this.synced = new Promise((resolve) => (this.#resolve = resolve));
    const method = mode === "delta" ? "DeltaAggregatedResources" : "StreamAggregatedResources";
    this.#stream = new GrpcStream(`${ADS}/${method}`, {
      message: (bytes) => this.#answer(bytes),
      ended: (reason) => {
        onBroken(reason);
        // Whoever waits must not wait for ever; broken streams are counted.
        this.#resolve();
      },
    });
  }

  async connect(port: number): Promise<void> {
    await this.#stream.connect(port);
    this.#subscribe("CDS", true);
  }

  close(): void {
    this.#stream.close();
  }

  #answer(bytes: Uint8Array): void {
    const { typeUrl, nonce, version, resources } = scan(bytes, this.mode);
    const short = SHORTS.get(typeUrl);
    if (!short) return;
    this.receipt(this.index, short, bytes.length, resources, nowMs());
    if (short === "CDS") this.names.EDS ??= edsNames(bytes, this.mode);
    if (short === "LDS") this.names.RDS ??= routeNames(bytes, this.mode);
    this.#acknowledge(short, typeUrl, nonce, version);
    if (this.#seen.has(short)) return;
    this.#seen.add(short);
    const next = NEXT[short];
    if (next) this.#subscribe(next, false);
    else this.#resolve();
  }

  #namesOf(type: Short): readonly string[] {
    return (type === "EDS" || type === "RDS" ? this.names[type] : undefined) ?? [];
  }

  #subscribe(type: Short, first: boolean): void {
    const typeUrl = XDS_TYPES[type];
    const names = [...this.#namesOf(type)];
    const node = first ? { node: nodeOf(this.index) } : {};
    this.#stream.send(
      this.mode === "delta"
        ? toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { ...node, typeUrl, resourceNamesSubscribe: names }))
        : toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { ...node, typeUrl, resourceNames: names })),
    );
  }

  #acknowledge(type: Short, typeUrl: string, responseNonce: string, versionInfo: string): void {
    this.#stream.send(
      this.mode === "delta"
        ? toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce }))
        : toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { typeUrl, responseNonce, versionInfo, resourceNames: [...this.#namesOf(type)] })),
    );
  }
}

function nodeOf(index: number) {
  const { name, namespace, ip, labels, serviceAccount } = podOf(index);
  const workload = labels["app"] ?? "";
  const metadata: JsonObject = {
    NAME: name,
    NAMESPACE: namespace,
    CLUSTER_ID: "Kubernetes",
    INSTANCE_IPS: ip,
    ISTIO_VERSION,
    INTERCEPTION_MODE: "REDIRECT",
    LABELS: labels,
    MESH_ID: "cluster.local",
    NODE_NAME: "node-0",
    OWNER: `kubernetes://apis/apps/v1/namespaces/${namespace}/deployments/${workload}`,
    SERVICE_ACCOUNT: serviceAccount,
    WORKLOAD_NAME: workload,
  };
  return create(NodeSchema, { id: `sidecar~${ip}~${name}.${namespace}~${namespace}.svc.cluster.local`, cluster: `${workload}.${namespace}`, metadata });
}

function edsNames(bytes: Uint8Array, mode: Mode): string[] {
  return valuesOf(bytes, mode)
    .map((value) => fromBinary(ClusterSchema, value))
    .filter(({ clusterDiscoveryType }) => clusterDiscoveryType.case === "type" && clusterDiscoveryType.value === Cluster_DiscoveryType.EDS)
    .map(({ name, edsClusterConfig }) => edsClusterConfig?.serviceName || name);
}

function routeNames(bytes: Uint8Array, mode: Mode): string[] {
  const names = new Set<string>();
  for (const listener of valuesOf(bytes, mode).map((value) => fromBinary(ListenerSchema, value))) {
    for (const { filters } of [...listener.filterChains, ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : [])]) {
      for (const { configType } of filters) {
        if (configType.case !== "typedConfig" || !configType.value.typeUrl.endsWith(HttpConnectionManagerSchema.typeName)) continue;
        const { routeSpecifier } = fromBinary(HttpConnectionManagerSchema, configType.value.value);
        if (routeSpecifier.case === "rds") names.add(routeSpecifier.value.routeConfigName);
      }
    }
  }
  return [...names];
}

function valuesOf(bytes: Uint8Array, mode: Mode): Uint8Array[] {
  const resources =
    mode === "delta"
      ? fromBinary(DeltaDiscoveryResponseSchema, bytes).resources.map(({ resource }) => resource)
      : fromBinary(DiscoveryResponseSchema, bytes).resources;
  return resources.flatMap((resource) => (resource ? [resource.value] : []));
}

/** The fields of a response that a client must know, without looking into its resources. Both protocols number them alike. */
function scan(bytes: Uint8Array, mode: Mode): { typeUrl: string; nonce: string; version: string; resources: number } {
  const found = { typeUrl: "", nonce: "", version: "", resources: 0 };
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("a response is cut short");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      varint();
      continue;
    }
    const length = varint();
    const field = tag >> 3;
    const value = (): string => text.decode(bytes.subarray(at, at + length));
    if (field === 1) found.version = value();
    else if (field === 2) found.resources++;
    else if (field === 4) found.typeUrl = value();
    else if (field === 5) found.nonce = value();
    else if (field === 6 && mode === "delta") found.resources++;
    at += length;
  }
  return found;
}
