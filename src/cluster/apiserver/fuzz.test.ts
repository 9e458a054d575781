import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { startTestServer, type TestServer } from "./testing.ts";

let api: TestServer;
const DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web";
const CUSTOM = "/apis/example.com/v1/namespaces/default/things";

beforeAll(async () => {
  api = await startTestServer();
  await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: definition });
  await api.call("POST", "/apis/apps/v1/namespaces/default/deployments", { body: deployment });
  await api.call("POST", CUSTOM, { body: { apiVersion: "example.com/v1", kind: "Thing", metadata: { name: "one" }, spec: { size: 1, tags: ["a"] } } });
});
afterAll(() => api.close());

/** `CHAINMAIL_FUZZ_RUNS=20000 bun test fuzz` looks longer; a failure prints its seed and path, which fc.assert takes. */
const RUNS = Number(process.env["CHAINMAIL_FUZZ_RUNS"] ?? 30);
/** What a client may be told. 500 only where a real API server says so too, in its words: of bodies that have no type. */
const FINE = new Set([200, 201, 400, 403, 404, 405, 406, 409, 410, 413, 415, 422, 500, 504]);
const UNFORESEEN = /unforeseen fault/;

const words = fc.constantFrom(
  "",
  "name",
  "metadata",
  "spec",
  "containers",
  "labels",
  "$patch",
  "delete",
  "replace",
  "$setElementOrder/containers",
  "$retainKeys",
  "__proto__",
  "constructor",
  "a/b",
  "~1",
  "-",
  "0",
  "\u0000",
  "é",
  "replicas",
  "template",
  "apiVersion",
  "kind",
);
const leaf = fc.oneof(
  words,
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom("1e400", "1Gi", "-1", "2026-01-01T00:00:00Z", "x".repeat(300)),
);
const json = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof({ depthSize: "small" }, leaf, fc.array(tie("node"), { maxLength: 4 }), fc.dictionary(words, tie("node"), { maxKeys: 5 })),
})).node;

async function answered(method: string, path: string, options: Parameters<TestServer["call"]>[2] = {}): Promise<void> {
  const { status, body, text } = await api.call(method, path, options);
  if (!FINE.has(status) || UNFORESEEN.test(text))
    throw new Error(`${method} ${path} ${JSON.stringify(options)?.slice(0, 500)}: ${status} ${text.slice(0, 500)}`);
  if (status < 400) return;
  // A path that nobody knows is told so in plain text, as Kubernetes does.
  if (status === 404 && text === "404 page not found\n") return;
  expect(body).toMatchObject({ kind: "Status", apiVersion: "v1", status: "Failure", code: status });
  expect(typeof body.message === "string" && body.message !== "").toBe(true);
}

/** An object that is nearly right: one place of it is something else. */
const spoilt = (object: object) =>
  fc.tuple(fc.nat(), json).map(([where, value]) => {
    const copy = structuredClone(object);
    const places: [Record<string, unknown>, string][] = [];
    const visit = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      for (const key of Object.keys(node)) {
        places.push([node as Record<string, unknown>, key]);
        visit((node as Record<string, unknown>)[key]);
      }
    };
    visit(copy);
    const place = places[where % places.length];
    if (place) place[0][place[1]] = value;
    return copy;
  });

test("bodies: nonsense, nearly right objects, other encodings", async () => {
  const paths = fc.constantFrom(
    "/apis/apps/v1/namespaces/default/deployments",
    "/api/v1/namespaces/default/pods",
    "/api/v1/namespaces/default/services",
    "/apis/batch/v1/namespaces/default/cronjobs",
    CUSTOM,
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
  );
  const types = fc.constantFrom("application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "text/plain", "application/json; charset=utf-8");
  const bodies = fc.oneof(
    fc.string(),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([Buffer.from("k8s\0"), bytes])),
    json,
    spoilt(deployment),
    spoilt(pod),
    spoilt(definition),
    fc.constant("[".repeat(20_000)),
    fc.constant(`${"a: &a [".repeat(50)}`),
  );
  await fc.assert(
    fc.asyncProperty(paths, types, bodies, fc.constantFrom("POST", "PUT", "DELETE"), async (path, type, body, method) =>
      answered(
        method,
        method === "PUT"
          ? `${path}/web`
          : path === CUSTOM && method === "DELETE"
            ? `${path}/none`
            : method === "DELETE"
              ? `${path}/none`
              : `${path}?dryRun=All&fieldManager=fuzz`,
        { type, body },
      ),
    ),
    { numRuns: RUNS * 2 },
  );
});

