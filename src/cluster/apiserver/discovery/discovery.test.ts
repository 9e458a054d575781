import { afterAll, beforeAll, expect, test } from "bun:test";
import { istioCrds } from "../../../resources/index.ts";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
});
afterAll(() => api.close());

const V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const KUBECTL = `${V2},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json`;

interface Group {
  metadata: { name?: string };
  versions: {
    version: string;
    freshness: string;
    resources: {
      resource: string;
      responseKind: object;
      scope: string;
      singularResource: string;
      verbs: string[];
      shortNames?: string[];
      categories?: string[];
      subresources?: object[];
    }[];
  }[];
}

test("aggregated discovery as kubectl asks for it, revalidated by ETag", async () => {
  const core = await api.call("GET", "/api?timeout=32s", { accept: KUBECTL });
  expect(core.headers.get("content-type")).toBe(V2);
  expect(core.headers.get("vary")).toBe("Accept");
  expect(core.headers.get("etag")).toMatch(/^"[0-9A-F]{128}"$/);
  expect(core.body).toMatchObject({ kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {} });
  const [group] = core.body.items as Group[];
  expect(group?.metadata).toEqual({});
  const pods = group?.versions[0]?.resources.find(({ resource }) => resource === "pods");
  expect(pods).toMatchObject({
    responseKind: { group: "", version: "", kind: "Pod" },
    scope: "Namespaced",
    singularResource: "pod",
    shortNames: ["po"],
    categories: ["all"],
  });
  expect(pods?.subresources).toContainEqual({ subresource: "eviction", responseKind: { group: "policy", version: "v1", kind: "Eviction" }, verbs: ["create"] });
  const again = await api.call("GET", "/api", { accept: KUBECTL, headers: { "if-none-match": core.headers.get("etag") ?? "" } });
  expect([again.status, again.text]).toEqual([304, ""]);
});

test("a new kind changes discovery and its ETag, and only its group's OpenAPI", async () => {
  const before = await api.call("GET", "/apis", { accept: KUBECTL });
  const index = async () => (JSON.parse((await api.call("GET", "/openapi/v3")).text) as { paths: Record<string, { serverRelativeURL: string }> }).paths;
  const paths = await index();
  for (const crd of istioCrds().filter(({ spec }) => spec?.group === "security.istio.io"))
    await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: crd });
  const after = await api.call("GET", "/apis", { accept: KUBECTL, headers: { "if-none-match": before.headers.get("etag") ?? "" } });
  expect(after.status).toBe(200);
  const security = (after.body.items as Group[]).at(-1);
  expect(security?.metadata.name).toBe("security.istio.io");
  expect(security?.versions.map(({ version }) => version)).toEqual(["v1", "v1beta1"]);
  expect(security?.versions[0]?.resources.map(({ resource }) => resource)).toEqual(["authorizationpolicies", "peerauthentications", "requestauthentications"]);
  expect(security?.versions[0]?.resources[1]).toMatchObject({
    responseKind: { group: "security.istio.io", version: "v1", kind: "PeerAuthentication" },
    categories: ["istio-io", "security-istio-io"],
    subresources: [{ subresource: "status", verbs: ["get", "patch", "update"] }],
  });
  const changed = await index();
  expect(changed["apis/apps/v1"]).toEqual(paths["apis/apps/v1"] as { serverRelativeURL: string });
  expect(Object.keys(changed).filter((path) => !(path in paths))).toEqual(["apis/security.istio.io/v1", "apis/security.istio.io/v1beta1"]);
});

