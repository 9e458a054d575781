import { describe, expect, test } from "bun:test";
import type { AuthorizationPreview } from "../../src/console/api/authorization-preview.ts";
import { type AuthorizationPolicy, type AuthorizationSpec, type SeenRequest, decide, policiesOf } from "../../src/console/api/authorization.ts";
import type { PodLogs } from "../../src/console/server/pod-logs.ts";
import { fakeConsole, fakeMesh } from "./fake-mesh.ts";

const policy = (spec: AuthorizationSpec, name = "p", namespace = "istioinaction"): AuthorizationPolicy => ({
  apiVersion: "security.istio.io/v1",
  kind: "AuthorizationPolicy",
  metadata: { name, namespace },
  spec,
});
const request = (more: Partial<SeenRequest> = {}): SeenRequest => ({
  principal: "cluster.local/ns/team-a/sa/web",
  ip: "10.244.0.7",
  method: "GET",
  path: "/api/v1/items?x=1",
  host: "web-api:8080",
  port: "8081",
  ...more,
});
const rule = (from: object | undefined, to?: object) =>
  ({ rules: [{ ...(from && { from: [{ source: from }] }), ...(to && { to: [{ operation: to }] }) }] }) as AuthorizationSpec;

describe("what policies make of a request", () => {
  test.each<[string, AuthorizationSpec[], Partial<SeenRequest>, string]>([
    ["no policy", [], {}, "allowed"],
    ["an ALLOW policy without rules", [{}], {}, "denied"],
    ["a DENY policy without rules", [{ action: "DENY" }], {}, "allowed"],
    ["an empty rule", [{ rules: [{}] }], {}, "allowed"],
    ["a namespace", [rule({ namespaces: ["team-a"] })], {}, "allowed"],
    ["another namespace", [rule({ namespaces: ["team-b"] })], {}, "denied"],
    ["plaintext has no namespace", [rule({ namespaces: ["*"] })], { principal: "" }, "denied"],
    ["a principal by its beginning", [rule({ principals: ["cluster.local/ns/team-a/*"] })], {}, "allowed"],
    ["a service account", [rule({ serviceAccounts: ["team-a/web"] })], {}, "allowed"],
    ["all but a namespace", [rule({ notNamespaces: ["team-a"] })], {}, "denied"],
    ["all but a namespace, in plaintext", [rule({ notNamespaces: ["team-a"] })], { principal: "" }, "allowed"],
    ["an address block", [rule({ ipBlocks: ["10.244.0.0/24"] })], {}, "allowed"],
    ["another block", [rule({ ipBlocks: ["10.244.1.0/24"] })], {}, "denied"],
    ["method and path", [rule(undefined, { methods: ["GET"], paths: ["/api/*"] })], {}, "allowed"],
    ["a path with a segment", [rule(undefined, { paths: ["/api/{*}/items"] })], {}, "allowed"],
    ["a path with too many segments", [rule(undefined, { paths: ["/{*}/items"] })], {}, "denied"],
    ["a host without its port", [rule(undefined, { hosts: ["web-api"] })], {}, "allowed"],
    ["a port", [rule(undefined, { ports: ["8081"] })], { method: undefined }, "allowed"],
    ["HTTP's fields let no TCP in", [rule(undefined, { methods: ["GET"] })], { method: undefined }, "denied"],
    [
      "HTTP's fields are left out of a DENY rule for TCP",
      [{ action: "DENY", ...rule(undefined, { ports: ["8081"], methods: ["POST"] }) }],
      { method: undefined },
      "denied",
    ],
    ["DENY before ALLOW", [rule({ namespaces: ["team-a"] }), { action: "DENY", ...rule(undefined, { methods: ["GET"] }) }], {}, "denied"],
    ["AUDIT decides nothing", [{ action: "AUDIT", rules: [{}] }], {}, "allowed"],
    ["a claim that logs do not tell", [rule({ requestPrincipals: ["*"] })], {}, "unknown"],
    ["a claim beside what is false already", [rule({ requestPrincipals: ["*"], namespaces: ["team-b"] })], {}, "denied"],
    ["a condition on the port", [{ rules: [{ when: [{ key: "destination.port", notValues: ["8081"] }] }] }], {}, "denied"],
  ])("%s", (_, specs, more, decision) => {
    expect(
      decide(
        specs.map((spec, i) => policy(spec, `p${i}`)),
        request(more),
      ).decision,
    ).toBe(decision as never);
  });

  test("whom a policy is for: its namespace, its selector, the whole mesh from the root namespace", () => {
    const all = [
      policy({}, "here"),
      policy({}, "elsewhere", "other"),
      policy({}, "mesh", "istio-system"),
      policy({ selector: { matchLabels: { app: "web" } } }, "chosen"),
      policy({ selector: { matchLabels: { app: "db" } } }, "not"),
      policy({ targetRefs: [{}] }, "reference"),
    ];
    expect(policiesOf(all, "istioinaction", { app: "web" }, "istio-system").map(({ metadata }) => metadata.name)).toEqual(["here", "mesh", "chosen"]);
  });
});