test("patches of all kinds", async () => {
  const operation = fc.record(
    {
      op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "nope"),
      path: fc.oneof(
        fc.constantFrom(
          "/spec/replicas",
          "/spec/template/spec/containers/0/name",
          "/metadata/labels/x",
          "",
          "/-",
          "/spec/~2",
          "/metadata/name",
          "/spec/template/spec/containers/-",
        ),
        fc.string(),
      ),
      from: fc.constantFrom("/spec", "/metadata/labels", "/x"),
      value: json,
    },
    { requiredKeys: ["op"] },
  );
  const patches = fc.oneof(
    fc.tuple(fc.constant("application/json-patch+json"), fc.oneof(fc.array(operation, { maxLength: 4 }), json)),
    fc.tuple(
      fc.constantFrom("application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"),
      fc.oneof(json, spoilt(deployment), fc.string()),
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      patches,
      fc.constantFrom(DEPLOYMENT, `${DEPLOYMENT}/status`, `${DEPLOYMENT}/scale`, `${CUSTOM}/one`, "/apis/apps/v1/namespaces/default/deployments/none"),
      async ([type, body], path) =>
        answered("PATCH", `${path}?dryRun=All&fieldManager=fuzz&force=true`, { type, body: typeof body === "string" ? body : JSON.stringify(body) }),
    ),
    { numRuns: RUNS * 3 },
  );
});

test("selectors, pages, versions, and other words after the question mark", async () => {
  const piece = fc.constantFrom(
    "app",
    "=",
    "==",
    "!=",
    " in ",
    " notin ",
    "(",
    ")",
    ",",
    "!",
    "a/b/c",
    "x".repeat(70),
    " ",
    "metadata.name",
    "spec.nodeName",
    "\\",
    "é",
    ">",
    "<",
    "1",
    "\u0000",
  );
  const selector = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
  );
  const number = fc.oneof(fc.string(), fc.constantFrom("0", "-1", "1", "99999999999999999999", "1.5", "0x1", "NaN"));
  const query = fc.record(
    {
      labelSelector: selector,
      fieldSelector: selector,
      limit: number,
      continue: fc.oneof(fc.string(), fc.base64String()),
      resourceVersion: number,
      resourceVersionMatch: fc.constantFrom("Exact", "NotOlderThan", "nope"),
      timeoutSeconds: fc.constant("1"),
      pretty: fc.string(),
      sendInitialEvents: fc.constantFrom("true", "maybe"),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(
      query,
      fc.constantFrom("/api/v1/pods", "/apis/apps/v1/namespaces/default/deployments", CUSTOM, "/api/v1/events"),
      async (parameters, path) => answered("GET", `${path}?${new URLSearchParams(parameters)}`),
    ),
    { numRuns: RUNS * 3 },
  );
});

test("paths and what clients say they accept", async () => {
  const part = fc.oneof(
    fc.constantFrom("api", "apis", "v1", "namespaces", "default", "pods", "apps", "..", ".", "%2e%2e", "%", "%zz", "log", "status", "watch", "proxy", ""),
    fc.webSegment(),
  );
  const accept = fc.oneof(
    fc.string().map((text) => text.replaceAll(/[^\x20-\x7e]/g, "")),
    fc.constantFrom("application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Nope;v=v9;g=x", "*/*;q=2", ",,,", "application/yaml"),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 7 }), accept, fc.constantFrom("GET", "DELETE", "POST", "PUT"), async (parts, wanted, method) => {
      // Deleting what is there is no fault, and would take the others' objects away.
      const path = `/x/${parts.join("/")}`.replace(/^\/x\/+/, "/");
      if (method === "DELETE" && /deployments|namespaces|things/.test(path)) return;
      await answered(method, path, { accept: wanted, ...(method === "POST" || method === "PUT" ? { body: {} } : {}) });
    }),
    { numRuns: RUNS * 3 },
  );
});

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", labels: { app: "web" } },
  spec: {
    containers: [
      {
        name: "web",
        image: "web",
        ports: [{ containerPort: 80 }],
        env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
        resources: { limits: { cpu: "1" } },
        livenessProbe: { httpGet: { port: 80 } },
        securityContext: { runAsUser: 1 },
      },
    ],
    volumes: [{ name: "v", projected: { sources: [{ secret: { name: "s" } }] } }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] }] },
      },
    },
    tolerations: [{ key: "a", operator: "Exists" }],
  },
};
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", labels: { app: "web" } },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: "web" } },
    strategy: { rollingUpdate: { maxSurge: "25%" } },
    template: { metadata: pod.metadata, spec: pod.spec },
  },
};
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "things.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "things", singular: "thing", kind: "Thing" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                "x-kubernetes-validations": [{ rule: "self.size < 5" }],
                properties: {
                  size: { type: "integer", default: 1, maximum: 9 },
                  tags: { type: "array", items: { type: "string", pattern: "^a" }, "x-kubernetes-list-type": "set" },
                },
              },
            },
          },
        },
      },
    ],
  },
};
