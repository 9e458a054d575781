import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
let backend: Bun.Server<undefined>;
const dialled: string[] = [];

beforeAll(async () => {
  backend = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) =>
      new Response(`${request.method} ${new URL(request.url).pathname}${new URL(request.url).search} ${await request.text()}`, {
        status: 203,
        headers: { "x-auth": String(request.headers.get("authorization")), "x-mine": String(request.headers.get("x-mine")) },
      }),
  });
  api = await startTestServer({
    dial: async (host, port) => {
      dialled.push(`${host}:${port}`);
      if (port === 1) throw new Error("connect ECONNREFUSED");
      return connect(backend.port as number, "127.0.0.1");
    },
  });
  await api.call("POST", "/api/v1/namespaces/default/serviceaccounts", { body: { metadata: { name: "default" } } });
  await api.call("POST", "/api/v1/namespaces/default/pods", {
    body: { metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "x", ports: [{ containerPort: 8080, name: "web" }] }] } },
  });
  await podIP("10.244.0.9");
  await api.call("POST", "/api/v1/namespaces/default/services", {
    body: { metadata: { name: "s" }, spec: { ports: [{ name: "http", port: 80, targetPort: 8080 }], selector: { a: "b" } } },
  });
});
afterAll(async () => {
  await api.close();
  await backend.stop(true);
});

const podIP = (ip: string) =>
  api.call("PATCH", "/api/v1/namespaces/default/pods/p/status", { body: { status: { podIP: ip, podIPs: [{ ip }] } }, type: "application/merge-patch+json" });
const PODS = "/api/v1/namespaces/default/pods";

test("a request goes to the pod's port without the client's credentials, and its answer comes back", async () => {
  const answer = await api.call("POST", `${PODS}/p/proxy/a%2Fb/c?q=1`, { body: { x: 1 }, headers: { authorization: "Bearer secret", "x-mine": "yes" } });
  expect([answer.status, answer.text]).toEqual([203, 'POST /a%2Fb/c?q=1 {"x":1}']);
  expect([answer.headers.get("x-auth"), answer.headers.get("x-mine")]).toEqual(["null", "yes"]);
  expect((await api.call("GET", `${PODS}/http:p:web/proxy/`)).text).toBe("GET / ");
  expect((await api.call("GET", `${PODS}/p:9000/proxy/`)).status).toBe(203);
  expect(dialled).toEqual(["10.244.0.9:8080", "10.244.0.9:8080", "10.244.0.9:9000"]);
  const redirect = await api.call("GET", `${PODS}/p/proxy`);
  expect([redirect.status, redirect.headers.get("location")]).toEqual([301, `${PODS}/p/proxy/`]);
});

test("what cannot be reached is 503; loopback and link-local addresses are refused", async () => {
  const refused = await api.call("GET", `${PODS}/p:1/proxy/`);
  expect([refused.status, refused.body.message]).toEqual([503, "error trying to reach service: connect ECONNREFUSED"]);
  await podIP("169.254.169.254");
  expect((await api.call("GET", `${PODS}/p/proxy/`)).body).toMatchObject({ code: 400, message: "address not allowed" });
  await podIP("10.244.0.9");
});

test("a service's port is looked up among its ready endpoints", async () => {
  const path = "/api/v1/namespaces/default/services/s:http/proxy/x";
  expect((await api.call("GET", path)).body).toMatchObject({ code: 503, message: 'no endpoints available for service "s"' });
  await api.call("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
    body: {
      metadata: { name: "s-1", labels: { "kubernetes.io/service-name": "s" } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8081, protocol: "TCP" }],
      endpoints: [{ addresses: ["10.244.0.8"], conditions: { ready: false } }, { addresses: ["10.244.0.7"] }],
    },
  });
  expect((await api.call("GET", path)).text).toBe("GET /x ");
  expect(dialled.at(-1)).toBe("10.244.0.7:8081");
  expect((await api.call("GET", "/api/v1/namespaces/default/services/s:90/proxy/")).status).toBe(503);
});
