import { expect, test } from "bun:test";
import creates from "../../../test/golden/api/creates.json";
import objects from "../../../test/golden/api/objects.json";
import { builtinResources, canonicalQuantity, qosClass, selectJobPods } from "../index.ts";
import type { DaemonSet, Job, Pod, Service } from "../core.ts";
import type { KubeObject } from "../types.ts";

const definitions = new Map(builtinResources().map((d) => [d.kind, d]));
const defaulted = <T extends KubeObject>(object: unknown, old?: T): T => {
  const copy = structuredClone(object) as T;
  definitions.get(copy.kind)?.setDefaults?.(copy, old);
  return copy;
};

/** What only the server as a whole can know: identity and allocated addresses. */
function withoutIdentity(object: KubeObject): unknown {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, generation: ____, namespace: _____, annotations, ...metadata } = object.metadata;
  const { clusterIP: _ip, clusterIPs: _ips, ...spec } = (object.spec ?? {}) as Record<string, unknown>;
  const rest = Object.keys(annotations ?? {}).length > 0 ? { ...metadata, annotations } : metadata;
  return { ...object, metadata: rest, ...(object.spec === undefined ? {} : { spec }) };
}

for (const { case: name, sent, stored } of creates as unknown as { case: string; sent: KubeObject; stored: KubeObject }[]) {
  if (!definitions.has(sent.kind)) continue;
  test(`${name}: ${sent.kind} is stored as the real server stores it`, () => {
    expect(withoutIdentity(defaulted(sent)) as object).toEqual(withoutIdentity(stored) as object);
  });
}

test("objects that the real server has completed are left alone and are valid", () => {
  for (const object of objects as unknown as KubeObject[]) {
    // Go writes the empty lists of a slice as null.
    if (object["endpoints"] === null) object["endpoints"] = [];
    const definition = definitions.get(object.kind);
    expect([object.metadata.name, defaulted(object, object)]).toEqual([object.metadata.name, object]);
    expect([object.metadata.name, definition?.validate?.(object)]).toEqual([object.metadata.name, []]);
    expect(definition?.validateUpdate?.(object, object) ?? []).toEqual([]);
  }
});

test("a pod's volumes, probes, ports and quantities", () => {
  const pod = defaulted<Pod>({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: {
      serviceAccount: "web",
      volumes: [
        { name: "a" },
        { name: "b", configMap: { name: "c" } },
        { name: "t", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
        { name: "h", hostPath: { path: "/x" } },
      ],
      containers: [
        {
          name: "c",
          image: "registry:5000/x",
          readinessProbe: { httpGet: { port: 80 } },
          env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
          resources: { limits: { cpu: 0.5, memory: "1024Mi" } },
        },
      ],
    },
  });
  expect(pod.spec).toMatchObject({
    serviceAccountName: "web",
    enableServiceLinks: true,
    volumes: [
      { name: "a", emptyDir: {} },
      { name: "b", configMap: { defaultMode: 420 } },
      { name: "t", projected: { defaultMode: 420, sources: [{ serviceAccountToken: { expirationSeconds: 3600 } }] } },
      { name: "h", hostPath: { type: "" } },
    ],
    containers: [
      {
        imagePullPolicy: "Always",
        readinessProbe: { httpGet: { path: "/", scheme: "HTTP" }, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 },
        env: [{ valueFrom: { fieldRef: { apiVersion: "v1" } } }],
        resources: { limits: { cpu: "500m", memory: "1Gi" }, requests: { cpu: "500m", memory: "1Gi" } },
      },
    ],
  });
  expect(pod.status).toEqual({ phase: "Pending", qosClass: "Guaranteed" });
});

test("quality of service", () => {
  const of = (...resources: object[]) => qosClass({ containers: resources.map((r) => ({ name: "c", resources: r })) });
  expect(of({}, {})).toBe("BestEffort");
  expect(of({ requests: { cpu: "1" } })).toBe("Burstable");
  expect(of({ limits: { cpu: "1", memory: "1Gi" } })).toBe("Guaranteed");
  expect(of({ limits: { cpu: "1", memory: "1Gi" } }, {})).toBe("Burstable");
});

test("quantities in their canonical form", () => {
  const cases: [unknown, string][] = [
    ["0.1", "100m"],
    ["1024Mi", "1Gi"],
    ["1500m", "1500m"],
    ["1.5", "1500m"],
    ["2000", "2k"],
    ["1e3", "1e3"],
    ["100Ki", "100Ki"],
    ["0.5Gi", "512Mi"],
    ["0", "0"],
    [2, "2"],
    ["-1Gi", "-1Gi"],
    ["nonsense", "nonsense"],
  ];
  expect(cases.map(([text]) => canonicalQuantity(text))).toEqual(cases.map(([, canonical]) => canonical));
});

test("an update of a service keeps what was allocated", () => {
  const old = defaulted<Service>({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "s" },
    spec: {
      type: "NodePort",
      clusterIP: "10.96.0.9",
      ports: [
        { port: 80, nodePort: 30080 },
        { port: 81, nodePort: 30081 },
      ],
    },
  });
  const bare = (type: string) => ({ apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: { type, ports: [{ port: 80 }, { port: 82 }] } });
  const kept = defaulted<Service>(bare("LoadBalancer"), old);
  expect(kept.spec).toMatchObject({ clusterIP: "10.96.0.9", clusterIPs: ["10.96.0.9"], allocateLoadBalancerNodePorts: true });
  expect(kept.spec?.ports?.map((port) => port.nodePort)).toEqual([30080, undefined]);
  const dropped = defaulted<Service>({ ...old, spec: { ...old.spec, type: "ClusterIP" } }, old);
  expect(dropped.spec?.ports?.map((port) => port.nodePort)).toEqual([undefined, undefined]);
  expect(dropped.spec?.externalTrafficPolicy).toBeUndefined();
});

test("a job knows its pods by its uid; a daemon set counts its templates", () => {
  const template = { metadata: { labels: { app: "x" } }, spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x:1" }] } };
  const job = defaulted<Job>({ apiVersion: "batch/v1", kind: "Job", metadata: { name: "j", uid: "u-1" }, spec: { template } });
  selectJobPods(job);
  expect(job.spec?.selector).toEqual({ matchLabels: { "batch.kubernetes.io/controller-uid": "u-1" } });
  expect(definitions.get("Job")?.validate?.(job)).toEqual([]);
  const set = defaulted<DaemonSet>({
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "d" },
    spec: { selector: { matchLabels: { app: "x" } }, template: { ...template, spec: { containers: [] } } },
  });
  const changed = defaulted<DaemonSet>({ ...set, spec: { ...set.spec, template: { ...set.spec?.template, metadata: { labels: { app: "x", v: "2" } } } } }, set);
  expect(set.metadata.annotations?.["deprecated.daemonset.template.generation"]).toBe("1");
  expect(changed.metadata.annotations?.["deprecated.daemonset.template.generation"]).toBe("2");
});

test("a service's zero values, as Go clients send them, are as good as none", () => {
  const sent = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "s" },
    spec: {
      type: "",
      sessionAffinity: "",
      ports: [
        { name: "a", port: 80, protocol: "", targetPort: 0 },
        { name: "b", port: 81, targetPort: "" },
      ],
    },
  };
  const { spec } = defaulted<Service>(sent);
  expect(spec).toMatchObject({ type: "ClusterIP", sessionAffinity: "None", ports: [{ protocol: "TCP", targetPort: 80 }, { targetPort: 81 }] });
});
