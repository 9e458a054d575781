import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, systemClock } from "../../base/index.ts";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  type DeltaDiscoveryResponse,
} from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { WorkloadSchema } from "../../proto/gen/istio/workload/workload_pb.ts";
import { packAny, WORKLOAD_TYPE, XDS_TYPES } from "../../proto/index.ts";
import { GrpcClient, serveGrpcUnix, tcpDial, unixDial, type GrpcStatus } from "../../proxy/grpc/index.ts";
import type { PeerMetadata } from "../../proxy/telemetry/peer-metadata.ts";
import { TestManagementServer } from "../../proxy/xds/test-management-server.ts";
import { WorkloadNames } from "./workload-names.ts";
import { XdsRelay } from "./xds-relay.ts";

const folder = mkdtempSync(join(tmpdir(), "relay-"));
afterAll(() => rmSync(folder, { recursive: true }));

const METHOD = "envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const quiet = createLogger("test", { level: "none" });
const request = (typeUrl: string, more: object = {}): Uint8Array =>
  toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl, ...more }));

/** A relay on a socket in front of a control plane that listens on `port`, and a client in Envoy's place. */
async function world(name: string, port: () => number) {
  const logs: string[] = [];
  const names = new WorkloadNames(systemClock, quiet);
  const relay = new XdsRelay({
    connect: () => GrpcClient.connect({ dial: tcpDial({ host: "127.0.0.1", port: port() }), authority: "istiod", scheme: "http", clock: systemClock }),
    metadata: () => [["authorization", "Bearer t"]],
    agentTypes: [names],
    clock: systemClock,
    random: () => 0,
    log: createLogger("xds", { write: (line) => void logs.push(line) }),
  });
  const server = serveGrpcUnix(join(folder, name), (call) => relay.accept(call));
  const client = await GrpcClient.connect({ dial: unixDial(join(folder, name)), authority: "xds", scheme: "http", clock: systemClock });
  const answers: DeltaDiscoveryResponse[] = [];
  const open = () => {
    const ended = Promise.withResolvers<GrpcStatus>();
    const stream = client.stream(METHOD, [], { message: (bytes) => void answers.push(fromBinary(DeltaDiscoveryResponseSchema, bytes)), closed: ended.resolve });
    return { send: (bytes: Uint8Array) => stream.send(bytes), ended: ended.promise };
  };
  const stop = (): void => {
    relay.stop();
    client.close();
    server.stop();
  };
  return { relay, names, logs, answers, open, stop };
}

async function eventually(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 200 && !condition(); attempt++) await Bun.sleep(5);
  expect(condition()).toBe(true);
}

test("requests and answers pass unchanged; the agent's own type stays with the agent", async () => {
  const plane = await TestManagementServer.start();
  const { names, answers, open, stop, relay } = await world("pass", () => plane.port);
  const envoy = open();
  envoy.send(request(XDS_TYPES.CDS, { node: { id: "me" }, resourceNamesSubscribe: ["*"] }));
  await plane.until(() => plane.requests.length === 1);
  expect(plane.requests[0]).toMatchObject({ typeUrl: XDS_TYPES.CDS, node: { id: "me" }, resourceNamesSubscribe: ["*"] });
  expect(plane.metadata[0]).toMatchObject({ authorization: "Bearer t" });
  const found: (PeerMetadata | undefined)[] = [];
  names.find("10.0.0.9", (peer) => void found.push(peer));
  await plane.until(() => plane.requests.length === 2);
  expect(plane.requests[1]).toMatchObject({ typeUrl: WORKLOAD_TYPE, resourceNamesSubscribe: ["/10.0.0.9"] });
  plane.send({
    typeUrl: WORKLOAD_TYPE,
    resources: [
      {
        name: "/10.0.0.9",
        version: "1",
        resource: packAny(WorkloadSchema, { workloadName: "sleep", namespace: "a", canonicalName: "sleep", canonicalRevision: "v2" }),
      },
    ],
  });
  plane.send({ typeUrl: XDS_TYPES.CDS, resources: [{ name: "c", version: "1", resource: packAny(ClusterSchema, { name: "c" }) }] });
  await eventually(() => answers.length === 1);
  expect(answers[0]).toMatchObject({ typeUrl: XDS_TYPES.CDS, nonce: "n2" });
  expect(found).toMatchObject([{ workload: "sleep", namespace: "a", canonicalRevision: "v2" }]);
  await plane.until(() => plane.requests.some(({ typeUrl, responseNonce }) => typeUrl === WORKLOAD_TYPE && responseNonce === "n1"));
  expect(relay.counts).toMatchObject({ requests: 1, responses: 2, terminations: 0 });
  stop();
  plane.stop();
});

test("without a control plane Envoy waits; when one comes it hears all, and Envoy's next stream asks for workloads again", async () => {
  let port = 1;
  const { names, open, stop, logs, relay } = await world("wait", () => port);
  const envoy = open();
  envoy.send(request(XDS_TYPES.CDS, { node: { id: "me" } }));
  envoy.send(request(XDS_TYPES.LDS));
  await eventually(() => relay.counts.connectionFailures > 1);
  expect(logs.filter((line) => line.includes("control plane lost"))).toHaveLength(1);
  const plane = await TestManagementServer.start();
  port = plane.port;
  await plane.until(() => plane.requests.length === 2);
  expect(plane.requests.map(({ typeUrl }) => typeUrl)).toEqual([XDS_TYPES.CDS, XDS_TYPES.LDS]);
  names.find("10.0.0.1", () => {});
  await plane.until(() => plane.requests.length === 3);

  plane.stop();
  expect((await envoy.ended).code).toBe("UNAVAILABLE");
  const again = await TestManagementServer.start();
  port = again.port;
  open().send(request(XDS_TYPES.CDS, { node: { id: "me" }, initialResourceVersions: { c: "7" } }));
  await again.until(() => again.requests.length === 2);
  expect(again.requests[0]).toMatchObject({ typeUrl: XDS_TYPES.CDS, initialResourceVersions: { c: "7" } });
  expect(again.requests[1]).toMatchObject({ typeUrl: WORKLOAD_TYPE, resourceNamesSubscribe: ["/10.0.0.1"] });
  stop();
  again.stop();
});

test("a call that is not ADS is refused", async () => {
  const { relay, stop } = await world("other", () => 1);
  expect(relay.accept({ method: "envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck", send() {}, end() {} })).toBeUndefined();
  stop();
});
