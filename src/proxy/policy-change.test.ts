import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Signer } from "../pki/index.ts";
import { rawServer, type Backend } from "./test-support/backends.ts";
import { makeRoot, makeWorkload } from "./test-support/certificates.ts";
import { responses } from "./test-support/churn/messages.ts";
import { Peer } from "./test-support/churn/peer.ts";
import { cluster, configure, forward, httpListener, listener, tcpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar, TestSecrets } from "./test-support/sidecar.ts";

/** A change binds at once: also on requests and connections that are under way. A real Envoy lets them go on for its drain time. */

const SOON_MS = 1000;
const CLIENT = "spiffe://cluster.local/ns/a/sa/client";
const backends: Backend[] = [];
const proxies: Sidecar[] = [];
let root: Signer;

beforeAll(async () => {
  root = await makeRoot();
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  for (const backend of backends) backend.stop();
});

function backend(handler: Parameters<typeof rawServer>[0]): number {
  const made = rawServer(handler);
  backends.push(made);
  return made.port;
}

async function start(listeners: JsonObject[], port: number, secrets = new TestSecrets()): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "n", secrets });
  proxies.push(proxy);
  await configure(proxy.dataPlane, { clusters: [cluster("c", [port])], listeners });
  return proxy;
}

const deny = (prefix: string): JsonObject => ({
  name: "rbac",
  typedConfig: typed("envoy.extensions.filters.http.rbac.v3.RBAC", {
    rules: { action: "DENY", policies: { p: { permissions: [{ urlPath: { path: { prefix } } }], principals: [{ any: true }] } } },
  }),
});
/** Network rules that let everybody connect, or nobody. */
const networkRbac = (allowed: boolean): JsonObject => ({
  name: "rbac",
  typedConfig: typed("envoy.extensions.filters.network.rbac.v3.RBAC", {
    statPrefix: "tcp.",
    rules: { policies: allowed ? { p: { permissions: [{ any: true }], principals: [{ any: true }] } } : {} },
  }),
});

describe("authorization", () => {
  const http = (filters: JsonObject[]): JsonObject =>
    httpListener("l", { filters, routes: [forward("/", "c")], hcm: { upgradeConfigs: [{ upgradeType: "websocket" }] } });

  test("ends a request that waits for its answer, and lets its neighbours go on", async () => {
    const port = backend({
      data: (socket, chunk) => void (chunk.includes("/fine") && setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), 150)),
    });
    const proxy = await start([http([])], port);
    const [refused, fine] = [await Peer.open(proxy.port("l")), await Peer.open(proxy.port("l"))];
    refused.write("GET /secret HTTP/1.1\r\nHost: a\r\n\r\n");
    fine.write("GET /fine HTTP/1.1\r\nHost: a\r\n\r\n");
    await Bun.sleep(50);
    await configure(proxy.dataPlane, { listeners: [http([deny("/secret")])] });
    expect(await refused.until((received) => responses(received).length > 0, SOON_MS)).toBe("fulfilled");
    expect(responses(refused.received)).toEqual([403]);
    expect(await fine.until((received) => responses(received).length > 0, SOON_MS)).toBe("fulfilled");
    expect(responses(fine.received)).toEqual([200]);
    expect(proxy.log.filter((line) => line.includes("rbac_access_denied_matched_policy[p]"))).toHaveLength(1);
    refused.end();
    fine.end();
  });

  test("ends a WebSocket", async () => {
    const port = backend({ data: (socket) => void socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n") });
    const proxy = await start([http([])], port);
    const peer = await Peer.open(proxy.port("l"));
    peer.write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    await peer.until((received) => received.includes(" 101 "), SOON_MS);
    await configure(proxy.dataPlane, { listeners: [http([deny("/other")])] });
    expect(await peer.until(() => false, 100)).toBe("late");
    await configure(proxy.dataPlane, { listeners: [http([deny("/ws")])] });
    expect(await peer.until(() => false, SOON_MS)).toBe("ended");
    peer.end();
  });

  test("ends a TCP connection", async () => {
    const proxy = await start([tcpListener("l", "c", [networkRbac(true)])], backend({ data: (socket, chunk) => void socket.write(chunk) }));
    const peer = await Peer.open(proxy.port("l"));
    peer.write("ping");
    expect(await peer.until((received) => received.length === 4, SOON_MS)).toBe("fulfilled");
    await configure(proxy.dataPlane, { listeners: [tcpListener("l", "c", [networkRbac(false)])] });
    expect(await peer.until(() => false, SOON_MS)).toBe("ended");
    expect(proxy.metric("chainmail_refused_connections_total", { reason: "policy_changed" })).toBe(1);
    peer.end();
  });
});

