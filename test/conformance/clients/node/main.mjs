// What programs on @kubernetes/client-node ask of an API server, one step after the other.
// Usage: KUBECONFIG=... node main.mjs NAMESPACE IMAGE, where a container of IMAGE serves HTTP on port 9090.
import assert from "node:assert/strict";
import net from "node:net";
import { PassThrough, Readable, Writable } from "node:stream";
import * as k8s from "@kubernetes/client-node";

const [namespace, image] = process.argv.slice(2);
const PATIENCE_MS = 30_000;
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);

const steps = {
  "objects, and what is wrong with them": async () => {
    await core.createNamespace({ body: { metadata: { name: namespace } } });
    await until(() => core.readNamespacedServiceAccount({ name: "default", namespace }).catch(() => undefined));
    await assert.rejects(core.createNamespace({ body: { metadata: { name: namespace } } }), (error) => error.code === 409);
    await assert.rejects(
      core.readNamespacedPod({ name: "none", namespace }),
      (error) => error.code === 404 && JSON.parse(error.body).message === 'pods "none" not found',
    );
    await core.createNamespacedPod({
      namespace,
      body: { metadata: { name: "serving" }, spec: { containers: [{ name: "main", image, env: [{ name: "MESSAGE", value: "served" }] }] } },
    });
  },
  pages: async () => {
    for (let i = 0; i < 7; i++) await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: `page-${i}`, labels: { of: "pages" } } } });
    const names = [];
    let next;
    do {
      const page = await core.listNamespacedConfigMap({ namespace, labelSelector: "of=pages", limit: 3, _continue: next });
      names.push(...page.items.map(({ metadata }) => metadata.name));
      next = page.metadata._continue;
    } while (next);
    assert.deepEqual(
      names,
      Array.from({ length: 7 }, (_, i) => `page-${i}`),
    );
  },
  informer: async () => {
    const seen = [];
    const informer = k8s.makeInformer(
      config,
      `/api/v1/namespaces/${namespace}/configmaps`,
      () => core.listNamespacedConfigMap({ namespace, labelSelector: "of=informer" }),
      "of=informer",
    );
    for (const event of ["add", "update", "delete"]) informer.on(event, ({ metadata, data }) => seen.push(`${event} ${metadata.name} ${data?.k}`));
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "seen", labels: { of: "informer" } }, data: { k: "1" } } });
    await core.patchNamespacedConfigMap(
      { name: "seen", namespace, body: { data: { k: "2" } } },
      k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.MergePatch),
    );
    await core.deleteNamespacedConfigMap({ name: "seen", namespace });
    await until(() => seen.length >= 3);
    await informer.stop();
    assert.deepEqual(seen, ["add seen 1", "update seen 2", "delete seen 2"]);
  },
  "a watch, and one of a version that is gone": async () => {
    const watch = new k8s.Watch(config);
    const events = [];
    const request = await watch.watch(
      `/api/v1/namespaces/${namespace}/pods`,
      { allowWatchBookmarks: true },
      (type, object) => events.push(`${type} ${object.metadata.name}`),
      () => {},
    );
    await until(() => events.includes("ADDED serving"));
    request.abort();
  },
  "server-side apply": async () => {
    const objects = k8s.KubernetesObjectApi.makeApiClient(config);
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "applied", namespace }, data: { k: "1" } };
    await objects.patch(body, undefined, undefined, "one", true, k8s.PatchStrategy.ServerSideApply);
    await assert.rejects(
      objects.patch({ ...body, data: { k: "2" } }, undefined, undefined, "two", false, k8s.PatchStrategy.ServerSideApply),
      (error) => error.code === 409 && /conflict with "one"/.test(JSON.parse(error.body).message),
    );
    assert.equal((await objects.read(body)).data.k, "1");
  },
  "a deployment and its scale": async () => {
    await apps.createNamespacedDeployment({
      namespace,
      body: {
        metadata: { name: "web" },
        spec: {
          replicas: 1,
          selector: { matchLabels: { app: "web" } },
          template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image }] } },
        },
      },
    });
    const scale = await apps.readNamespacedDeploymentScale({ name: "web", namespace });
    await apps.replaceNamespacedDeploymentScale({ name: "web", namespace, body: { ...scale, metadata: { name: "web", namespace }, spec: { replicas: 2 } } });
    await until(async () => (await apps.readNamespacedDeployment({ name: "web", namespace })).status?.availableReplicas === 2);
  },
  exec: async () => {
    await until(async () =>
      (await core.readNamespacedPod({ name: "serving", namespace })).status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
    );
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const texts = Promise.all([textOf(stdout), textOf(stderr)]);
    const status = await new Promise((resolve, reject) => {
      new k8s.Exec(config)
        .exec(namespace, "serving", "main", ["sh", "-c", "head -c 5; echo error >&2; exit 3"], stdout, stderr, Readable.from(["hello"]), false, resolve)
        .catch(reject);
    });
    stdout.end();
    stderr.end();
    assert.deepEqual(await texts, ["hello", "error\n"]);
    assert.equal(status.details.causes[0].message, "3");
  },
  "port-forward": async () => {
    const forward = new k8s.PortForward(config);
    const server = net.createServer((socket) => void forward.portForward(namespace, "serving", [9090], socket, null, socket));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
    assert.match(await answer.text(), /served/);
    server.close();
  },
  logs: async () => {
    let text = "";
    const request = await new k8s.Log(config).log(namespace, "serving", "main", new Writable({ write: (chunk, _, done) => done(void (text += chunk)) }), {
      follow: true,
      tailLines: 1,
    });
    await until(() => text.includes("\n"));
    request.abort();
  },
  metrics: async () => {
    await until(async () =>
      (await new k8s.Metrics(config).getPodMetrics(namespace).catch(() => ({ items: [] }))).items.some(({ metadata }) => metadata.name === "serving"),
    );
  },
};

async function until(look) {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (await look()) return;
  }
  throw new Error(`it did not happen within ${PATIENCE_MS / 1000} s: ${look}`);
}

async function textOf(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}

for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log("ok", name);
  } catch (error) {
    console.log("FAILED", `${name}:`, error);
    process.exit(1);
  }
}
process.exit(0);
