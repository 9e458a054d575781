import { expect, test } from "bun:test";
import type { Container, Pod, Service } from "../../resources/index.ts";
import { buildEnv, type EnvInput } from "./env.ts";
import { expand } from "./expand.ts";
import { serviceEnv } from "./service-env.ts";

const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "ns", uid: "u1", labels: { app: "web", b: "2" }, annotations: { "a/b": 'say "hi"' } },
  spec: { nodeName: "chainmail", serviceAccountName: "sa", containers: [{ name: "other", resources: { limits: { memory: "100Mi" } } }] },
};

function build(container: Partial<Container>, extra: Partial<EnvInput> = {}) {
  return buildEnv({
    pod,
    container: { name: "app", ...container },
    addresses: { podIP: "10.1.2.3", hostIP: "192.0.2.1" },
    capacity: { cpu: 4, memoryBytes: 8 * 2 ** 30 },
    source: {
      configMap: (ns, name) =>
        ns === "ns" && name === "conf"
          ? { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { KEY: "value", OTHER: "o", "bad=name": "x" } }
          : undefined,
      secret: (_ns, name) =>
        name === "sec" ? { apiVersion: "v1", kind: "Secret", metadata: { name }, data: { pass: Buffer.from("hush").toString("base64") } } : undefined,
    },
    imageEnv: { PATH: "/bin", LEVEL: "image" },
    serviceEnv: { DB_SERVICE_HOST: "10.96.0.5", LEVEL: "service" },
    ...extra,
  });
}

test("later sources are stronger, and references see what came before", () => {
  const { env, skipped } = build({
    envFrom: [{ configMapRef: { name: "conf" } }, { prefix: "P_", secretRef: { name: "sec" } }, { configMapRef: { name: "none", optional: true } }],
    env: [
      { name: "OTHER", value: "own" },
      { name: "URL", value: "http://$(DB_SERVICE_HOST)/$(OTHER)/$(NOPE)/$$(OTHER)" },
      { name: "LEVEL", value: "pod" },
      { name: "EMPTY" },
    ],
  });
  expect(env).toEqual({
    PATH: "/bin",
    DB_SERVICE_HOST: "10.96.0.5",
    KEY: "value",
    OTHER: "own",
    P_pass: "hush",
    EMPTY: "",
    LEVEL: "pod",
    URL: "http://10.96.0.5/own/$(NOPE)/$(OTHER)",
  });
  expect(skipped).toEqual(["bad=name"]);
});

test("fields, resources, keys", () => {
  const from = (valueFrom: NonNullable<NonNullable<Container["env"]>[number]["valueFrom"]>, container: Partial<Container> = {}) =>
    build({ ...container, env: [{ name: "X", valueFrom }] }).env["X"];
  const fields: [string, string][] = [
    ["metadata.name", "web"],
    ["metadata.namespace", "ns"],
    ["metadata.uid", "u1"],
    ["metadata.labels['app']", "web"],
    ["metadata.annotations['a/b']", 'say "hi"'],
    ["spec.nodeName", "chainmail"],
    ["spec.serviceAccountName", "sa"],
    ["status.podIP", "10.1.2.3"],
    ["status.hostIP", "192.0.2.1"],
  ];
  for (const [fieldPath, value] of fields) expect(from({ fieldRef: { fieldPath } })).toBe(value);
  const resources = { limits: { cpu: "1500m", memory: "1Gi" }, requests: { cpu: "10m" } };
  expect(from({ resourceFieldRef: { resource: "limits.cpu" } }, { resources })).toBe("2");
  expect(from({ resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } }, { resources })).toBe("1500");
  expect(from({ resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } }, { resources })).toBe("1024");
  expect(from({ resourceFieldRef: { resource: "requests.cpu", divisor: "1m" } }, { resources })).toBe("10");
  // Without a limit: the machine's own.
  expect(from({ resourceFieldRef: { resource: "limits.cpu" } })).toBe("4");
  expect(from({ resourceFieldRef: { containerName: "other", resource: "limits.memory" } })).toBe(String(100 * 2 ** 20));
  expect(from({ configMapKeyRef: { name: "conf", key: "KEY" } })).toBe("value");
  expect(from({ secretKeyRef: { name: "sec", key: "pass" } })).toBe("hush");
  expect(from({ secretKeyRef: { name: "none", key: "x", optional: true } })).toBeUndefined();
});

test("what is missing is said in the kubelet's words", () => {
  const cases: [Partial<Container>, string][] = [
    [{ env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "none", key: "k" } } }] }, 'configmap "none" not found'],
    [{ env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "conf", key: "k" } } }] }, "couldn't find key k in ConfigMap ns/conf"],
    [{ env: [{ name: "X", valueFrom: { secretKeyRef: { name: "none", key: "k" } } }] }, 'secret "none" not found'],
    [{ env: [{ name: "X", valueFrom: { secretKeyRef: { name: "sec", key: "k" } } }] }, "couldn't find key k in Secret ns/sec"],
    [{ envFrom: [{ secretRef: { name: "none" } }] }, 'secret "none" not found'],
    [{ env: [{ name: "X", valueFrom: { fieldRef: { fieldPath: "spec.secret" } } }] }, "unsupported fieldPath"],
  ];
  for (const [container, message] of cases) expect(() => build(container)).toThrow(message);
});

test("expansion leaves what is no reference alone", () => {
  const known = (name: string) => ({ A: "1", B: "$(A)" })[name];
  const cases = [
    ["$(A)", "1"],
    ["x$(A)y$(B)", "x1y$(A)"],
    ["$A $ $( $(C)", "$A $ $( $(C)"],
    ["$$", "$"],
    ["$$$(A)", "$1"],
    ["cost: 5$", "cost: 5$"],
  ];
  for (const [text, expected] of cases) expect(expand(text ?? "", known)).toBe(expected ?? "");
});

test("services of the namespace become variables; kubernetes is always there", () => {
  const service = (name: string, namespace: string, clusterIP: string, ports: { name?: string; port: number }[]): Service => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { clusterIP, ports },
  });
  const services = [
    service("web-api", "ns", "10.96.1.1", [
      { name: "http", port: 8080 },
      { name: "grpc-x", port: 9090 },
    ]),
    service("other", "elsewhere", "10.96.1.2", [{ port: 1 }]),
    service("headless", "ns", "None", [{ port: 1 }]),
  ];
  const options = { namespace: "ns", links: true, kubernetes: { host: "10.96.0.1", port: 443 } };
  const env = serviceEnv(services, options);
  expect(env).toMatchObject({
    WEB_API_SERVICE_HOST: "10.96.1.1",
    WEB_API_SERVICE_PORT: "8080",
    WEB_API_SERVICE_PORT_HTTP: "8080",
    WEB_API_SERVICE_PORT_GRPC_X: "9090",
    WEB_API_PORT: "tcp://10.96.1.1:8080",
    WEB_API_PORT_9090_TCP_ADDR: "10.96.1.1",
    WEB_API_PORT_9090_TCP_PROTO: "tcp",
    KUBERNETES_SERVICE_HOST: "10.96.0.1",
    KUBERNETES_SERVICE_PORT_HTTPS: "443",
  });
  expect(Object.keys(env).some((key) => key.startsWith("OTHER_") || key.startsWith("HEADLESS_"))).toBe(false);
  expect(Object.keys(serviceEnv(services, { ...options, links: false })).every((key) => key.startsWith("KUBERNETES_"))).toBe(true);
});
