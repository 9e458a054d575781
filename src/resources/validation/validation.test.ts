import { expect, test } from "bun:test";
import { builtinResources, definitionFromCrd, istioCrds } from "../index.ts";
import type { KubeObject } from "../types.ts";

const definitions = new Map([...builtinResources(), ...istioCrds().map(definitionFromCrd)].map((d) => [d.kind, d]));

/** Messages as kubectl prints them. */
function refusals(object: unknown, old?: unknown): string[] {
  const o = structuredClone(object) as KubeObject;
  const before = old === undefined ? undefined : (structuredClone(old) as KubeObject);
  const definition = definitions.get(o.kind);
  if (before) definition?.setDefaults?.(before);
  definition?.setDefaults?.(o, before);
  return [...(definition?.validate?.(o) ?? []), ...(before ? (definition?.validateUpdate?.(o, before) ?? []) : [])].map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

const service = (spec: object, name = "x") => ({ apiVersion: "v1", kind: "Service", metadata: { name }, spec });
const pod = (spec: object) => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec });
const deployment = (spec: object) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web-api" },
  spec: {
    selector: { matchLabels: { app: "web-api" } },
    template: { metadata: { labels: { app: "web-api", version: "v1" } }, spec: { containers: [{ name: "c", image: "x:1" }] } },
    ...spec,
  },
});

test("what the real server said", () => {
  expect(refusals(service({ selector: { a: "b" } }))).toEqual(["spec.ports: Required value"]);
  expect(refusals(service({ ports: [{ port: 80 }], clusterIP: "10.96.9.9" }), service({ ports: [{ port: 80 }], clusterIP: "10.96.0.1" }))).toEqual([
    'spec.clusterIPs[0]: Invalid value: ["10.96.9.9"]: may not change once set',
  ]);
  expect(
    refusals(
      deployment({ selector: { matchLabels: { app: "zz", version: "v1" } } }),
      deployment({ selector: { matchLabels: { app: "web-api", version: "v1" } } }),
    ),
  ).toEqual([
    'spec.template.metadata.labels: Invalid value: {"app":"web-api","version":"v1"}: `selector` does not match template `labels`',
    'spec.selector: Invalid value: {"matchLabels":{"app":"zz","version":"v1"}}: field is immutable',
  ]);
  expect(
    refusals({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "x" },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.0.1.1"] }],
    }),
  ).toEqual(['endpoints[0].addresses[0]: Invalid value: "127.0.1.1": may not be in the loopback range (127.0.0.0/8, ::1/128)']);
  const [immutable] = refusals(
    pod({ serviceAccountName: "zz", containers: [{ name: "c", image: "x:1" }] }),
    pod({ serviceAccountName: "sleep", containers: [{ name: "c", image: "x:1" }] }),
  );
  expect(immutable).toStartWith(
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n",
  );
});

test("names and labels", () => {
  expect(refusals({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "Foo" } })).toEqual([
    "metadata.name: Invalid value: \"Foo\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ]);
  expect(refusals(service({ ports: [{ port: 80 }] }, "1x"))[0]).toContain("a DNS-1035 label must consist of lower case alphanumeric characters or '-'");
  expect(refusals({ apiVersion: "v1", kind: "Namespace", metadata: { name: "a.b" } })[0]).toContain("must not contain dots");
  expect(refusals({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", labels: { "a b": "ok", good: "-bad" } } }).length).toBe(2);
  expect(refusals({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "system:node" } })).toEqual([]);
  expect(refusals({ apiVersion: "security.istio.io/v1", kind: "PeerAuthentication", metadata: { name: "UPPER" } }).length).toBe(1);
});

test("pods", () => {
  expect(refusals(pod({ containers: [] }))).toEqual(["spec.containers: Required value"]);
  expect(
    refusals(
      pod({
        restartPolicy: "Sometimes",
        volumes: [{ name: "v", emptyDir: {}, secret: { secretName: "s" } }],
        containers: [
          { name: "a", image: "", ports: [{ containerPort: 70000 }], volumeMounts: [{ name: "missing", mountPath: "/x" }] },
          { name: "a", image: "x", env: [{ name: "A=B" }], livenessProbe: {} },
        ],
      }),
    ),
  ).toEqual([
    "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type",
    "spec.containers[0].image: Required value",
    "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    'spec.containers[0].volumeMounts[0].name: Not found: "missing"',
    "spec.containers[1].env[0].name: Invalid value: \"A=B\": a valid environment variable name must consist only of printable ASCII characters other than '='",
    'spec.containers[1].name: Duplicate value: "a"',
    "spec.containers[1].livenessProbe: Required value: must specify a handler type",
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
  ]);
  const limited = { name: "a", image: "x:1", resources: { limits: { cpu: "100m" }, requests: { cpu: "200m" } } };
  expect(refusals(pod({ containers: [limited] }))).toEqual([
    'spec.containers[0].resources.requests: Invalid value: "200m": must be less than or equal to cpu limit of 100m',
  ]);
});

test("a pod's image and added tolerations may change", () => {
  const before = pod({ containers: [{ name: "c", image: "x:1" }] });
  expect(
    refusals(pod({ containers: [{ name: "c", image: "x:2" }], tolerations: [{ key: "k", operator: "Exists" }] }), {
      ...before,
      spec: { ...before.spec },
    }).filter((e) => !e.includes("imagePullPolicy")),
  ).toEqual([]);
});

test("workloads, services, secrets, roles, webhooks, definitions", () => {
  expect(refusals(deployment({ replicas: -1, strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }))).toEqual([
    "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
  ]);
  expect(refusals(service({ type: "Nope", ports: [{ port: 80 }, { port: 80, protocol: "ICMP" }] }))).toEqual([
    "spec.ports[0].name: Required value",
    "spec.ports[1].name: Required value",
    'spec.ports[1].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
    'spec.type: Unsupported value: "Nope": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
  ]);
  expect(refusals({ apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, type: "kubernetes.io/tls", data: { "tls.crt": "" } })).toEqual([
    "data[tls.key]: Required value",
  ]);
  expect(
    refusals({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "r" },
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: [] }],
    }),
  ).toEqual(["rules[0].verbs: Required value: verbs must contain at least one value"]);
  const webhook = { name: "short", clientConfig: {}, sideEffects: "None", admissionReviewVersions: ["v1"] };
  expect(
    refusals({ apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration", metadata: { name: "w" }, webhooks: [webhook] }),
  ).toEqual([
    'webhooks[0].name: Invalid value: "short": should be a domain with at least three segments separated by dots',
    "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
  ]);
  const frozen = (data: object) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, immutable: true, data });
  expect(refusals(frozen({ a: "2" }), frozen({ a: "1" }))).toEqual(["data: Forbidden: field is immutable when `immutable` is set"]);
  for (const crd of istioCrds()) expect(refusals(crd)).toEqual([]);
});