describe("before an AuthorizationPolicy is applied", () => {
  const line = (at: string, source: string, method = "GET", code = "200", details = "via_upstream") =>
    `${at} [${at}] "${method} /hello HTTP/1.1" ${code} - ${details} - "-" 0 19 1 0 "-" "curl/7.88.1" "36e31c5f" "web-api:8080" "10.244.0.4:8081" inbound|8081|| 127.0.0.6:41000 10.244.0.4:8081 ${source}:54412 outbound_.8080_._.web-api.istioinaction.svc.cluster.local default`;
  const mesh = fakeMesh();
  const ipOf = (workload: string) => mesh.pods().find(({ metadata }) => metadata.name.startsWith(workload))!.status!.podIP!;
  const logs = {
    async *lines({ pod }: { pod: string }) {
      if (!pod.startsWith("web-api")) return;
      yield line("2026-11-24T06:23:50.000000000Z", ipOf("istio-ingressgateway"));
      yield line("2026-11-24T06:23:51.000000000Z", ipOf("istio-ingressgateway"));
      yield line("2026-11-24T06:23:52.000000000Z", ipOf("recommendation"), "POST");
      yield line("2026-11-24T06:23:53.000000000Z", ipOf("purchase-history"), "GET", "403", "rbac_access_denied_matched_policy[none]");
    },
  } as unknown as PodLogs;
  const handle = fakeConsole({ webRoot: "/nowhere", mesh, logs });
  const look = async (body: string) => {
    const response = await handle(
      new Request("http://localhost:20001/kiali/api/security/preview", {
        method: "POST",
        headers: { host: "localhost:20001", origin: "http://localhost:20001" },
        body,
      }),
    );
    return { status: response.status, body: (await response.json()) as AuthorizationPreview };
  };
  const manifest = (rules: string, action = "ALLOW") =>
    `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: web, namespace: istioinaction}\nspec:\n  selector: {matchLabels: {app: web-api}}\n  action: ${action}\n  rules: ${rules}\n`;

  test("the callers seen that would be refused are named, with what they did", async () => {
    const { body } = await look(manifest("[{from: [{source: {namespaces: [istio-system]}}]}]"));
    expect(body.chooses).toEqual([{ namespace: "istioinaction", workload: "web-api" }]);
    expect(body).toMatchObject({
      seen: 4,
      admitted: [],
      unknown: [],
      gaps: [],
      refused: [{ from: "recommendation.istioinaction", what: "POST /hello", requests: 1, policy: "istioinaction/web" }],
    });
  });

  test("nobody seen is refused where the rule has room for all; a claim is not made up", async () => {
    expect((await look(manifest("[{to: [{operation: {methods: [GET, POST]}}]}]"))).body.refused).toEqual([]);
    expect((await look(manifest("[{from: [{source: {requestPrincipals: ['*']}}]}]"))).body.unknown.map(({ from, requests }) => [from, requests])).toEqual([
      ["istio-ingressgateway.istio-system", 2],
      ["recommendation.istioinaction", 1],
      ["purchase-history-v1.istioinaction", 1],
    ]);
  });

  test("what is no policy is told", async () => {
    expect((await look("kind: Gateway\nmetadata: {name: a}\n")).status).toBe(400);
    expect((await look("kind: AuthorizationPolicy\nmetadata: [\n")).status).toBe(400);
  });
});
