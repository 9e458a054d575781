import { describe, expect, test } from "bun:test";
import { load } from "js-yaml";
import { createLogger } from "../../base/index.ts";
import type { Container, Pod, PodSpec } from "../../resources/index.ts";
import { MetricsRegistry } from "../debug/metrics.ts";
import { defaultMeshConfig, parseMeshConfig } from "../registry/mesh-config.ts";
import { parseReview, reviewOf } from "./admission.ts";
import { injectSidecar } from "./inject.ts";
import { diff, type PatchOperation } from "./json-patch.ts";
import { injectionRequired } from "./policy.ts";
import type { InjectionContext } from "./settings.ts";
import { defaultValues, parseValues } from "./values.ts";
import { createInjector } from "./webhook.ts";

const context: InjectionContext = { values: defaultValues(), mesh: defaultMeshConfig(), proxyConfigs: [], nativeSidecars: true };

/** What the ReplicaSet's controller creates, as the API server hands it to webhooks. */
function pod(changes: { annotations?: Record<string, string>; labels?: Record<string, string>; spec?: Partial<PodSpec> } = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "",
      generateName: "web-api-77f9dfb8b9-",
      namespace: "istioinaction",
      labels: { app: "web-api", version: "v1", "pod-template-hash": "77f9dfb8b9", ...changes.labels },
      annotations: { ...changes.annotations },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-api-77f9dfb8b9", uid: "u", controller: true }],
    },
    spec: {
      serviceAccountName: "web-api",
      containers: [
        { name: "web-api", image: "fake-service", ports: [{ containerPort: 8081, protocol: "TCP" }], env: [{ name: "LISTEN_ADDR", value: "0.0.0.0:8081" }] },
      ],
      ...changes.spec,
    },
  };
}

const inject = (changes: Parameters<typeof pod>[0] = {}, more: Partial<InjectionContext> = {}): Pod =>
  injectSidecar(pod(changes), "istioinaction", { ...context, ...more });
const find = (injected: Pod, name: string): Container => {
  const all = [...(injected.spec?.initContainers ?? []), ...(injected.spec?.containers ?? [])];
  const found = all.find((container) => container.name === name);
  if (!found) throw new Error(`no container ${name}`);
  return found;
};
const env = (injected: Pod, name: string): string | undefined => find(injected, "istio-proxy").env?.find((variable) => variable.name === name)?.value;

/** What Istio injected, without what an API server adds to every pod and what differs between the two images. */
async function golden(): Promise<Pod> {
  const text = await Bun.file(new URL("testdata/web-api-pod.injected.yaml", import.meta.url)).text();
  const injected = load(text.replaceAll("registry.istio.io/testing/proxyv2:latest", `chainmail/proxyv2:${context.values.global.tag}`)) as Pod;
  for (const container of [...(injected.spec?.initContainers ?? []), ...(injected.spec?.containers ?? [])]) {
    delete container.terminationMessagePath;
    delete container.terminationMessagePolicy;
    delete container.imagePullPolicy;
    container.volumeMounts = container.volumeMounts?.filter(({ name }) => !name.startsWith("kube-api-access"));
    if (container.volumeMounts?.length === 0) delete container.volumeMounts;
    for (const probe of [container.readinessProbe, container.startupProbe]) {
      if (!probe?.httpGet) continue;
      delete probe.successThreshold;
      delete probe.httpGet.scheme;
    }
  }
  if (injected.spec) injected.spec.volumes = injected.spec.volumes?.filter(({ name }) => !name.startsWith("kube-api-access"));
  return injected;
}

describe("the injected pod is Istio's", () => {
  test("init container, proxy and volumes", async () => {
    const expected = await golden();
    const got = inject();
    expect(got.spec?.initContainers).toEqual(expected.spec?.initContainers);
    expect(got.spec?.volumes).toEqual(expected.spec?.volumes);
  });

  test("labels and annotations", async () => {
    const { metadata } = await golden();
    const got = inject({ annotations: { "kubectl.kubernetes.io/restartedAt": "2026-11-24T05:50:33Z", "rig/ip": "10.244.1.11" } });
    expect(got.metadata.labels).toEqual(metadata.labels ?? {});
    expect(got.metadata.annotations).toEqual(metadata.annotations ?? {});
  });

  test("injecting twice changes nothing", () => {
    const once = inject();
    expect(injectSidecar(once, "istioinaction", context)).toEqual(once);
  });
});