describe("who may connect", () => {
  const secure = (san: string, requireClientCertificate: boolean): JsonObject =>
    httpListener("l", {
      routes: [{ match: { prefix: "/" }, directResponse: { status: 200 } }],
      chain: {
        transportSocket: {
          name: "tls",
          typedConfig: typed("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
            requireClientCertificate,
            commonTlsContext: {
              tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: { ads: {} } }],
              combinedValidationContext: {
                defaultValidationContext: { matchTypedSubjectAltNames: [{ sanType: "URI", matcher: { prefix: san } }] },
                validationContextSdsSecretConfig: { name: "ROOTCA", sdsConfig: { ads: {} } },
              },
            },
          }),
        },
      },
    });

  test("whoever's certificate the new rules refuse is let go, others stay", async () => {
    const own = await makeWorkload(root, CLIENT);
    const secrets = new TestSecrets({
      default: await makeWorkload(root, "spiffe://cluster.local/ns/a/sa/server"),
      ROOTCA: { trustedCaPem: root.certificate.pem },
    });
    const proxy = await start([secure("spiffe://cluster.local/", false)], 1, secrets);
    const named = await Peer.open(proxy.port("l"), { cert: own.certificateChainPem, key: own.privateKeyPem, rejectUnauthorized: false });
    const nameless = await Peer.open(proxy.port("l"), { rejectUnauthorized: false });
    for (const peer of [named, nameless]) {
      peer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      expect(await peer.until((received) => responses(received).length > 0, SOON_MS)).toBe("fulfilled");
    }
    await configure(proxy.dataPlane, { listeners: [secure("spiffe://cluster.local/", true)] });
    expect(await nameless.until(() => false, SOON_MS)).toBe("ended");
    expect(proxy.metric("chainmail_refused_connections_total", { reason: "policy_changed" })).toBe(1);
    const again = await Peer.open(proxy.port("l"), { cert: own.certificateChainPem, key: own.privateKeyPem, rejectUnauthorized: false });
    again.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await again.until((received) => responses(received).length > 0, SOON_MS)).toBe("fulfilled");
    await configure(proxy.dataPlane, { listeners: [secure("spiffe://elsewhere/", true)] });
    expect(await again.until(() => false, SOON_MS)).toBe("ended");
    expect(proxy.metric("chainmail_refused_connections_total", { reason: "policy_changed" })).toBeGreaterThanOrEqual(2);
    for (const peer of [named, nameless, again]) peer.end();
  });
});

test("connections of chains that an update leaves alone do not notice it", async () => {
  const port = backend({ data: (socket, chunk) => void socket.write(chunk) });
  // By source: the first chain is for us, the second for nobody here.
  const chain = (prefix: string, filters: JsonObject[]): JsonObject => ({
    filterChainMatch: { sourcePrefixRanges: [{ addressPrefix: prefix, prefixLen: 8 }] },
    filters: filters as JsonValue[],
  });
  const proxyOf = (before: JsonObject[]): JsonObject[] => (tcpListener("x", "c", before)["filterChains"] as { filters: JsonObject[] }[])[0]?.filters ?? [];
  const both = (second: JsonObject[]): JsonObject => listener("l", [chain("127.0.0.0", proxyOf([])), chain("10.0.0.0", proxyOf(second))]);
  const proxy = await start([both([networkRbac(true)])], port);
  const peer = await Peer.open(proxy.port("l"));
  for (let i = 1; i <= 5; i++) {
    await configure(proxy.dataPlane, { listeners: [both([networkRbac(i % 2 === 0)])] });
    peer.write("ping");
    expect(await peer.until((received) => received.length === 4 * i, SOON_MS)).toBe("fulfilled");
  }
  expect(proxy.dataPlane.clusters()[0]?.hosts[0]?.stats).toMatchObject({ cxTotal: 1, cxActive: 1 });
  peer.end();
});
