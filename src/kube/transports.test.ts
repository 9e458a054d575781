import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { httpsTransport } from "./https-transport.ts";
import { inClusterOptions } from "./in-cluster.ts";
import { loadKubeconfig } from "./kubeconfig.ts";

const dir = mkdtempSync(join(tmpdir(), "kube-"));
afterAll(() => rmSync(dir, { recursive: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

const CONFIG = `
current-context: lab
contexts:
- name: lab
  context: {cluster: c, user: cert, namespace: istioinaction}
- name: other
  context: {cluster: c, user: token}
- name: broken
  context: {cluster: nowhere, user: cert}
- name: plugin
  context: {cluster: c, user: exec}
clusters:
- name: c
  cluster: {server: "https://127.0.0.1:6443", certificate-authority: ca.pem}
users:
- name: cert
  user: {client-certificate-data: ${btoa("CERT")}, client-key-data: ${btoa("KEY")}}
- name: token
  user: {token: T}
- name: exec
  user: {exec: {command: aws}}
`;

test("kubeconfig: contexts, files beside it, inline data", async () => {
  const path = write("config", CONFIG);
  write("ca.pem", "CA");
  expect(await loadKubeconfig(path)).toEqual({
    context: "lab",
    cluster: "c",
    namespace: "istioinaction",
    connection: { server: "https://127.0.0.1:6443", ca: "CA", clientCert: "CERT", clientKey: "KEY" },
  });
  expect(await loadKubeconfig(path, "other")).toMatchObject({ namespace: "default", connection: { token: "T" } });
});

test("kubeconfig: what is wrong is named", async () => {
  const path = write("config", CONFIG);
  await expect(loadKubeconfig(join(dir, "missing"))).rejects.toMatchObject({ code: "KUBECONFIG_UNREADABLE" });
  await expect(loadKubeconfig(path, "nope")).rejects.toThrow('it has no context "nope" (it has "lab", "other", "broken", "plugin")');
  await expect(loadKubeconfig(path, "broken")).rejects.toThrow('it has no cluster "nowhere"');
  await expect(loadKubeconfig(path, "plugin")).rejects.toThrow("credential plugin");
  await expect(loadKubeconfig(write("text", "- : {"))).rejects.toMatchObject({ code: "KUBECONFIG_INVALID" });
});

test("a pod's connection, and its token read again when the file changes", async () => {
  for (const [name, text] of [
    ["ca.crt", "CA"],
    ["token", "one\n"],
    ["namespace", "lab"],
  ] as const)
    write(name, text);
  const env = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
  expect(inClusterOptions(env, dir)).toMatchObject({ server: "https://10.96.0.1:443", ca: "CA", namespace: "lab" });
  expect(() => inClusterOptions({}, dir)).toThrow("does not run in a pod");
  const seen: (string | null)[] = [];
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => (seen.push(request.headers.get("authorization")), new Response("{}")) });
  const transport = httpsTransport({ server: `http://127.0.0.1:${server.port}`, tokenFile: join(dir, "token") });
  await transport("/api");
  write("token", "two\n");
  utimesSync(join(dir, "token"), new Date(), new Date(Date.now() + 5000));
  await transport("/api");
  expect(seen).toEqual(["Bearer one", "Bearer two"]);
  server.stop(true);
});
