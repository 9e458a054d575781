import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JsonValue } from "@bufbuild/protobuf";
import { connect as tlsConnect } from "node:tls";
import type { Signer } from "../pki/index.ts";
import { makeRoot, makeWorkload } from "./test-support/certificates.ts";
import { eventually } from "./test-support/collectors.ts";
import { applyGolden, readGolden, readListener, type GoldenCases, type GoldenNode } from "./test-support/golden.ts";
import { get, exchange } from "./test-support/http-exchange.ts";
import { Sidecar, TestSecrets } from "./test-support/sidecar.ts";

const WEB_API = "spiffe://cluster.local/ns/istioinaction/sa/web-api";
const SLEEP = "spiffe://cluster.local/ns/istioinaction/sa/sleep";
const POD = "10.244.1.11:8081";
const SERVICE = { address: "10.96.125.31", port: 8080 };

let golden: GoldenCases;
let root: Signer;
let app: ReturnType<typeof Bun.serve>;
const seen: Headers[] = [];
const running: Sidecar[] = [];

beforeAll(async () => {
  golden = readGolden();
  root = await makeRoot();
  app = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      seen.push(request.headers);
      return Response.json({ path: new URL(request.url).pathname });
    },
  });
});
afterAll(() => {
  for (const sidecar of running) sidecar.dataPlane.stop();
  void app.stop(true);
});

const node = (name: string, which: string): GoldenNode => golden[name]?.[which] as GoldenNode;
const listenerOf = (from: GoldenNode, name: string): JsonValue => from.lds.find((json) => (json as { name: string }).name === name) as JsonValue;

async function sidecar(id: string, from: GoldenNode, spiffeId: string, signer = root): Promise<Sidecar> {
  const made = new Sidecar({
    id,
    metadata: from.metadata,
    secrets: new TestSecrets({ default: await makeWorkload(signer, spiffeId), ROOTCA: { trustedCaPem: signer.certificate.pem } }),
  });
  running.push(made);
  await applyGolden(made.dataPlane, from);
  return made;
}

/** sleep's sidecar calls web-api's: two data planes and the application behind. */
async function mesh(options: { client?: string; server?: string; clientRoot?: Signer; serverId?: string } = {}): Promise<{ client: Sidecar; server: Sidecar }> {
  const server = await sidecar(
    "sidecar~10.244.1.11~web-api-1.istioinaction~istioinaction.svc.cluster.local",
    node(options.server ?? "permissive", "web-api"),
    options.serverId ?? WEB_API,
  );
  const client = await sidecar(
    "sidecar~10.244.1.14~sleep-1.istioinaction~istioinaction.svc.cluster.local",
    node(options.client ?? "permissive", "sleep"),
    SLEEP,
    options.clientRoot,
  );
  server.sockets.place(POD, () => app.port as number);
  client.sockets.place(POD, () => server.port("virtualInbound"), server.sockets);
  return { client, server };
}

const callService = (client: Sidecar, path = "/hello", headers: { [name: string]: string } = {}) => {
  client.sockets.expect(SERVICE);
  return get(client.port("virtualOutbound"), path, "web-api:8080", headers);
};

const callPod = (server: Sidecar, request = "GET /hello HTTP/1.1\r\nHost: 10.244.1.11:8081\r\n\r\n") => {
  server.sockets.expect({ address: "10.244.1.11", port: 8081 });
  return exchange(server.port("virtualInbound"), request);
};

describe("resources of a real istiod", () => {
  test("are taken as they are, in every case and for every node", async () => {
    for (const [name, nodes] of Object.entries(golden)) {
      for (const [which, from] of Object.entries(nodes)) {
        const proxy = new Sidecar({ id: `sidecar~${name}~${which}`, metadata: from.metadata });
        await applyGolden(proxy.dataPlane, from);
        expect(proxy.dataPlane.clusters()).toHaveLength(from.cds.length);
        expect(proxy.dataPlane.listeners()).toHaveLength(from.lds.length);
        const { eds, rds, secrets } = proxy.dataPlane.referenced();
        expect(eds.sort()).toEqual(from.eds.map((json) => (json as { clusterName: string }).clusterName).sort());
        expect(rds.sort()).toEqual(from.rds.map((json) => (json as { name: string }).name).sort());
        expect(secrets).toContain("ROOTCA");
        proxy.dataPlane.stop();
      }
    }
  }, 30_000);

  test("listeners wait for their secrets, and serve as soon as they come", async () => {
    const proxy = new Sidecar({ id: "sidecar~a~b~c", metadata: {} });
    running.push(proxy);
    await applyGolden(proxy.dataPlane, node("strict-mesh", "web-api"));
    const state = () => proxy.dataPlane.listeners().find((each) => each.name === "virtualInbound")?.state;
    expect(state()).toBe("warming");
    proxy.secrets.set("default", await makeWorkload(root, WEB_API));
    expect(state()).toBe("warming");
    proxy.secrets.set("ROOTCA", { trustedCaPem: root.certificate.pem });
    expect(state()).toBe("active");
  });
});

