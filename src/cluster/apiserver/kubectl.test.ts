import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeKubeconfig } from "./index.ts";
import { startTestServer, type TestServer } from "./testing.ts";

const kubectlPath = process.env.KUBECTL ?? Bun.which("kubectl");

/** What the real client makes of the server: each command of a session once. */
describe.skipIf(!kubectlPath)("kubectl", () => {
  let api: TestServer;
  let folder: string;

  beforeAll(async () => {
    api = await startTestServer();
    folder = join(api.directory, "work");
    mkdirSync(folder);
    await writeKubeconfig({
      path: join(folder, "kubeconfig"),
      name: "test",
      server: `https://127.0.0.1:${api.server.port}`,
      caCert: api.pki.caCert,
      client: api.pki.admin,
      namespace: "lab",
    });
    await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
    await api.call("POST", "/api/v1/namespaces/lab/serviceaccounts", { body: { metadata: { name: "default" } } });
  });
  afterAll(() => api.close());

  async function kubectl(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const child = Bun.spawn([kubectlPath as string, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "", HOME: folder, KUBECONFIG: join(folder, "kubeconfig") },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    return { code, out, err };
  }

  const manifest = (replicas: number, image: string, ports: string) => `
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [${ports}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "${image}", ports: [{containerPort: 8080}]}]}
`;

  test("apply creates, then finds nothing to do, then changes by strategic merge", async () => {
    const file = join(folder, "app.yaml");
    const both = "{name: http, port: 80, targetPort: 8080}, {name: m, port: 9090}";
    writeFileSync(file, manifest(1, "busybox:1", both));
    expect(await kubectl("apply", "-f", file)).toEqual({ code: 0, out: "service/app created\ndeployment.apps/app created\n", err: "" });
    expect((await kubectl("apply", "-f", file)).out).toBe("service/app unchanged\ndeployment.apps/app unchanged\n");
    writeFileSync(file, manifest(2, "busybox:2", "{name: http, port: 80, targetPort: 8080}"));
    const diff = await kubectl("diff", "-f", file);
    expect([diff.code, diff.out]).toEqual([1, expect.stringContaining("+  replicas: 2")]);
    expect((await kubectl("apply", "-f", file)).out).toBe("service/app configured\ndeployment.apps/app configured\n");
    const found = await kubectl(
      "get",
      "deploy,svc",
      "app",
      "-o",
      "jsonpath={.items[0].spec.replicas} {.items[0].spec.template.spec.containers[0].image} {.items[1].spec.ports[*].name}",
    );
    expect(found.out).toBe("2 busybox:2 http");
  });

  test("protobuf bodies: namespaces, secrets, tokens, access reviews", async () => {
    expect((await kubectl("create", "ns", "more")).out).toBe("namespace/more created\n");
    const [secret, token, can] = await Promise.all([
      kubectl("create", "secret", "generic", "s", "--from-literal=k=v"),
      kubectl("create", "token", "default", "--audience=istio-ca"),
      kubectl("auth", "can-i", "create", "pods"),
    ]);
    expect(secret.out).toBe("secret/s created\n");
    expect(token.out.split(".")).toHaveLength(3);
    expect(can.out).toBe("yes\n");
    expect((await api.call("GET", "/api/v1/namespaces/lab/secrets/s")).body).toMatchObject({ type: "Opaque", data: { k: "dg==" } });
  });

  test("tables, label columns, what is missing", async () => {
    const [all, labels, missing] = await Promise.all([kubectl("get", "ns", "-o", "name"), kubectl("get", "svc", "-L", "app"), kubectl("get", "pod", "nope")]);
    expect(all.out).toContain("namespace/lab\n");
    expect(labels.out).toMatch(/^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE +APP\napp +ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP/);
    expect(missing).toEqual({ code: 1, out: "", err: 'Error from server (NotFound): pods "nope" not found\n' });
  });

  test("scale, explain, server-side apply", async () => {
    writeFileSync(join(folder, "cm.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '1'}\n");
    const [scale, explain, apply] = await Promise.all([
      kubectl("scale", "deploy", "app", "--replicas=3"),
      kubectl("explain", "deployment.spec.replicas"),
      kubectl("apply", "--server-side", "-f", "cm.yaml"),
    ]);
    expect(scale.out).toBe("deployment.apps/app scaled\n");
    expect(explain.out).toContain("FIELD: replicas <integer>");
    expect(apply.out).toBe("configmap/c serverside-applied\n");
  });

  test("a watch shows changes; a delete waits until the object is gone", async () => {
    const watching = Bun.spawn([kubectlPath as string, "get", "cm", "c", "-w", "-o", 'jsonpath={.data.a}{"\\n"}'], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "", HOME: folder, KUBECONFIG: join(folder, "kubeconfig") },
      stdout: "pipe",
    });
    const lines = linesOf(watching.stdout);
    expect((await lines.next()).value).toBe("1");
    // kubectl reads the object, and leaves out the first event of the watch that it then begins: a change in between is
    // never shown, by no server. So there are changes until one is.
    const shown = lines.next();
    let changes = 1;
    const changing = setInterval(
      () => void api.call("PATCH", "/api/v1/namespaces/lab/configmaps/c", { body: { data: { a: String(++changes) } }, type: "application/merge-patch+json" }),
      100,
    );
    const { value } = await shown;
    clearInterval(changing);
    expect(Number(value)).toBeWithin(2, changes + 1);
    expect((await kubectl("delete", "cm", "c")).out).toMatch(/^configmap "c" deleted/);
    watching.kill();
  }, 20_000);
});

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
