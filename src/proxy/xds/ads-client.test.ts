import { create } from "@bufbuild/protobuf";
import { afterEach, expect, test } from "bun:test";
import { createLogger, systemClock } from "../../base/index.ts";
import { NodeSchema } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { ClusterSchema, Cluster_DiscoveryType, type Cluster } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { SecretSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { packAny, XDS_TYPES } from "../../proto/index.ts";
import { GrpcClient, tcpDial } from "../grpc/index.ts";
import { InvalidResource, type ListenerSnapshot, type ReferencedNames } from "../types.ts";
import { AdsClient, ConfigApplier, DeltaProtocol, resourceName, SecretStore, SotwProtocol, XdsStore } from "./index.ts";
import { TestManagementServer } from "./test-management-server.ts";

/** Records what it is told; listeners reference the route named like them, EDS clusters themselves. */
class RecordingDataPlane {
  calls: string[] = [];
  eds = new Set<string>();
  names = new Set<string>();
  secrets: string[] = ["default"];
  setCluster(cluster: Cluster): void {
    if (cluster.name.startsWith("bad")) throw new InvalidResource("TEST_BAD", "no such lb policy");
    if (cluster.clusterDiscoveryType.case === "type" && cluster.clusterDiscoveryType.value === Cluster_DiscoveryType.EDS) this.eds.add(cluster.name);
    this.calls.push(`cluster ${cluster.name}`);
  }
  removeCluster(name: string): void {
    this.eds.delete(name);
    this.calls.push(`-cluster ${name}`);
  }
  setEndpoints(assignment: { clusterName: string }): void {
    this.calls.push(`endpoints ${assignment.clusterName}`);
  }
  setListener(listener: { name: string }): void {
    this.names.add(listener.name);
    this.calls.push(`listener ${listener.name}`);
  }
  removeListener(name: string): void {
    this.calls.push(`-listener ${name}`);
  }
  setRouteConfiguration(routes: { name: string }): void {
    this.calls.push(`routes ${routes.name}`);
  }
  removeRouteConfiguration(name: string): void {
    this.calls.push(`-routes ${name}`);
  }
  listeners(): ListenerSnapshot[] {
    return [];
  }
  referenced(): ReferencedNames {
    return { eds: [...this.eds], rds: [...this.names], secrets: this.secrets, extensions: [] };
  }
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function world(variant: "delta" | "sotw" = "delta") {
  let server = await TestManagementServer.start();
  const dataPlane = new RecordingDataPlane();
  const store = new XdsStore();
  const secrets = new SecretStore();
  const logs: string[] = [];
  const log = createLogger("xds", { write: (line) => void logs.push(line) });
  const applier = new ConfigApplier({ dataPlane, store, secrets, providedLocally: (name) => name === "default", clock: systemClock, log });
  const node = create(NodeSchema, { id: "sidecar~10.0.0.1~a.b~b.svc.cluster.local", metadata: { NAMESPACE: "b" } });
  const protocol = variant === "delta" ? new DeltaProtocol(node, store) : new SotwProtocol(node, store, resourceName);
  const { port } = server;
  const client = new AdsClient({
    connect: () => GrpcClient.connect({ dial: tcpDial({ host: "127.0.0.1", port }), authority: "x", scheme: "http", clock: systemClock }),
    metadata: () => [["authorization", "Bearer t"]],
    protocol,
    applier,
    store,
    clock: systemClock,
    random: () => 0,
    log,
  });
  client.start();
  cleanups.push(
    () => client.stop(),
    () => server.stop(),
  );
  return { server, dataPlane, store, secrets, client, logs, restart: async () => (server = await TestManagementServer.start({ port })) };
}

const cds = (name: string, type = Cluster_DiscoveryType.EDS) => ({
  name,
  version: "1",
  resource: packAny(ClusterSchema, { name, clusterDiscoveryType: { case: "type", value: type } }),
});
const eds = (name: string) => ({ name, version: "1", resource: packAny(ClusterLoadAssignmentSchema, { clusterName: name }) });
const lds = (name: string, statPrefix = "") => ({ name, version: "1", resource: packAny(ListenerSchema, { name, statPrefix }) });
const rds = (name: string) => ({ name, version: "1", resource: packAny(RouteConfigurationSchema, { name }) });

test("delta: wildcards first, names as they are referenced, listeners after the endpoints of new clusters", async () => {
  const { server, dataPlane, client, store, secrets } = await world();
  await server.until(() => server.requests.length === 2);
  expect(server.metadata[0]?.authorization).toBe("Bearer t");
  expect(server.requests.map((r) => [r.typeUrl, r.node?.id ?? "", r.resourceNamesSubscribe])).toEqual([
    [XDS_TYPES.CDS, "sidecar~10.0.0.1~a.b~b.svc.cluster.local", []],
    [XDS_TYPES.LDS, "", []],
  ]);
  expect(server.requests[0]?.node?.metadata).toEqual({ NAMESPACE: "b" });

  const first = server.send({ typeUrl: XDS_TYPES.CDS, systemVersionInfo: "v1", resources: [cds("a"), cds("s", Cluster_DiscoveryType.STATIC)] });
  server.send({ typeUrl: XDS_TYPES.LDS, systemVersionInfo: "v1", resources: [lds("l")] });
  await server.until(() => server.requests.some((r) => r.typeUrl === XDS_TYPES.EDS));
  expect(server.requests.find((r) => r.responseNonce === first)?.errorDetail).toBeUndefined();
  expect(dataPlane.calls).toEqual(["cluster a", "cluster s"]);
  expect(client.live).toBe(false);

  server.send({ typeUrl: XDS_TYPES.EDS, systemVersionInfo: "v1", resources: [eds("a")] });
  await server.until(() => server.requests.some((r) => r.typeUrl === XDS_TYPES.RDS));
  expect(dataPlane.calls.slice(2)).toEqual(["endpoints a", "listener l"]);
  expect(server.requests.find((r) => r.typeUrl === XDS_TYPES.RDS)?.resourceNamesSubscribe).toEqual(["l"]);
  expect(client.live).toBe(false);

  const last = server.send({ typeUrl: XDS_TYPES.RDS, systemVersionInfo: "v1", resources: [rds("l")] });
  await server.until(() => server.requests.some((r) => r.responseNonce === last));
  expect(client.live).toBe(true);
  expect(store.version("LDS")).toBe("v1");

  // The agent provides "default"; a gateway's own secret comes over ADS.
  dataPlane.secrets = ["default", "kubernetes://cert"];
  server.send({ typeUrl: XDS_TYPES.LDS, systemVersionInfo: "v2", resources: [lds("l", "changed")] });
  await server.until(() => server.requests.some((r) => r.typeUrl === XDS_TYPES.SDS));
  expect(server.requests.find((r) => r.typeUrl === XDS_TYPES.SDS)?.resourceNamesSubscribe).toEqual(["kubernetes://cert"]);
  const bytes = (text: string) => ({ specifier: { case: "inlineBytes" as const, value: new TextEncoder().encode(text) } });
  const secret = packAny(SecretSchema, {
    name: "kubernetes://cert",
    type: { case: "tlsCertificate", value: { certificateChain: bytes("C"), privateKey: bytes("K") } },
  });
  const nonce = server.send({ typeUrl: XDS_TYPES.SDS, resources: [{ name: "kubernetes://cert", version: "1", resource: secret }] });
  await server.until(() => server.requests.some((r) => r.responseNonce === nonce));
  expect(secrets.get("kubernetes://cert")).toEqual({ certificateChainPem: "C", privateKeyPem: "K" });
});

test("a bad resource is refused by name; the good ones of the same answer and its last good version stay", async () => {
  const { server, dataPlane, store, logs } = await world();
  await server.until(() => server.requests.length === 2);
  const nonce = server.send({
    typeUrl: XDS_TYPES.CDS,
    systemVersionInfo: "v1",
    resources: [cds("bad-one", Cluster_DiscoveryType.STATIC), cds("good", Cluster_DiscoveryType.STATIC)],
  });
  await server.until(() => server.requests.some((r) => r.responseNonce === nonce));
  const answer = server.requests.find((r) => r.responseNonce === nonce);
  expect(answer?.errorDetail?.code).toBe(13);
  expect(answer?.errorDetail?.message).toBe("Error adding/updating cluster(s) bad-one: no such lb policy\n");
  expect(dataPlane.calls).toEqual(["cluster good"]);
  expect(store.get("CDS", "good")?.active?.version).toBe("1");
  expect(store.get("CDS", "bad-one")?.active).toBeUndefined();
  expect(store.get("CDS", "bad-one")?.error?.details).toBe("no such lb policy");
  expect(store.stats("CDS")).toEqual({ updateAttempt: 1, updateSuccess: 0, updateRejected: 1 });
  expect(logs.filter((line) => line.includes("configuration refused"))).toHaveLength(1);
});

test("removals and unchanged resources: only what differs reaches the data plane", async () => {
  const { server, dataPlane } = await world();
  await server.until(() => server.requests.length === 2);
  server.send({ typeUrl: XDS_TYPES.CDS, resources: [cds("a", Cluster_DiscoveryType.STATIC), cds("b", Cluster_DiscoveryType.STATIC)] });
  const nonce = server.send({ typeUrl: XDS_TYPES.CDS, resources: [cds("a", Cluster_DiscoveryType.STATIC)], removedResources: ["b", "unknown"] });
  await server.until(() => server.requests.some((r) => r.responseNonce === nonce));
  expect(dataPlane.calls).toEqual(["cluster a", "cluster b", "-cluster b"]);
});

test("the control plane goes and comes back: nothing is taken down, and the new stream says what is held", async () => {
  const { server, dataPlane, client, logs, restart } = await world();
  await server.until(() => server.requests.length === 2);
  server.send({ typeUrl: XDS_TYPES.CDS, resources: [cds("a")] });
  await server.until(() => server.requests.some((r) => r.typeUrl === XDS_TYPES.EDS));
  server.send({ typeUrl: XDS_TYPES.EDS, resources: [eds("a")] });
  await server.until(() => server.requests.length === 5);
  expect(client.status().connected).toBe(true);
  const calls = [...dataPlane.calls];
  server.stop();
  while (client.status().connected) await Bun.sleep(5);
  expect(logs.filter((line) => line.includes("control plane lost"))).toHaveLength(1);
  const again = await restart();
  await again.until(() => again.requests.length >= 3);
  expect(again.requests.map((r) => [r.typeUrl, r.resourceNamesSubscribe, r.initialResourceVersions])).toEqual([
    [XDS_TYPES.CDS, [], { a: "1" }],
    [XDS_TYPES.LDS, [], {}],
    [XDS_TYPES.EDS, ["a"], { a: "1" }],
  ]);
  expect(again.requests[0]?.node?.id).toContain("sidecar~");
  expect(dataPlane.calls).toEqual(calls);
});

test("state of the world: complete answers remove what they leave out, names travel whole, NACKs keep the version", async () => {
  const { server, dataPlane } = await world("sotw");
  await server.until(() => server.sotwRequests.length === 2);
  server.sendSotw({ typeUrl: XDS_TYPES.CDS, versionInfo: "1", resources: [cds("a").resource, cds("b").resource] });
  await server.until(() => server.sotwRequests.some((r) => r.typeUrl === XDS_TYPES.EDS));
  expect(server.sotwRequests.find((r) => r.typeUrl === XDS_TYPES.EDS)?.resourceNames).toEqual(["a", "b"]);
  const ack = server.sotwRequests.find((r) => r.responseNonce === "n1");
  expect([ack?.versionInfo, ack?.errorDetail]).toEqual(["1", undefined]);
  const nonce = server.sendSotw({ typeUrl: XDS_TYPES.CDS, versionInfo: "2", resources: [cds("a").resource, cds("bad").resource] });
  await server.until(() => server.sotwRequests.some((r) => r.responseNonce === nonce));
  const nack = server.sotwRequests.find((r) => r.responseNonce === nonce);
  expect([nack?.versionInfo, nack?.errorDetail?.message]).toEqual(["1", "Error adding/updating cluster(s) bad: no such lb policy\n"]);
  expect(dataPlane.calls).toEqual(["cluster a", "cluster b", "-cluster b"]);
});