describe("sidecar to sidecar", () => {
  test("mutual TLS, Istio's headers, both access logs", async () => {
    const { client, server } = await mesh();
    seen.length = 0;
    const response = await callService(client);
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({ server: "envoy" });
    expect(response.headers["x-envoy-upstream-service-time"]).toMatch(/^\d+$/);
    expect(response.headers["x-envoy-peer-metadata"]).toBeUndefined();
    expect(response.headers["x-envoy-decorator-operation"]).toBeUndefined();
    const headers = seen[0] as Headers;
    expect(headers.get("x-forwarded-proto")).toBe("http");
    expect(headers.get("x-envoy-attempt-count")).toBe("1");
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get("x-forwarded-client-cert")).toMatch(new RegExp(`^By=${WEB_API};Hash=[0-9a-f]{64};Subject="";URI=${SLEEP}$`));
    for (const name of ["x-envoy-peer-metadata", "x-envoy-peer-metadata-id", "x-envoy-decorator-operation"]) expect(headers.has(name)).toBe(false);
    expect(server.sockets.connects.at(-1)).toEqual({ target: { address: "10.244.1.11", port: 8081 }, bindAddress: "127.0.0.6" });
    const id = headers.get("x-request-id");
    expect(client.log.at(-1)).toMatch(
      new RegExp(
        `^\\[\\d{4}-.*Z\\] "GET /hello HTTP/1.1" 200 - via_upstream - "-" 0 17 \\d+ \\d+ "-" "-" "${id}" "web-api:8080" "10.244.1.11:8081" outbound\\|8080\\|\\|web-api.istioinaction.svc.cluster.local 127.0.0.1:\\d+ 10.96.125.31:8080 127.0.0.1:\\d+ - default$`,
      ),
    );
    expect(server.log.at(-1)).toMatch(
      new RegExp(
        `"GET /hello HTTP/1.1" 200 - via_upstream - "-" 0 17 \\d+ \\d+ "-" "-" "${id}" "web-api:8080" "10.244.1.11:8081" inbound\\|8081\\|\\| 127.0.0.6:\\d+ 10.244.1.11:8081 127.0.0.1:\\d+ outbound_.8080_._.web-api.istioinaction.svc.cluster.local default$`,
      ),
    );
  });

  test("metrics on both sides know both workloads and their principals", async () => {
    const { client, server } = await mesh();
    await callService(client);
    const ends = {
      source_workload: "sleep",
      source_canonical_service: "sleep",
      source_workload_namespace: "istioinaction",
      destination_workload: "web-api",
      destination_canonical_revision: "v1",
      destination_service: "web-api.istioinaction.svc.cluster.local",
      destination_service_name: "web-api",
      destination_service_namespace: "istioinaction",
      source_principal: SLEEP,
      destination_principal: WEB_API,
      request_protocol: "http",
      response_code: "200",
      response_flags: "-",
    };
    expect(server.metric("istio_requests_total", { reporter: "destination", connection_security_policy: "mutual_tls", ...ends })).toBe(1);
    expect(client.metric("istio_requests_total", { reporter: "source", connection_security_policy: "unknown", ...ends })).toBe(1);
    expect(server.metric("istio_request_duration_milliseconds_count", ends)).toBe(1);
    expect(client.metric("istio_response_bytes_sum", ends)).toBeGreaterThan(17);
  });

  test("a connection is kept for the next request", async () => {
    const { client, server } = await mesh();
    await callService(client);
    await callService(client);
    const [host] = client.dataPlane.clusters().find((each) => each.name === "outbound|8080||web-api.istioinaction.svc.cluster.local")?.hosts ?? [];
    expect(host?.stats).toMatchObject({ rqTotal: 2, rqSuccess: 2, cxTotal: 1, cxActive: 1 });
    expect(server.log).toHaveLength(2);
  });

  test("a server that is not who it should be gets nothing, and the client says why", async () => {
    const { client, server } = await mesh({ serverId: "spiffe://cluster.local/ns/istioinaction/sa/other" });
    seen.length = 0;
    const response = await callService(client);
    expect(response.status).toBe(503);
    expect(response.body).toBe("upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure");
    expect(client.log.at(-1)).toContain(
      "503 URX,UF upstream_reset_before_response_started{remote_connection_failure|TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_SAN_matcher,_certificate_SANs_are_[spiffe://cluster.local/ns/istioinaction/sa/other]:TLS_error_end}",
    );
    expect(seen).toHaveLength(0);
    expect(server.log).toHaveLength(0);
  });

  test("a client of another root is refused", async () => {
    const { client, server } = await mesh({ clientRoot: await makeRoot() });
    seen.length = 0;
    expect((await callService(client)).status).toBe(503);
    expect(client.log.at(-1)).toContain("CERTIFICATE_VERIFY_FAILED");
    expect(seen).toHaveLength(0);
    expect(server.dataPlane.prometheus()).not.toContain("istio_requests_total");
  });
});