describe("who gets one", () => {
  const required = (changes: Parameters<typeof pod>[0], namespace = "istioinaction"): boolean => injectionRequired(pod(changes), namespace, context.values);
  test("the label wins over the annotation; host network and system namespaces never", () => {
    expect(required({})).toBe(true);
    expect(required({ annotations: { "sidecar.istio.io/inject": "false" } })).toBe(false);
    expect(required({ annotations: { "sidecar.istio.io/inject": "false" }, labels: { "sidecar.istio.io/inject": "true" } })).toBe(true);
    expect(required({ labels: { "sidecar.istio.io/inject": "false" }, annotations: { "sidecar.istio.io/inject": "true" } })).toBe(false);
    expect(required({ labels: { "sidecar.istio.io/inject": "perhaps" } })).toBe(false);
    expect(required({ spec: { hostNetwork: true } })).toBe(false);
    expect(required({}, "kube-system")).toBe(false);
  });
});

describe("where containers stand", () => {
  const names = (list: Container[] | undefined): string[] => (list ?? []).map(({ name }) => name);
  const withInit = { spec: { initContainers: [{ name: "migrate" }] } };
  test("native sidecars before other init containers", () => {
    expect(names(inject(withInit).spec?.initContainers)).toEqual(["istio-init", "istio-proxy", "migrate"]);
  });
  test("without them the proxy is last, capture the last init container, and holding puts the proxy first", () => {
    const got = inject(withInit, { nativeSidecars: false });
    expect(names(got.spec?.initContainers)).toEqual(["migrate", "istio-init"]);
    expect(names(got.spec?.containers)).toEqual(["web-api", "istio-proxy"]);
    expect(find(got, "istio-proxy").lifecycle).toBeUndefined();
    expect(JSON.parse(got.metadata.annotations?.["sidecar.istio.io/status"] ?? "")).toMatchObject({
      initContainers: ["istio-init"],
      containers: ["istio-proxy"],
    });
    const held = inject({ ...withInit, annotations: { "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true" } }, { nativeSidecars: false });
    expect(names(held.spec?.containers)).toEqual(["istio-proxy", "web-api"]);
    expect(find(held, "istio-proxy").lifecycle).toEqual({ postStart: { exec: { command: ["pilot-agent", "wait"] } } });
  });
  test("a pod can ask for the other kind", () => {
    expect(names(inject({ annotations: { "sidecar.istio.io/nativeSidecar": "false" } }).spec?.containers)).toEqual(["web-api", "istio-proxy"]);
  });
});

describe("annotations", () => {
  test("traffic capture", () => {
    const { args } = find(
      inject({
        annotations: {
          "traffic.sidecar.istio.io/includeOutboundIPRanges": "10.0.0.0/8",
          "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.1.0.0/16",
          "traffic.sidecar.istio.io/includeInboundPorts": "80,443",
          "traffic.sidecar.istio.io/excludeInboundPorts": "9000, 15020",
          "traffic.sidecar.istio.io/excludeOutboundPorts": "3306",
        },
      }),
      "istio-init",
    );
    expect(args?.join(" ")).toBe(
      "istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i 10.0.0.0/8 -x 10.1.0.0/16 -b 80,443 -d 15090,15021,9000,15020 -o 3306 --log_output_level=default:info",
    );
  });
  test("no capture at all", () => {
    expect(inject({ annotations: { "sidecar.istio.io/interceptionMode": "NONE" } }).spec?.initContainers?.map(({ name }) => name)).toEqual(["istio-proxy"]);
  });
  test("resources, image, log levels", () => {
    const got = inject({
      annotations: { "sidecar.istio.io/proxyCPU": "200m", "sidecar.istio.io/proxyImage": "corp.example/proxy:1", "sidecar.istio.io/logLevel": "debug" },
    });
    const proxy = find(got, "istio-proxy");
    expect(proxy.resources).toEqual({ requests: { cpu: "200m" } });
    expect(proxy.image).toBe("corp.example/proxy:1");
    expect(proxy.args).toContain("--proxyLogLevel=debug");
  });
  test("proxy config: only what differs from the defaults travels; metadata becomes environment", () => {
    const got = inject({ annotations: { "proxy.istio.io/config": "concurrency: 1\nproxyMetadata:\n  ISTIO_META_DNS_CAPTURE: 'true'\n" } });
    expect(JSON.parse(env(got, "PROXY_CONFIG") ?? "")).toEqual({ concurrency: 1, proxyMetadata: { ISTIO_META_DNS_CAPTURE: "true" } });
    expect(env(got, "ISTIO_META_DNS_CAPTURE")).toBe("true");
  });
  test("values that would silently mean something else are refused", () => {
    for (const annotations of [
      { "traffic.sidecar.istio.io/includeOutboundIPRanges": "everything" },
      { "traffic.sidecar.istio.io/excludeInboundPorts": "http" },
      { "sidecar.istio.io/interceptionMode": "redirect" },
      { "proxy.istio.io/config": "- a" },
      { "sidecar.istio.io/userVolume": "{" },
      { "inject.istio.io/templates": "nothing" },
    ] as Record<string, string>[]) {
      expect(() => inject({ annotations })).toThrow(expect.objectContaining({ code: "INJECTION_FAILED" }));
    }
  });
  test("a user's istio-proxy is laid over ours", () => {
    const spec = {
      containers: [
        { name: "web-api" },
        {
          name: "istio-proxy",
          image: "auto",
          env: [
            { name: "TRUST_DOMAIN", value: "own" },
            { name: "MORE", value: "1" },
          ],
          resources: { limits: { cpu: "1" } },
        },
      ],
    };
    const got = inject({ spec });
    expect(got.spec?.containers.map(({ name }) => name)).toEqual(["web-api"]);
    const proxy = find(got, "istio-proxy");
    expect(proxy.image).toBe(`chainmail/proxyv2:${context.values.global.tag}`);
    expect([env(got, "TRUST_DOMAIN"), env(got, "MORE")]).toEqual(["own", "1"]);
    expect(proxy.resources?.limits?.["cpu"]).toBe("1");
  });
});

