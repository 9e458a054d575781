import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HAS_CLUSTER, eventually, must, sh } from "./shell.ts";

// The programs that Istio's documentation deploys, by the images that it names, do what its tasks on security and traffic expect of them.
const NAMESPACE = "samples";
const IMAGE = "registry.istio.io/release";
const curl = async (args: string): Promise<string> => (await sh(`kubectl exec -n ${NAMESPACE} curl -c curl -- curl -s -m 5 ${args}`)).stdout;
const status = (args: string): Promise<string> => curl(`-o /dev/null -w %{http_code} ${args}`);
const apply = (input: string): Promise<string> => must(`kubectl apply -n ${NAMESPACE} -f -`, { input });

interface Workload {
  name: string;
  image: string;
  ports: number[];
  args?: string[];
  labels?: Record<string, string>;
  service?: string;
}

const WORKLOADS: Workload[] = [
  { name: "httpbin", image: "docker.io/mccutchen/go-httpbin:v2.15.0", ports: [8080] },
  { name: "tcp-echo", image: `${IMAGE}/tcp-echo-server:1.3`, ports: [9000, 9001], args: ["9000,9001", "hello"] },
  { name: "ext-authz", image: "registry.istio.io/testing/ext-authz:latest", ports: [8000, 9000], labels: { "sidecar.istio.io/inject": "false" } },
  { name: "productpage", image: `${IMAGE}/examples-bookinfo-productpage-v1:1.20.3`, ports: [9080] },
  { name: "details", image: `${IMAGE}/examples-bookinfo-details-v1:1.20.3`, ports: [9080] },
  { name: "reviews", image: `${IMAGE}/examples-bookinfo-reviews-v3:1.20.3`, ports: [9080] },
  { name: "ratings", image: `${IMAGE}/examples-bookinfo-ratings-v1:1.20.3`, ports: [9080] },
];

/** A pod and its service; port names tell the protocol: gRPC at the authorizer's 9000, TCP for the echo. */
function objects({ name, image, ports, args, labels }: Workload): unknown[] {
  const protocol = (port: number): string => (name === "tcp-echo" ? "tcp" : name === "ext-authz" && port === 9000 ? "grpc" : "http");
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { selector: { app: name }, ports: ports.map((port) => ({ name: `${protocol(port)}-${port}`, port })) },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, labels: { app: name, ...labels } },
      spec: { terminationGracePeriodSeconds: 1, containers: [{ name, image, ...(args && { args }) }] },
    },
  ];
}

const policy = (name: string, app: string, spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}}\nspec:\n  selector: {matchLabels: {app: ${app}}}\n  ${spec}\n`;

describe.if(HAS_CLUSTER)("Istio's samples", () => {
  let mesh: string;
  beforeAll(async () => {
    await must(`kubectl create namespace ${NAMESPACE} && kubectl label namespace ${NAMESPACE} istio-injection=enabled`);
    await apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: WORKLOADS.flatMap(objects) }));
    await must(`kubectl run curl -n ${NAMESPACE} --image=curlimages/curl:8.16.0 -- /bin/sleep infinity`);
    await must(`kubectl wait -n ${NAMESPACE} --for=condition=Ready pod --all --timeout=60s`);
    mesh = await must("kubectl get configmap istio -n istio-system -o jsonpath='{.data.mesh}'");
  }, 90_000);
  afterAll(async () => {
    await setMesh(mesh);
    await must(`kubectl delete pod -n ${NAMESPACE} --all --force --grace-period=0; kubectl delete namespace ${NAMESPACE}`);
  }, 60_000);

  const setMesh = (text: string): Promise<string> =>
    must("kubectl patch configmap istio -n istio-system --type merge --patch-file /dev/stdin", { input: JSON.stringify({ data: { mesh: text } }) });

  test("httpbin shows whom the caller's certificate names", async () => {
    const seen = await eventually(async () => JSON.parse(await curl("http://httpbin:8080/headers")) as { headers: Record<string, string[]> });
    expect(seen.headers["X-Forwarded-Client-Cert"]?.[0]).toContain(`URI=spiffe://cluster.local/ns/${NAMESPACE}/sa/default`);
  }, 30_000);

  test("TCP: the port that a policy allows answers, the other does not", async () => {
    const echo = async (port: number): Promise<string> =>
      (await sh(`kubectl exec -n ${NAMESPACE} curl -c curl -- sh -c 'echo "port ${port}" | nc -w 5 tcp-echo ${port}'`)).stdout;
    await eventually(async () => expect([await echo(9000), await echo(9001)]).toEqual(["hello port 9000\n", "hello port 9001\n"]));
    await apply(policy("tcp", "tcp-echo", 'action: ALLOW\n  rules: [{to: [{operation: {ports: ["9000"]}}]}]'));
    await eventually(async () => expect([await echo(9000), await echo(9001)]).toEqual(["hello port 9000\n", ""]));
  }, 40_000);

  test.each(["grpc", "http"])(
    "the external authorizer decides, asked by %s",
    async (how) => {
      const service = `service: ext-authz.${NAMESPACE}.svc.cluster.local`;
      await setMesh(
        `${mesh.trimEnd()}\n`.replace(
          "extensionProviders:\n",
          `extensionProviders:\n- name: by-grpc\n  envoyExtAuthzGrpc:\n    ${service}\n    port: 9000\n- name: by-http\n  envoyExtAuthzHttp:\n    ${service}\n    port: 8000\n    includeRequestHeadersInCheck: [x-ext-authz]\n`,
        ),
      );
      await apply(policy("ext-authz", "httpbin", `action: CUSTOM\n  provider: {name: by-${how}}\n  rules: [{to: [{operation: {paths: [/headers]}}]}]`));
      await eventually(async () => {
        expect(await status("-H 'x-ext-authz: allow' http://httpbin:8080/headers")).toBe("200");
        expect(await curl("-H 'x-ext-authz: deny' http://httpbin:8080/headers")).toBe(
          "denied by ext_authz for not found header `x-ext-authz: allow` in the request",
        );
      });
      expect(await status("http://httpbin:8080/ip")).toBe("200");
    },
    40_000,
  );

  test("Bookinfo: the page is put together, and a fault for one user is seen by that user only", async () => {
    await eventually(async () => {
      const page = await curl("http://productpage:9080/productpage");
      for (const part of ["PublisherA", "slapstick", "color:red"]) expect(page).toContain(part);
    });
    await apply(
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ratings}\nspec:\n  hosts: [ratings]\n  http:\n  - match: [{headers: {end-user: {exact: jason}}}]\n    fault: {abort: {percentage: {value: 100}, httpStatus: 500}}\n    route: [{destination: {host: ratings}}]\n  - route: [{destination: {host: ratings}}]\n`,
    );
    await eventually(async () =>
      expect(await curl("-b session=jason http://productpage:9080/productpage")).toContain("Ratings service is currently unavailable"),
    );
    expect(await curl("http://productpage:9080/productpage")).toContain("color:red");
  }, 40_000);
});
