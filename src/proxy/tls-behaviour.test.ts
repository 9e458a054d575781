import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { Signer } from "../pki/index.ts";
import { makeRoot, makeWorkload } from "./test-support/certificates.ts";
import { eventually } from "./test-support/collectors.ts";
import { cluster, configure, forward, httpListener, listener, typed } from "./test-support/plain-config.ts";
import { Sidecar, TestSecrets } from "./test-support/sidecar.ts";
import type { CertificateSecret } from "./types.ts";

/** TLS at the socket, towards clients and servers: what Istio's gateways and sidecars configure, tried with real handshakes. */

const CONTEXT = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const UPSTREAM = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
let root: Signer;
let server: CertificateSecret;
let workload: CertificateSecret;
let foreign: CertificateSecret;
const proxies: Sidecar[] = [];

beforeAll(async () => {
  root = await makeRoot();
  server = await makeWorkload(root, "", { dnsNames: ["gw.example"] });
  workload = await makeWorkload(root, "spiffe://cluster.local/ns/a/sa/b");
  foreign = await makeWorkload(await makeRoot("elsewhere"), "spiffe://elsewhere/ns/a/sa/b");
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
});

const sds = (name: string): JsonObject => ({ name, sdsConfig: { ads: {} } });

interface TlsListener {
  readonly common?: JsonObject;
  readonly context?: JsonObject;
  readonly hcm?: JsonObject;
}

async function start({ common = {}, context = {}, hcm = {} }: TlsListener = {}): Promise<{ port: number; proxy: Sidecar }> {
  const proxy = new Sidecar({ id: "n", secrets: new TestSecrets({ server, ROOT: { trustedCaPem: root.certificate.pem } }) });
  proxies.push(proxy);
  const transportSocket = {
    name: "tls",
    typedConfig: typed(CONTEXT, { commonTlsContext: { tlsCertificateSdsSecretConfigs: [sds("server")], ...common }, ...context }),
  };
  const routes = [
    {
      match: { prefix: "/" },
      directResponse: { status: 200, body: { inlineString: "ok" } },
      responseHeadersToAdd: [{ header: { key: "x-seen-cert", value: "%REQ(x-forwarded-client-cert)%" } }],
    },
  ];
  await configure(proxy.dataPlane, { listeners: [httpListener("l", { routes, hcm, chain: { transportSocket } })] });
  return { port: proxy.port("l"), proxy };
}

interface Outcome {
  readonly text: string;
  readonly protocol: string | null;
  readonly reused: boolean;
  readonly session: Buffer | undefined;
}

/** One request over a connection of its own; rejects when the handshake fails or nothing is answered. */
function ask(port: number, options: ConnectionOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let text = "";
    let session: Buffer | undefined;
    let protocol: string | null = null;
    let reused = false;
    const socket: TLSSocket = connect({ port, host: "127.0.0.1", servername: "gw.example", ca: root.certificate.pem, ...options }, () => {
      protocol = socket.getProtocol();
      reused = socket.isSessionReused();
      socket.write("GET / HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n\r\n");
    });
    socket.on("session", (ticket: Buffer) => (session = ticket));
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.on("error", reject);
    socket.on("close", () => (text === "" ? reject(new Error("closed without an answer")) : resolve({ text, protocol, reused, session })));
  });
}

const clientCertificate = (secret: CertificateSecret): ConnectionOptions => ({ cert: secret.certificateChainPem, key: secret.privateKeyPem });
const validation: JsonObject = { combinedValidationContext: { defaultValidationContext: {}, validationContextSdsSecretConfig: sds("ROOT") } };