test("a gateway: the pod's own istio-proxy becomes one", () => {
  const got = inject({
    annotations: { "inject.istio.io/templates": "gateway" },
    labels: { istio: "ingress" },
    spec: { containers: [{ name: "istio-proxy", image: "auto", ports: [{ containerPort: 80 }] }] },
  });
  expect(got.spec?.initContainers).toBeUndefined();
  expect(got.spec?.containers.map(({ name, image }) => [name, image])).toEqual([["istio-proxy", `chainmail/proxyv2:${context.values.global.tag}`]]);
  const proxy = find(got, "istio-proxy");
  expect(proxy.args?.slice(0, 2)).toEqual(["proxy", "router"]);
  expect(proxy.ports?.map(({ containerPort }) => containerPort)).toEqual([15090, 80]);
  expect(got.metadata.labels?.["security.istio.io/tlsMode"]).toBeUndefined();
  expect(got.spec?.securityContext?.sysctls).toEqual([{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }]);
});

describe("probes", () => {
  const containers: Container[] = [
    {
      name: "web-api",
      ports: [{ name: "http", containerPort: 8081 }],
      readinessProbe: { httpGet: { path: "/ready", port: "http", scheme: "HTTPS" }, timeoutSeconds: 2, periodSeconds: 5 },
      livenessProbe: { tcpSocket: { port: 8081 } },
      startupProbe: { exec: { command: ["true"] } },
    },
  ];
  test("go to the agent, who is told where the app is", () => {
    const got = inject({ spec: { containers } });
    const app = find(got, "web-api");
    expect(app.readinessProbe).toEqual({ httpGet: { path: "/app-health/web-api/readyz", port: 15020, scheme: "HTTP" }, timeoutSeconds: 2, periodSeconds: 5 });
    expect(app.livenessProbe).toEqual({ httpGet: { path: "/app-health/web-api/livez", port: 15020 } });
    expect(app.startupProbe).toEqual({ exec: { command: ["true"] } });
    expect(JSON.parse(env(got, "ISTIO_KUBE_APP_PROBERS") ?? "")).toEqual({
      "/app-health/web-api/readyz": { httpGet: { path: "/ready", port: 8081, scheme: "HTTPS" }, timeoutSeconds: 2 },
      "/app-health/web-api/livez": { tcpSocket: { port: 8081 } },
    });
  });
  test("stay where the pod says so", () => {
    expect(find(inject({ spec: { containers }, annotations: { "sidecar.istio.io/rewriteAppHTTPProbers": "false" } }), "web-api").livenessProbe).toEqual({
      tcpSocket: { port: 8081 },
    });
  });
});

describe("metrics", () => {
  test("the app's own place is kept for the agent", () => {
    const got = inject({ annotations: { "prometheus.io/scrape": "true", "prometheus.io/port": "9102", "prometheus.io/path": "/m" } });
    expect(got.metadata.annotations).toMatchObject({
      "prometheus.io/port": "15020",
      "prometheus.io/path": "/stats/prometheus",
      "prometheus.io/scrape": "true",
    });
    expect(env(got, "ISTIO_PROMETHEUS_ANNOTATIONS")).toBe('{"scrape":"true","path":"/m","port":"9102"}');
  });
  test("a pod that is not to be scraped is left alone", () => {
    expect(inject({ annotations: { "prometheus.io/scrape": "false" } }).metadata.annotations?.["prometheus.io/port"]).toBeUndefined();
    expect(inject({}, { mesh: { ...defaultMeshConfig(), enablePrometheusMerge: false } }).metadata.annotations?.["prometheus.io/port"]).toBeUndefined();
  });
});

