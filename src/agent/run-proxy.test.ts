import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/index.ts";
import { ClusterSchema } from "../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ListenerSchema } from "../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from "../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { SecretSchema } from "../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { packAny, unpackAny, XDS_TYPES } from "../proto/index.ts";
import type { DataPlaneApi, DataPlaneDeps } from "../proxy/data-plane.ts";
import { GrpcClient, unixDial } from "../proxy/grpc/index.ts";
import { parseCertificate } from "../pki/index.ts";
import { agentOptions } from "./options.ts";
import { runProxy, type RunningProxy } from "./run-proxy.ts";
import { TestControlPlane } from "./test-control-plane.ts";

/** Stands where the data plane will: it remembers names, so that what is around it can be tested alone. */
function fakeDataPlane(deps: DataPlaneDeps): DataPlaneApi {
  const listeners: string[] = [];
  return {
    setCluster() {},
    removeCluster() {},
    setEndpoints() {},
    setListener: (listener) => void listeners.push(listener.name),
    removeListener() {},
    setRouteConfiguration() {},
    removeRouteConfiguration() {},
    referenced: () => ({ eds: [], rds: [], secrets: ["default", "ROOTCA"], extensions: [] }),
    clusters: () => [],
    listeners: () => listeners.map((name) => ({ name, addresses: [{ address: "0.0.0.0", port: 1 }], state: "active" as const, openConnections: 0 })),
    prometheus: () => `# TYPE istio_requests_total counter\nistio_requests_total{pod="${deps.node.metadata.NAME as string}"} 3\n`,
    drain: () => Promise.resolve(),
    stop() {},
  };
}

const folder = mkdtempSync(join(tmpdir(), "agent-"));
const at = (name: string): string => join(folder, name);
let plane: TestControlPlane;
let running: RunningProxy;
const [adminPort, statusPort] = [freePort(), freePort()];

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

beforeAll(async () => {
  plane = await TestControlPlane.start("a-token");
  mkdirSync(at("pod"));
  writeFileSync(at("token"), "a-token\n");
  writeFileSync(at("root-cert.pem"), plane.root.pem);
  writeFileSync(at("pod/labels"), 'app="web"\nversion="v1"\npod-template-hash="abc"\n');
  writeFileSync(at("pod/annotations"), 'istio.io/rev="default"\nnote="two\\nlines"\n');
  const options = agentOptions(
    ["sidecar", "--domain", "ns1.svc.cluster.local", "--proxyLogLevel=off", "--log_output_level=default:none"],
    {
      POD_NAME: "web-1",
      POD_NAMESPACE: "ns1",
      INSTANCE_IP: "127.0.0.1",
      SERVICE_ACCOUNT: "web",
      CA_ADDR: `localhost:${plane.ads.port}`,
      PROXY_CONFIG: `discoveryAddress: localhost:${plane.ads.port}\nproxyAdminPort: ${adminPort}\nstatusPort: ${statusPort}\n`,
      ISTIO_META_CLUSTER_ID: "Kubernetes",
      ISTIO_META_WORKLOAD_NAME: "web",
      ISTIO_META_POD_PORTS: '[\n    {"containerPort":8081,"protocol":"TCP"}\n]',
      ISTIO_META_INTERCEPTION_MODE: "REDIRECT",
    },
    { token: at("token"), rootCert: at("root-cert.pem"), revocations: at("crl.pem"), workloadSocket: at("sds"), podInfo: at("pod"), configFolder: at("proxy") },
  );
  running = runProxy(options, fakeDataPlane, [process.execPath, join(import.meta.dir, "main.ts"), "print-config-dump"]);
});
afterAll(async () => {
  running.terminate();
  await running.done;
  plane.ads.stop();
  rmSync(folder, { recursive: true });
});

const status = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${statusPort}${path}`, init);
const admin = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${adminPort}${path}`, init);

test("an agent gets its certificate, describes its node as Istio's does, and is ready after the first configuration", async () => {
  expect((await status("/healthz/ready")).status).toBe(503);
  await plane.ads.until(() => plane.ads.requests.length >= 2);
  const node = plane.ads.requests[0]?.node;
  expect(node?.id).toBe("sidecar~127.0.0.1~web-1.ns1~ns1.svc.cluster.local");
  expect(node?.cluster).toBe("web.ns1");
  expect(node?.metadata).toMatchObject({
    ANNOTATIONS: { "istio.io/rev": "default", note: "two\nlines" },
    CLUSTER_ID: "Kubernetes",
    ENVOY_PROMETHEUS_PORT: 15090,
    ENVOY_STATUS_PORT: 15021,
    INTERCEPTION_MODE: "REDIRECT",
    LABELS: { app: "web", version: "v1" },
    NAME: "web-1",
    NAMESPACE: "ns1",
    PILOT_SAN: ["localhost"],
    POD_PORTS: '[{"containerPort":8081,"protocol":"TCP"}]',
    SERVICE_ACCOUNT: "web",
    WORKLOAD_NAME: "web",
  });
  expect(JSON.stringify(node?.metadata)).not.toContain("pod-template-hash");
  expect(plane.ads.metadata[0]).toMatchObject({ authorization: "Bearer a-token", clusterid: "Kubernetes" });
  plane.ads.send({ typeUrl: XDS_TYPES.CDS, resources: [{ name: "c", version: "1", resource: packAny(ClusterSchema, { name: "c" }) }] });
  plane.ads.send({ typeUrl: XDS_TYPES.LDS, resources: [{ name: "l", version: "1", resource: packAny(ListenerSchema, { name: "l" }) }] });
  for (let attempt = 0; attempt < 100 && (await status("/healthz/ready")).status !== 200; attempt++) await Bun.sleep(10);
  expect((await status("/healthz/ready")).status).toBe(200);
  expect(await (await admin("/ready")).text()).toBe("LIVE\n");
  expect(await (await admin("/listeners")).text()).toContain("l::0.0.0.0:1\n");
});