describe("versions", () => {
  const params = (limits: JsonObject): TlsListener => ({ common: { tlsParams: limits } });

  test("1.2 and 1.3 are spoken without another word", async () => {
    const { port } = await start();
    expect((await ask(port, { maxVersion: "TLSv1.2" })).protocol).toBe("TLSv1.2");
    expect((await ask(port)).protocol).toBe("TLSv1.3");
  });

  test("limits hold on both ends", async () => {
    const only13 = await start(params({ tlsMinimumProtocolVersion: "TLSv1_3" }));
    await expect(ask(only13.port, { maxVersion: "TLSv1.2" })).rejects.toThrow();
    expect((await ask(only13.port)).protocol).toBe("TLSv1.3");
    const only12 = await start(params({ tlsMaximumProtocolVersion: "TLSv1_2" }));
    expect((await ask(only12.port)).protocol).toBe("TLSv1.2");
    await expect(ask(only12.port, { minVersion: "TLSv1.3" })).rejects.toThrow();
  });

  test("curves: the hybrid of X25519 and ML-KEM alone, and what a client without it gets", async () => {
    const { port } = await start(params({ ecdhCurves: ["X25519MLKEM768"] }));
    expect((await ask(port, { ecdhCurve: "X25519MLKEM768" })).protocol).toBe("TLSv1.3");
    await expect(ask(port, { ecdhCurve: "P-256" })).rejects.toThrow();
    const both = await start(params({ ecdhCurves: ["X25519MLKEM768", "P-256"] }));
    expect((await ask(both.port, { ecdhCurve: "P-256" })).protocol).toBe("TLSv1.3");
  });

  test("cipher suites of 1.2", async () => {
    const { port } = await start(params({ tlsMaximumProtocolVersion: "TLSv1_2", cipherSuites: ["ECDHE-ECDSA-AES256-GCM-SHA384"] }));
    expect((await ask(port, { ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" })).protocol).toBe("TLSv1.2");
    await expect(ask(port, { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" })).rejects.toThrow();
  });
});

describe("sessions", () => {
  test.each(["TLSv1.2", "TLSv1.3"] as const)("a client resumes its own, %s", async (version) => {
    const { port, proxy } = await start();
    const first = await ask(port, { minVersion: version, maxVersion: version });
    expect([first.reused, first.session !== undefined]).toEqual([false, true]);
    expect((await ask(port, { minVersion: version, maxVersion: version, session: first.session as Buffer })).reused).toBe(true);
    expect([proxy.metric("envoy_listener_ssl_handshake"), proxy.metric("envoy_listener_ssl_session_reused")]).toEqual([2, 1]);
  });

  test("a certificate that was shown once counts for the resumed session too", async () => {
    const hcm = { forwardClientCertDetails: "SANITIZE_SET", setCurrentClientCertDetails: { uri: true } };
    const { port } = await start({ common: validation, context: { requireClientCertificate: true }, hcm });
    const first = await ask(port, clientCertificate(workload));
    const second = await ask(port, { ...clientCertificate(workload), session: first.session as Buffer });
    expect([first.reused, second.reused]).toEqual([false, true]);
    expect(second.text).toContain("URI=spiffe://cluster.local/ns/a/sa/b");
  });

  test("the proxy resumes with servers", async () => {
    const { port: behind, proxy: inner } = await start();
    const outer = new Sidecar({ id: "n", secrets: new TestSecrets({ ROOT: { trustedCaPem: root.certificate.pem } }) });
    proxies.push(outer);
    const transportSocket = { name: "tls", typedConfig: typed(UPSTREAM, { sni: "gw.example", commonTlsContext: validation }) };
    // A connection for each request.
    const upstream = cluster("c", [behind], {
      transportSocket,
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
          commonHttpProtocolOptions: { maxRequestsPerConnection: 1 },
          explicitHttpConfig: { httpProtocolOptions: {} },
        }),
      },
    });
    await configure(outer.dataPlane, { clusters: [upstream], listeners: [httpListener("l", { routes: [forward("/", "c")] })] });
    for (let i = 0; i < 3; i++) expect((await fetch(`http://127.0.0.1:${outer.port("l")}/`)).status).toBe(200);
    await eventually(() => outer.metric("envoy_cluster_ssl_session_reused") === 2, "two of three are resumed");
    expect([outer.metric("envoy_cluster_ssl_handshake"), inner.metric("envoy_listener_ssl_session_reused")]).toEqual([3, 2]);
  });
});

describe("client certificates", () => {
  const hcm = { forwardClientCertDetails: "SANITIZE_SET", setCurrentClientCertDetails: { uri: true } };

  test("optional (OPTIONAL_MUTUAL): none is fine, a good one is told, a foreign one is refused", async () => {
    const { port, proxy } = await start({ common: validation, context: { requireClientCertificate: false }, hcm });
    expect((await ask(port)).text).not.toContain("URI=");
    expect((await ask(port, clientCertificate(workload))).text).toContain("URI=spiffe://cluster.local/ns/a/sa/b");
    await expect(ask(port, clientCertificate(foreign))).rejects.toThrow();
    expect(proxy.metric("chainmail_refused_connections_total", { reason: "peer_not_trusted" })).toBe(1);
  });

  test("required (MUTUAL): none and foreign ones are refused", async () => {
    const { port } = await start({ common: validation, context: { requireClientCertificate: true }, hcm });
    await expect(ask(port)).rejects.toThrow();
    await expect(ask(port, clientCertificate(foreign))).rejects.toThrow();
    expect((await ask(port, clientCertificate(workload))).text).toContain("200 OK");
  });

  test("not asked for (SIMPLE): one that is offered is not looked at", async () => {
    const { port } = await start({ hcm });
    expect((await ask(port, clientCertificate(foreign))).text).not.toContain("URI=");
  });
});

test("AUTO_PASSTHROUGH: the server name is the cluster, and the handshake is the backend's", async () => {
  const one = await start();
  const two = await start({ hcm: { serverName: "two" } });
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  const chain = {
    filterChainMatch: { transportProtocol: "tls", serverNames: ["*.mesh"] },
    filters: [
      { name: "sni", typedConfig: typed("envoy.extensions.filters.network.sni_cluster.v3.SniCluster") },
      { name: "tcp", typedConfig: typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", { statPrefix: "t", cluster: "BlackHoleCluster" }) },
    ],
  };
  const tlsInspector = { name: "tls", typedConfig: typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") };
  await configure(proxy.dataPlane, {
    clusters: [cluster("one.mesh", [one.port]), cluster("two.mesh", [two.port])],
    listeners: [listener("l", [chain], { listenerFilters: [tlsInspector] })],
  });
  const through = (servername: string) => ask(proxy.port("l"), { servername, checkServerIdentity: () => undefined });
  expect((await through("one.mesh")).text).toContain("server: envoy");
  expect((await through("two.mesh")).text).toContain("server: two");
  await expect(through("three.mesh")).rejects.toThrow();
  await expect(through("elsewhere.example")).rejects.toThrow();
  expect(proxy.metric("chainmail_refused_connections_total", { reason: "filter_chain_not_found" })).toBe(1);
});