test("workload names: Deployment, CronJob, StatefulSet, bare pod", () => {
  const owner = (kind: string, name: string, apiVersion = "batch/v1"): string | undefined => {
    const made = pod();
    made.metadata.ownerReferences = [{ apiVersion, kind, name, uid: "u", controller: true }];
    return env(injectSidecar(made, "istioinaction", context), "ISTIO_META_OWNER");
  };
  expect(owner("Job", "report-28000000")).toBe("kubernetes://apis/batch/v1/namespaces/istioinaction/cronjobs/report");
  expect(owner("StatefulSet", "db", "apps/v1")).toBe("kubernetes://apis/apps/v1/namespaces/istioinaction/statefulsets/db");
  const rollout = pod();
  rollout.metadata.labels = { "rollouts-pod-template-hash": "abc" };
  rollout.metadata.ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "shop-abc", uid: "u", controller: true }];
  expect(env(injectSidecar(rollout, "istioinaction", context), "ISTIO_META_OWNER")).toBe("kubernetes://apis/v1alpha1/namespaces/istioinaction/rollouts/shop");
  const nameless = pod();
  delete nameless.metadata.ownerReferences;
  nameless.metadata.name = "";
  expect(env(injectSidecar(nameless, "istioinaction", context), "ISTIO_META_OWNER")).toBeUndefined();
  const bare = pod();
  delete bare.metadata.ownerReferences;
  bare.metadata.name = "one";
  expect(env(injectSidecar(bare, "istioinaction", context), "ISTIO_META_OWNER")).toBe("kubernetes://apis/v1/namespaces/istioinaction/pods/one");
});

test("mesh config and values of the installation count", () => {
  const values = parseValues(
    JSON.stringify({ global: { hub: "corp.example/x", tag: "9", proxy: { logLevel: "info", resources: { requests: { cpu: "1" } } }, unknown: 1 } }),
  );
  const got = inject({}, { values, mesh: parseMeshConfig("trustDomain: corp\ndefaultConfig:\n  concurrency: 4\n") });
  expect(find(got, "istio-proxy").image).toBe("corp.example/x/proxyv2:9");
  expect(find(got, "istio-proxy").resources).toEqual({ requests: { cpu: "1" } });
  expect(env(got, "TRUST_DOMAIN")).toBe("corp");
  expect(JSON.parse(env(got, "PROXY_CONFIG") ?? "")).toEqual({ concurrency: 4 });
});

describe("the webhook", () => {
  const injector = createInjector({ context: () => context, metrics: new MetricsRegistry(), log: createLogger("t", { level: "none" }) });
  const review = (object: Pod): unknown => ({
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: { uid: "1", namespace: "istioinaction", operation: "CREATE", object },
  });

  test("its patch makes the injected pod of the pod", () => {
    const before = pod({ annotations: { "a/b~c": "1" } });
    const request = parseReview(review(before));
    const answer = reviewOf(request.uid, injector(request, "/inject/cluster/far/net/west")) as {
      response: { uid: string; allowed: boolean; patch: string; patchType: string };
    };
    expect(answer.response).toMatchObject({ uid: "1", allowed: true, patchType: "JSONPatch" });
    const operations = JSON.parse(Buffer.from(answer.response.patch, "base64").toString()) as PatchOperation[];
    const got = apply(structuredClone(before) as unknown as Record<string, unknown>, operations) as unknown as Pod;
    expect(got).toEqual(injectSidecar(before, "istioinaction", { ...context, cluster: "far", network: "west" }));
    expect(env(got, "ISTIO_META_CLUSTER_ID")).toBe("far");
  });

  test("leaves others alone and refuses with a reason", () => {
    expect(injector(parseReview(review(pod({ labels: { "sidecar.istio.io/inject": "false" } }))), "/inject")).toEqual({ allowed: true });
    expect(injector(parseReview(review(pod({ annotations: { "sidecar.istio.io/interceptionMode": "x" } }))), "/inject")).toMatchObject({
      allowed: false,
      message: expect.stringContaining("Pod injection failed: invalid annotation: sidecar.istio.io/interceptionMode"),
    });
    expect(() => parseReview({ kind: "Pod" })).toThrow("not an AdmissionReview");
  });

  test("paths of a patch are escaped", () => {
    expect(diff({ a: { "x/y": 1, gone: 1 } }, { a: { "x/y": 2, "~": 3 } })).toEqual([
      { op: "remove", path: "/a/gone" },
      { op: "replace", path: "/a/x~1y", value: 2 },
      { op: "add", path: "/a/~0", value: 3 },
    ]);
  });
});

function apply(target: Record<string, unknown>, operations: PatchOperation[]): Record<string, unknown> {
  for (const { op, path, value } of operations) {
    const parts = path
      .split("/")
      .slice(1)
      .map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
    const last = parts.pop() ?? "";
    const parent = parts.reduce<Record<string, unknown>>((at, part) => at[part] as Record<string, unknown>, target);
    if (op === "remove") delete parent[last];
    else parent[last] = value;
  }
  return target;
}