test("the secrets page has the certificate and hides the key; the child process prints it", async () => {
  const body = await (await admin("/config_dump?mask=dynamic_active_secrets")).text();
  const dump = JSON.parse(body) as {
    configs: {
      dynamic_active_secrets: {
        name: string;
        secret: { tls_certificate?: { certificate_chain: { inline_bytes: string }; private_key: { inline_bytes: string } } };
      }[];
    }[];
  };
  const [own, root] = dump.configs[0]?.dynamic_active_secrets ?? [];
  expect([root?.name, own?.name]).toEqual(["ROOTCA", "default"]);
  const tls = own?.secret.tls_certificate;
  expect(Buffer.from(tls?.private_key.inline_bytes ?? "", "base64").toString()).toBe("[redacted]");
  const leaf = parseCertificate(Buffer.from(tls?.certificate_chain.inline_bytes ?? "", "base64").toString());
  expect(leaf.uris).toEqual(["spiffe://cluster.local/ns/ns1/sa/web"]);
  const certs = (await (await admin("/certs")).json()) as { certificates: { cert_chain: { serial_number: string }[] }[] };
  expect(certs.certificates[0]?.cert_chain[0]?.serial_number).toBe(leaf.serialNumber);
});

test("the whole dump names the node, the static resources and what the control plane sent", async () => {
  const dump = (await (await admin("/config_dump?include_eds")).json()) as { configs: Record<string, unknown>[] };
  expect(dump.configs.map((config) => String(config["@type"]).split(".").at(-1))).toEqual([
    "BootstrapConfigDump",
    "ClustersConfigDump",
    "EndpointsConfigDump",
    "ListenersConfigDump",
    "ScopedRoutesConfigDump",
    "RoutesConfigDump",
    "SecretsConfigDump",
  ]);
  const text = JSON.stringify(dump);
  expect(text).toContain('"name":"xds-grpc"');
  expect(text).toContain('"name":"0.0.0.0_15021"');
  expect(text).not.toContain("PRIVATE KEY");
});

test("metrics of proxy and agent come together, and filters of the admin page keep whole families", async () => {
  const merged = await (await status("/stats/prometheus")).text();
  expect(merged).toContain('istio_requests_total{pod="web-1"} 3\n');
  expect(merged).toMatch(/istio_agent_cert_expiry_seconds\{resource_name="default"\} 86\d{3}/);
  expect(merged).toContain("envoy_server_live{} 1\n");
  expect(await (await admin("/stats/prometheus?filter=server_live")).text()).toBe("# TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n");
  expect(await (await admin("/stats?filter=^cluster_manager.cds")).text()).toBe(
    "cluster_manager.cds.update_attempt: 1\ncluster_manager.cds.update_rejected: 0\ncluster_manager.cds.update_success: 1\n",
  );
});

test("a real Envoy would get the same secrets over the Unix socket", async () => {
  const client = await GrpcClient.connect({ dial: unixDial(at("sds")), authority: "sds", scheme: "http", clock: systemClock });
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const stream = client.stream("envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets", [], { message: resolve, closed() {} });
  stream.send(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { typeUrl: XDS_TYPES.SDS, resourceNames: ["default"] })));
  const response = fromBinary(DiscoveryResponseSchema, await promise);
  const secret = unpackAny(SecretSchema, response.resources[0]);
  expect(secret?.name).toBe("default");
  expect(secret?.type.case).toBe("tlsCertificate");
  client.close();
});

test("what changes things takes POST only, and only from the pod itself", async () => {
  expect((await status("/quitquitquit")).status).toBe(405);
  expect((await status("/drain")).status).toBe(405);
  expect((await admin("/quitquitquit")).status).toBe(405);
  expect(await (await admin("/logging")).text()).toBe("Method GET not allowed, POST required.");
  expect(await (await admin("/logging?level=debug", { method: "POST" })).text()).toContain("  admin: debug\n");
  expect((await admin("/logging?nobody=debug", { method: "POST" })).status).toBe(400);
  expect((await admin("/logging?level=off", { method: "POST" })).status).toBe(200);
  expect((await admin("/healthcheck/fail", { method: "POST" })).status).toBe(200);
  expect((await status("/healthz/ready")).status).toBe(503);
  await admin("/healthcheck/ok", { method: "POST" });
  expect((await status("/healthz/ready")).status).toBe(200);
});