test("plain discovery for those who walk", async () => {
  expect((await api.call("GET", "/api")).body).toMatchObject({
    kind: "APIVersions",
    versions: ["v1"],
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0" }],
  });
  const groups = (await api.call("GET", "/apis")).body as { kind: string; groups: { name: string; preferredVersion: object }[] };
  expect(groups.kind).toBe("APIGroupList");
  expect(groups.groups.find(({ name }) => name === "apps")?.preferredVersion).toEqual({ groupVersion: "apps/v1", version: "v1" });
  const list = (await api.call("GET", "/apis/apps/v1")).body as { kind: string; groupVersion: string; resources: { name: string; kind: string }[] };
  expect([list.kind, list.groupVersion]).toEqual(["APIResourceList", "apps/v1"]);
  expect(list.resources.find(({ name }) => name === "deployments/scale")).toEqual({
    name: "deployments/scale",
    singularName: "",
    namespaced: true,
    group: "autoscaling",
    version: "v1",
    kind: "Scale",
    verbs: ["get", "patch", "update"],
  } as object as { name: string; kind: string });
  for (const path of ["/apis/nope", "/apis/apps/v9", "/api/v2", "/openapi/v3/apis/nope/v1"])
    expect([path, (await api.call("GET", path)).status]).toEqual([path, 404]);
});

test("OpenAPI has what kubectl reads: patch operations for validation, schemas for explain", async () => {
  const { paths } = JSON.parse((await api.call("GET", "/openapi/v3")).text) as { paths: Record<string, { serverRelativeURL: string }> };
  const url = paths["apis/apps/v1"]?.serverRelativeURL ?? "";
  const answer = await api.call("GET", `${url}&timeout=32s`);
  expect(answer.headers.get("cache-control")).toBe("public, immutable");
  const document = JSON.parse(answer.text) as {
    paths: Record<
      string,
      { patch?: { "x-kubernetes-group-version-kind": object; parameters: { name: string; in: string }[]; requestBody: { content: object } } }
    >;
    components: { schemas: Record<string, { properties: Record<string, { $ref?: string }>; "x-kubernetes-group-version-kind"?: object[] }> };
  };
  const patch = document.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]?.patch;
  expect(patch?.["x-kubernetes-group-version-kind"]).toEqual({ group: "apps", version: "v1", kind: "Deployment" });
  expect(patch?.parameters.map(({ name }) => name)).toContain("fieldValidation");
  expect(Object.keys(patch?.requestBody.content ?? {})).toContain("application/strategic-merge-patch+json");
  const deployment = document.components.schemas["io.k8s.api.apps.v1.Deployment"];
  expect(deployment?.["x-kubernetes-group-version-kind"]).toEqual([{ group: "apps", version: "v1", kind: "Deployment" }]);
  // Every reference leads somewhere.
  for (const [, reference = ""] of answer.text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
    expect(document.components.schemas).toHaveProperty([reference]);
  const revalidated = await api.call("GET", "/openapi/v3", { headers: { "if-modified-since": new Date(Date.now() + 1000).toUTCString() } });
  expect(revalidated.status).toBe(304);
});

test("Istio's kinds are explained too, by the paths of their fields", async () => {
  const { schemas } = (
    JSON.parse((await api.call("GET", "/openapi/v3/apis/security.istio.io/v1")).text) as { components: { schemas: Record<string, Described> } }
  ).components;
  const peers = schemas["io.istio.security.v1.PeerAuthentication"]?.properties?.["spec"]?.properties;
  // What the definition says itself stands.
  expect(peers?.["mtls"]?.description).toBe("How connections to the workloads are authenticated.");
  expect(peers?.["selector"]?.properties?.["matchLabels"]?.description).toContain("labels");
  const rule = schemas["io.istio.security.v1.AuthorizationPolicy"]?.properties?.["spec"]?.properties?.["rules"]?.items;
  const operation = rule?.properties?.["to"]?.items?.properties?.["operation"];
  expect([rule?.description, operation?.description, operation?.properties?.["methods"]?.description]).toEqual([
    undefined,
    "Operation specifies the operation of a request.",
    "HTTP methods.",
  ]);
});