describe("plaintext", () => {
  test("PERMISSIVE lets it in without a client certificate's header", async () => {
    const { server } = await mesh();
    seen.length = 0;
    const response = await callPod(server);
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({ server: "istio-envoy", "x-envoy-decorator-operation": "web-api.istioinaction.svc.cluster.local:8080/*" });
    expect(seen[0]?.has("x-forwarded-client-cert")).toBe(false);
    expect(server.metric("istio_requests_total", { connection_security_policy: "none", source_workload: "unknown", source_principal: "unknown" })).toBe(1);
    expect(server.metric("chainmail_plaintext_connections_total", { source_ip: "127.0.0.1", destination_port: "8081" })).toBe(1);
  });

  test("STRICT resets it, and says so in log and metrics", async () => {
    const { server } = await mesh({ server: "strict-mesh" });
    seen.length = 0;
    const response = await callPod(server);
    expect(response).toMatchObject({ end: "reset", raw: "" });
    expect(seen).toHaveLength(0);
    expect(server.log.at(-1)).toMatch(
      /^\[.*\] "- - -" 0 NR filter_chain_not_found - "-" 0 0 \d+ - "-" "-" "-" "-" "-" - - 10\.244\.1\.11:8081 127\.0\.0\.1:\d+ - -$/,
    );
    expect(server.metric("chainmail_refused_connections_total", { source_ip: "127.0.0.1", destination_port: "8081", reason: "filter_chain_not_found" })).toBe(
      1,
    );
    expect(server.metric("chainmail_plaintext_connections_total")).toBe(0);
  });

  test("STRICT goes on serving mutual TLS", async () => {
    const { client } = await mesh({ server: "strict-mesh" });
    expect((await callService(client)).status).toBe(200);
  });

  test("a DestinationRule without TLS against STRICT fails as Envoy's does", async () => {
    const { client, server } = await mesh({ client: "dr-tls-disable", server: "strict-mesh" });
    client.sockets.place("10.244.1.12:8080", () => {
      server.sockets.expect({ address: "10.244.1.11", port: 8081 });
      return server.port("virtualInbound");
    });
    client.sockets.expect({ address: "10.96.154.45", port: 8080 });
    const response = await get(client.port("virtualOutbound"), "/hello", "recommendation:8080");
    expect(response.status).toBe(503);
    expect(response.body).toBe("upstream connect error or disconnect/reset before headers. reset reason: connection termination");
    expect(client.log.at(-1)).toContain("503 UC upstream_reset_before_response_started{connection_termination} - ");
    expect(server.log.at(-1)).toContain("NR filter_chain_not_found");
  });
});

