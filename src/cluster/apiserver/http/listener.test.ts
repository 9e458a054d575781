import { afterAll, beforeAll, expect, test } from "bun:test";
import { statSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import { join } from "node:path";
import tls from "node:tls";
import { gunzipSync } from "node:zlib";
import type { KeyPair } from "../index.ts";
import { writeKubeconfig } from "../index.ts";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
});
afterAll(() => api.close());

interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

function get(path: string, options: { client?: KeyPair; headers?: Record<string, string>; method?: string; body?: string | Buffer } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = https.request(
      {
        host: "127.0.0.1",
        port: api.server.port,
        path,
        method: options.method ?? "GET",
        ca: api.pki.caCert,
        agent: false,
        headers: { ...options.headers, ...(options.body === undefined ? {} : { "content-length": Buffer.byteLength(options.body) }) },
        ...(options.client ? { cert: options.client.cert, key: options.client.key } : {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
      },
    );
    request.on("error", reject);
    request.end(options.body);
  });
}

const json = ({ body }: Reply) => JSON.parse(body.toString()) as { message: string; reason: string; [field: string]: unknown };

test("a client certificate names the user; without one only health and version answer", async () => {
  const whoami = await get("/apis/authentication.k8s.io/v1/selfsubjectreviews", { client: api.pki.admin, method: "POST", body: "{}" });
  expect(whoami.status).toBe(201);
  expect(json(whoami).status).toMatchObject({
    userInfo: {
      username: "kubernetes-admin",
      groups: ["system:masters", "system:authenticated"],
      extra: { "authentication.kubernetes.io/credential-id": [expect.stringMatching(/^X509SHA256=[0-9a-f]{64}$/)] },
    },
  });
  for (const path of ["/healthz", "/livez", "/readyz"]) expect((await get(path)).body.toString()).toBe("ok");
  expect(json(await get("/version"))).toMatchObject({ major: "1", minor: "33", gitVersion: "v1.33.1" });
  const pods = await get("/api/v1/pods");
  expect([pods.status, json(pods).message]).toEqual([
    403,
    'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
  ]);
  const paths = await get("/api");
  expect([paths.status, json(paths).message]).toEqual([403, 'forbidden: User "system:anonymous" cannot get path "/api"']);
  const token = await get("/api/v1/pods", { headers: { authorization: "Bearer nonsense" } });
  expect([token.status, json(token).reason, json(token).message]).toEqual([401, "Unauthorized", "Unauthorized"]);
});

test("a certificate of another authority is as good as none", async () => {
  const other = await startTestServer();
  const pods = await get("/api/v1/pods", { client: other.pki.admin });
  expect([pods.status, json(pods).message]).toEqual([403, expect.stringContaining('User "system:anonymous"')]);
  await other.close();
});

test("users are what the cluster's authority signs, and may do what rules say", async () => {
  const bob = await api.pki.issueClient("bob", ["devs"]);
  const denied = await get("/api/v1/namespaces/default/pods/x", { client: bob });
  expect(json(denied).message).toBe('pods "x" is forbidden: User "bob" cannot get resource "pods" in API group "" in the namespace "default"');
  await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", {
    body: { metadata: { name: "devs" }, roleRef: { kind: "ClusterRole", name: "view" }, subjects: [{ kind: "Group", name: "devs" }] },
  });
  expect((await get("/api/v1/namespaces/default/pods", { client: bob })).status).toBe(200);
  expect((await get("/api/v1/namespaces/default/secrets", { client: bob })).status).toBe(403);
  expect((await get("/api/v1/namespaces/kube-system/pods", { client: bob })).status).toBe(403);
  const log = await get("/api/v1/namespaces/kube-system/pods/x/log", { client: bob });
  expect(json(log).message).toContain('cannot get resource "pods/log"');
});

test("HTTP/2 and 1.1 on one port; the certificate names the API's addresses", async () => {
  const session = http2.connect(`https://127.0.0.1:${api.server.port}`, { ca: api.pki.caCert });
  const stream = session.request({ ":path": "/version" });
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.on("response", (fields: http2.IncomingHttpHeaders) => resolve(fields)));
  expect(String(headers[":status"])).toBe("200");
  expect(headers["cache-control"]).toBe("no-cache, private");
  expect(headers["audit-id"]).toMatch(/^[0-9a-f-]{36}$/);
  stream.resume();
  session.close();
  const names = await new Promise<string | undefined>((resolve) => {
    const socket = tls.connect({ host: "127.0.0.1", port: api.server.port, ca: api.pki.caCert, ALPNProtocols: ["http/1.1"] }, () => {
      resolve(socket.getPeerCertificate().subjectaltname);
      socket.destroy();
    });
  });
  for (const name of ["127.0.0.1", "10.96.0.1", "localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]) expect(names).toContain(name);
});

test("large answers are compressed on request", async () => {
  const data = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, "x".repeat(4000)]));
  await api.call("POST", "/api/v1/namespaces/default/configmaps", { body: { metadata: { name: "large" }, data } });
  const path = "/api/v1/namespaces/default/configmaps/large";
  const plain = await get(path, { client: api.pki.admin });
  const packed = await get(path, { client: api.pki.admin, headers: { "accept-encoding": "gzip" } });
  expect(plain.headers["content-encoding"]).toBeUndefined();
  expect(packed.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
});

test("bodies beyond 3 MiB are refused", async () => {
  const reply = await get("/api/v1/namespaces/default/configmaps", { client: api.pki.admin, method: "POST", body: Buffer.alloc((3 << 20) + 1, 32) });
  expect([reply.status, json(reply).reason]).toEqual([413, "RequestEntityTooLarge"]);
});

test("YAML goes both ways", async () => {
  const reply = await get("/api/v1/namespaces/default/configmaps", {
    client: api.pki.admin,
    method: "POST",
    body: 'metadata:\n  name: yaml\ndata:\n  a: "1"\n',
    headers: { "content-type": "application/yaml", accept: "application/yaml" },
  });
  expect([reply.status, reply.headers["content-type"]]).toEqual([201, "application/yaml"]);
  expect(reply.body.toString()).toContain("data:\n  a: '1'");
});

test("a taken port is named", async () => {
  const outcome = await startTestServer({ port: api.server.port }).then(
    () => "started",
    (error: { code: string }) => error.code,
  );
  expect(outcome).toBe("API_PORT_TAKEN");
});

test("keys and the kubeconfig are private", async () => {
  const path = join(api.directory, "kubeconfig");
  await writeKubeconfig({ path, name: "test", server: "https://127.0.0.1:1", caCert: api.pki.caCert, client: api.pki.admin });
  for (const file of ["kubeconfig", "pki/ca.key", "pki/sa.key", "pki/admin.key", "pki/apiserver.key"]) {
    expect(statSync(join(api.directory, file)).mode & 0o777).toBe(0o600);
  }
});
