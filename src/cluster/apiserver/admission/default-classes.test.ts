import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
});
afterAll(() => api.close());

const create = async (path: string, body: object): Promise<{ spec?: Record<string, unknown> }> =>
  (await api.call("POST", path, { body })).body as { spec?: Record<string, unknown> };

test("claims and Ingresses without a class get the default one, if there is one", async () => {
  const claim = (name: string, more: object = {}) =>
    create("/api/v1/namespaces/default/persistentvolumeclaims", {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...more },
    });
  const ingress = (name: string, annotations = {}) =>
    create("/apis/networking.k8s.io/v1/namespaces/default/ingresses", {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name, annotations },
      spec: { defaultBackend: { service: { name: "web", port: { number: 80 } } } },
    });
  expect((await claim("before")).spec?.["storageClassName"]).toBeUndefined();
  expect((await ingress("before")).spec?.["ingressClassName"]).toBeUndefined();
  await create("/apis/storage.k8s.io/v1/storageclasses", {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "slow" },
    provisioner: "example.com/x",
  });
  await create("/apis/storage.k8s.io/v1/storageclasses", {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "fast", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    provisioner: "example.com/x",
  });
  await create("/apis/networking.k8s.io/v1/ingressclasses", {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: "istio", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
    spec: { controller: "istio.io/ingress-controller" },
  });
  expect((await claim("after")).spec?.["storageClassName"]).toBe("fast");
  expect((await claim("none", { storageClassName: "" })).spec?.["storageClassName"]).toBe("");
  expect((await ingress("after")).spec?.["ingressClassName"]).toBe("istio");
  expect((await ingress("annotated", { "kubernetes.io/ingress.class": "nginx" })).spec?.["ingressClassName"]).toBeUndefined();
});