describe("a policy change", () => {
  test("to STRICT ends open plaintext connections and leaves mutual TLS alone", async () => {
    const { client, server } = await mesh();
    const idle = new Promise<string>((resolve) => {
      server.sockets.expect({ address: "10.244.1.11", port: 8081 });
      let answered = false;
      void Bun.connect({
        hostname: "127.0.0.1",
        port: server.port("virtualInbound"),
        socket: {
          open: (socket) => void socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
          data: async () => {
            if (answered) return;
            answered = true;
            server.dataPlane.setListener(await readListener(listenerOf(node("strict-mesh", "web-api"), "virtualInbound")));
          },
          close: () => resolve(answered ? "closed after the change" : "closed before"),
          error: () => {},
        },
      });
    });
    await callService(client);
    expect(await idle).toBe("closed after the change");
    expect(server.metric("chainmail_plaintext_connections_active")).toBe(0);
    expect(server.metric("chainmail_refused_connections_total", { reason: "policy_changed" })).toBe(1);
    expect((await callPod(server)).end).toBe("reset");
    expect((await callService(client)).status).toBe(200);
    const [host] = client.dataPlane.clusters().find((each) => each.name.includes("||web-api."))?.hosts ?? [];
    expect(host?.stats).toMatchObject({ cxTotal: 1, rqTotal: 2 });
  });

  test("of authorization judges the next request on an open connection", async () => {
    const { client, server } = await mesh();
    expect((await callService(client, "/hello")).status).toBe(200);
    server.dataPlane.setListener(await readListener(listenerOf(node("authz-allow-principal", "web-api"), "virtualInbound")));
    expect((await callService(client, "/")).status).toBe(200);
    const denied = await callService(client, "/hello");
    expect(denied).toMatchObject({ status: 403, body: "RBAC: access denied" });
    expect(server.log.at(-1)).toMatch(/ 403 - rbac_access_denied_matched_policy\[none\] - "-" 0 19 \d+ - .* "-" inbound\|8081\|\| - 10\./);
    const [host] = client.dataPlane.clusters().find((each) => each.name.includes("||web-api."))?.hosts ?? [];
    expect(host?.stats.cxTotal).toBe(1);
  });
});