test("version 2 of OpenAPI, in JSON and as Go clients ask for it", async () => {
  const swagger = JSON.parse((await api.call("GET", "/openapi/v2", { accept: "application/json" })).text) as {
    paths: Record<string, { patch?: { consumes: string[]; parameters: { name: string }[]; "x-kubernetes-group-version-kind": object } }>;
    definitions: Record<string, { description: string; type?: string; properties: Record<string, object> }>;
  };
  expect(swagger.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]?.patch).toMatchObject({
    consumes: expect.arrayContaining(["application/apply-patch+yaml"]),
    "x-kubernetes-group-version-kind": { kind: "Deployment" },
  });
  expect(swagger.definitions["io.k8s.api.core.v1.PodSpec"]?.properties["affinity"]).toEqual({
    description: "If specified, the pod's scheduling constraints",
    $ref: "#/definitions/io.k8s.api.core.v1.Affinity",
  });
  expect(swagger.definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]).toMatchObject({ type: "string", format: "int-or-string" });
  const answer = await api.call("GET", "/openapi/v2", { accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" });
  expect(answer.headers.get("content-type")).toBe("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  // openapi.v2.Document: 1 swagger, 2 info of 1 title.
  expect([...Buffer.from(answer.text).subarray(0, 5)]).toEqual([0x0a, 3, ...Buffer.from("2.0")]);
  expect(answer.text).toContain("DNSPolicy");
  expect((await api.call("GET", "/openapi/v2", { headers: { "if-none-match": answer.headers.get("etag") ?? "" } })).status).toBe(304);
});

interface Described {
  description?: string;
  type?: string;
  enum?: string[];
  required?: string[];
  allOf?: { $ref: string }[];
  items?: Described;
  additionalProperties?: Described;
  properties?: Record<string, Described>;
}

test("OpenAPI explains: every kind and nearly every field has its text, and types stand under their names", async () => {
  const { paths } = JSON.parse((await api.call("GET", "/openapi/v3")).text) as { paths: Record<string, { serverRelativeURL: string }> };
  const core = (JSON.parse((await api.call("GET", paths["api/v1"]?.serverRelativeURL ?? "")).text) as { components: { schemas: Record<string, Described> } })
    .components.schemas;
  const named = (name: string) => [{ $ref: `#/components/schemas/${name}` }];
  const container = core["io.k8s.api.core.v1.Container"];
  expect(container?.description).toBe("A single application container that you want to run within a pod.");
  expect(container?.properties?.["env"]?.description).toContain("environment variables");
  expect(container?.properties?.["env"]?.items?.allOf).toEqual(named("io.k8s.api.core.v1.EnvVar"));
  expect(container?.properties?.["imagePullPolicy"]?.enum).toEqual(["Always", "IfNotPresent", "Never"]);
  expect(container?.required).toEqual(["name"]);
  expect(core["io.k8s.api.core.v1.PodSpec"]?.properties?.["dnsConfig"]?.allOf).toEqual(named("io.k8s.api.core.v1.PodDNSConfig"));
  expect(core["io.k8s.api.core.v1.PodDNSConfig"]?.properties?.["nameservers"]?.description).toContain("DNS name server");
  expect(core["io.k8s.api.core.v1.ResourceRequirements"]?.properties?.["limits"]?.additionalProperties?.allOf).toEqual(
    named("io.k8s.apimachinery.pkg.api.resource.Quantity"),
  );
  // A driver's volume is taken as it comes, and explained all the same.
  expect(core["io.k8s.api.core.v1.PersistentVolumeSpec"]?.properties?.["nfs"]?.allOf).toEqual(named("io.k8s.api.core.v1.NFSVolumeSource"));
  expect(core["io.k8s.api.core.v1.CephFSVolumeSource"]).toMatchObject({
    required: ["monitors"],
    properties: { monitors: { type: "array", items: { type: "string" } } },
  });
  for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
    const text = (await api.call("GET", serverRelativeURL)).text;
    const { schemas } = (JSON.parse(text) as { components: { schemas: Record<string, Described> } }).components;
    const lost = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].filter(([, reference = ""]) => !(reference in schemas));
    expect([path, lost]).toEqual([path, []]);
    const without = Object.entries(schemas).flatMap(([name, { properties = {} }]) =>
      name.startsWith("io.k8s.api.") ? Object.keys(properties).filter((field) => !properties[field]?.description) : [],
    );
    expect([path, without.length < 12 ? [] : without]).toEqual([path, []]);
  }
});