describe("tokens", () => {
  test("a bad one is refused in Envoy's words, a missing one is left to the policy", async () => {
    const { server } = await mesh({ server: "jwt" });
    const bad = await callPod(server, "GET /hello HTTP/1.1\r\nHost: web-api:8080\r\nAuthorization: Bearer abc\r\n\r\n");
    expect(bad).toMatchObject({ status: 401, body: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections" });
    expect(bad.headers["www-authenticate"]).toBe('Bearer realm="http://web-api:8080/hello", error="invalid_token"');
    expect(server.log.at(-1)).toContain("401 - jwt_authn_access_denied{Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections} - ");
    expect(await callPod(server)).toMatchObject({ status: 403, body: "RBAC: access denied" });
  });
});

describe("rotation", () => {
  test("of leaf and root under requests that go on", async () => {
    const { client, server } = await mesh();
    expect((await callService(client)).status).toBe(200);
    const next = await makeRoot();
    const both = { trustedCaPem: root.certificate.pem + next.certificate.pem };
    for (const each of [client, server]) each.secrets.set("ROOTCA", both);
    server.secrets.set("default", await makeWorkload(next, WEB_API));
    client.secrets.set("default", await makeWorkload(next, SLEEP));
    expect((await callService(client)).status).toBe(200);
    for (const each of [client, server]) each.secrets.set("ROOTCA", { trustedCaPem: next.certificate.pem });
    // The pooled connection stands; a new one is made under the new root.
    expect((await Promise.all([callService(client), callService(client)])).map((each) => each.status)).toEqual([200, 200]);
    const [host] = client.dataPlane.clusters().find((each) => each.name.includes("||web-api."))?.hosts ?? [];
    expect(host?.stats.cxTotal).toBeGreaterThan(1);
  });
});

describe("ingress gateway", () => {
  const HOST = "istioinaction.io";

  async function gateway(): Promise<{ port: number; gateway: Sidecar; server: Sidecar; ca: string }> {
    const { server } = await mesh({ server: "strict-mesh" });
    const from = node("gateway-https", "gateway");
    const made = new Sidecar({
      id: "router~10.244.0.3~istio-ingressgateway-1.istio-system~istio-system.svc.cluster.local",
      metadata: from.metadata,
      secrets: new TestSecrets({
        default: await makeWorkload(root, "spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"),
        ROOTCA: { trustedCaPem: root.certificate.pem },
      }),
    });
    running.push(made);
    await applyGolden(made.dataPlane, from);
    expect(made.dataPlane.listeners().map((each) => each.state)).toEqual(["warming"]);
    const web = await makeRoot("lab");
    made.secrets.set("kubernetes://istioinaction-cert", await makeWorkload(web, "", { dnsNames: [HOST] }));
    made.sockets.place(POD, () => server.port("virtualInbound"), server.sockets);
    return { port: made.port("0.0.0.0_8443"), gateway: made, server, ca: web.certificate.pem };
  }

  const call = (port: number, ca: string, servername: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = tlsConnect({ host: "127.0.0.1", port, servername, ca, ALPNProtocols: ["http/1.1"] }, () =>
        socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}:8443\r\nConnection: close\r\n\r\n`),
      );
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.on("error", (error: Error & { code?: string }) => resolve(`error ${error.code}`));
      socket.on("close", () => resolve(text));
    });

  test("serves the secret's certificate for its host and goes on by mutual TLS", async () => {
    const { port, gateway: proxy, server, ca } = await gateway();
    seen.length = 0;
    const text = await call(port, ca, HOST);
    expect(text).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(text).toContain("server: istio-envoy\r\n");
    const headers = seen[0] as Headers;
    expect(headers.get("x-forwarded-proto")).toBe("https");
    expect(headers.get("x-envoy-external-address")).toBe("127.0.0.1");
    expect(headers.get("x-forwarded-client-cert")).toContain("URI=spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account");
    expect(proxy.log.at(-1)).toContain(`"${HOST}:8443" "10.244.1.11:8081" outbound|8080||web-api.istioinaction.svc.cluster.local`);
    expect(proxy.log.at(-1)).toEndWith(` ${HOST} -`);
    // Behind the gateway the client is who the gateway says, without a port.
    expect(server.log.at(-1)).toContain(` ${headers.get("x-forwarded-for")}:0 outbound_.8080_._.web-api.istioinaction.svc.cluster.local default`);
  });

  test("knows no other host", async () => {
    const { port, gateway: proxy, ca } = await gateway();
    expect(await call(port, ca, "other.io")).toStartWith("error");
    expect(proxy.log.at(-1)).toContain("NR filter_chain_not_found");
  });
});

describe("traffic that no listener is for", () => {
  test("passes through to where it was going", async () => {
    const { client } = await mesh();
    client.sockets.place("192.0.2.7:9999", () => app.port as number);
    client.sockets.expect({ address: "192.0.2.7", port: 9999 });
    const response = await get(client.port("virtualOutbound"), "/outside", "example.com");
    expect(response.status).toBe(200);
    expect(response.headers["server"]).toBeUndefined();
    await Bun.sleep(20);
    expect(client.log.at(-1)).toContain('"- - -" 0 - - - "-"');
    expect(client.log.at(-1)).toContain('"192.0.2.7:9999" PassthroughCluster ');
    expect(client.metric("istio_tcp_connections_opened_total", { destination_service_name: "PassthroughCluster" })).toBe(1);
  });

  test("sent to the proxy itself ends in the black hole", async () => {
    const { client } = await mesh();
    client.sockets.expect({ address: "10.244.1.14", port: 15001 });
    const response = await get(client.port("virtualOutbound"), "/", "a");
    expect(response.raw).toBe("");
  });

  test("inbound TCP of an unknown port is relayed, with the peers' metadata exchanged", async () => {
    const { client, server } = await mesh();
    const echo = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (socket, chunk) => void socket.write(chunk) } });
    // An opaque port of web-api, reached through the mutual TLS cluster of a TCP service.
    const from = node("permissive", "sleep");
    const cluster = JSON.parse(
      JSON.stringify(from.cds.find((json) => (json as { name: string }).name === "outbound|8080||web-api.istioinaction.svc.cluster.local")),
    ) as { name: string };
    cluster.name = "PassthroughCluster";
    await applyGolden(client.dataPlane, { cds: [cluster as unknown as JsonValue] });
    server.sockets.place("10.244.1.11:7000", () => echo.port);
    client.sockets.place(POD, () => {
      server.sockets.expect({ address: "10.244.1.11", port: 7000 });
      return server.port("virtualInbound");
    });
    client.sockets.expect({ address: "10.244.1.11", port: 7000 });
    const answer = await exchange(client.port("virtualOutbound"), "hello\n", { waitMs: 400 });
    expect(answer.raw).toBe("hello\n");
    const ends = {
      source_workload: "sleep",
      destination_workload: "web-api",
      source_principal: SLEEP,
      destination_principal: WEB_API,
      request_protocol: "tcp",
    };
    // Counted when the connection ends, which each proxy sees in its own time.
    await eventually(
      () => server.metric("istio_tcp_received_bytes_total", { reporter: "destination", connection_security_policy: "mutual_tls", ...ends }) === 6,
      "the server's proxy counts",
    );
    await eventually(() => client.metric("istio_tcp_sent_bytes_total", { reporter: "source", ...ends }) === 6, "the client's proxy counts");
    echo.stop(true);
  });
});
