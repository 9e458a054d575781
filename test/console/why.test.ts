import { describe, expect, test } from "bun:test";
import { parseAccessLog } from "../../src/console/api/access-log.ts";
import { type Deciding, decidersOf } from "../../src/console/api/deciders.ts";
import type { LineAnswer, WhyAnswer } from "../../src/console/api/why.ts";
import type { PodLogs } from "../../src/console/server/pod-logs.ts";
import type { KubeObject } from "../../src/resources/types.ts";
import { LAB_PODS, STRICT, fakeConsole, fakeMesh } from "./fake-mesh.ts";

const object = (kind: string, name: string, spec: unknown, namespace = "istioinaction"): KubeObject => ({
  apiVersion: `${kind === "VirtualService" || kind === "DestinationRule" ? "networking" : "security"}.istio.io/v1`,
  kind,
  metadata: { name, namespace },
  spec,
});
const OBJECTS = {
  authorizationpolicies: [
    object("AuthorizationPolicy", "deny", {
      action: "DENY",
      selector: { matchLabels: { app: "web-api" } },
      rules: [{ to: [{ operation: { methods: ["PUT"] } }] }, { to: [{ operation: { paths: ["/admin*"] } }] }],
    }),
    object("AuthorizationPolicy", "allow", { rules: [{ from: [{ source: { namespaces: ["istio-system"] } }] }] }),
    object("AuthorizationPolicy", "elsewhere", { rules: [{}] }, "other"),
    object("AuthorizationPolicy", "ask", { action: "CUSTOM", provider: { name: "opa" }, rules: [{}] }),
  ],
  requestauthentications: [
    object("RequestAuthentication", "tokens", { jwtRules: [{ issuer: "me", jwks: "{}" }] }),
    object("RequestAuthentication", "others", { selector: { matchLabels: { app: "db" } }, jwtRules: [{ issuer: "you" }] }),
  ],
  destinationrules: [
    object("DestinationRule", "limits", {
      host: "recommendation",
      trafficPolicy: { connectionPool: { http: { http2MaxRequests: 1 } }, tls: { mode: "DISABLE" } },
      subsets: [{ name: "v1" }],
    }),
  ],
  virtualservices: [
    object("VirtualService", "routes", {
      hosts: ["recommendation"],
      http: [
        { fault: { abort: { httpStatus: 503 } } },
        { timeout: "1s", route: [{ destination: { host: "recommendation", subset: "v9" } }] },
        { route: [{ destination: { host: "recommendation", subset: "v1" } }] },
      ],
    }),
  ],
};
const DECIDING = {
  peerAuthentications: [STRICT],
  authorization: OBJECTS.authorizationpolicies,
  requestAuthentications: OBJECTS.requestauthentications,
  destinationRules: OBJECTS.destinationrules,
  virtualServices: OBJECTS.virtualservices,
} as unknown as Deciding;
const webApi = LAB_PODS[1]!;

const line = (code: string, flags: string, details: string, cluster = "inbound|8081||", authority = "web-api:8080", remote = "10.244.0.9:1") =>
  `[2026-11-24T06:23:50.422Z] "GET /hello HTTP/1.1" ${code} ${flags} ${details} - "-" 0 19 1 - "-" "curl/7.88.1" "36e31c5f" "${authority}" "-" ${cluster} - 10.244.0.4:8081 ${remote} - -`;
const OUT = "outbound|8080||recommendation.istioinaction.svc.cluster.local";

describe("who decided", () => {
  test.each<[string, string, [string, string | undefined][]]>([
    [
      "plaintext",
      `[2026-11-24T06:23:53.422Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.244.0.4:8081 10.244.0.9:53142 - -`,
      [["PeerAuthentication istio-system/default", "mtls:\n  mode: STRICT\n"]],
    ],
    [
      "a DENY rule",
      line("403", "-", "rbac_access_denied_matched_policy[ns[istioinaction]-policy[deny]-rule[1]]"),
      [["AuthorizationPolicy istioinaction/deny", "to:\n  - operation:\n      paths:\n        - /admin*\n"]],
    ],
    [
      "a DENY policy that has gone since",
      line("403", "-", "rbac_access_denied_matched_policy[ns[istioinaction]-policy[gone]-rule[0]]"),
      [["AuthorizationPolicy istioinaction/gone", undefined]],
    ],
    [
      "no ALLOW rule that fits",
      line("403", "-", "rbac_access_denied_matched_policy[none]"),
      [["AuthorizationPolicy istioinaction/allow", "rules:\n  - from:\n      - source:\n          namespaces:\n            - istio-system\n"]],
    ],
    [
      "an external authorizer",
      line("403", "UAEX", "ext_authz_denied"),
      [["AuthorizationPolicy istioinaction/ask", "action: CUSTOM\nprovider:\n  name: opa\nrules:\n  - {}\n"]],
    ],
    ["a token", line("401", "-", "jwt_authn_access_denied{Jwt_is_expired}"), [["RequestAuthentication istioinaction/tokens", "jwtRules:\n  - issuer: me\n"]]],
    ["an injected fault", line("503", "FI", "fault_filter_abort", OUT), [["VirtualService istioinaction/routes", "fault:\n  abort:\n    httpStatus: 503\n"]]],
    [
      "a subset that is not there",
      line("503", "NC", "cluster_not_found", "-", "recommendation:8080"),
      [["VirtualService istioinaction/routes", "route:\n  - destination:\n      host: recommendation\n      subset: v9\n"]],
    ],
    ["a timeout", line("504", "UT", "response_timeout", OUT), [["VirtualService istioinaction/routes", "timeout: 1s\n"]]],
    [
      "a circuit breaker",
      line("503", "UO", "overflow", OUT),
      [["DestinationRule istioinaction/limits", "connectionPool:\n  http:\n    http2MaxRequests: 1\n"]],
    ],
    ["TLS that differs", line("503", "UF,URX", "upstream_reset", OUT), [["DestinationRule istioinaction/limits", "tls:\n  mode: DISABLE\n"]]],
    ["no pod", line("503", "UH", "no_healthy_upstream", "outbound|80||web.other.svc.cluster.local"), [["Service other/web", undefined]]],
    ["the application", line("500", "-", "via_upstream"), [[`Application istioinaction/${webApi.metadata.name}`, undefined]]],
    ["nobody: it went well", line("200", "-", "via_upstream"), []],
  ])("%s", (_, text, wanted) => {
    expect(decidersOf(parseAccessLog(text)!, webApi, DECIDING).map(({ kind, namespace, name, rule }) => [`${kind} ${namespace}/${name}`, rule])).toEqual(
      wanted as never,
    );
  });
});

describe("why, over the API", () => {
  const lines: Record<string, string[]> = {
    "web-api": [
      line("403", "-", "rbac_access_denied_matched_policy[ns[istioinaction]-policy[deny]-rule[1]]", "inbound|8081||", "web-api:8080", "10.244.0.7:1"),
      line("403", "-", "rbac_access_denied_matched_policy[none]"),
    ],
    sleep: [line("503", "FI", "fault_filter_abort", OUT), line("200", "-", "via_upstream", OUT)],
  };
  const logs = {
    lines: async function* ({ pod }: { pod: string }) {
      for (const text of lines[pod.replace(/-7c9.*/, "")] ?? []) yield `2026-11-24T06:23:50.422000000Z ${text}`;
    },
  } as PodLogs;
  const handle = fakeConsole({ webRoot: "/nowhere", mesh: fakeMesh({ policies: [STRICT], objects: OBJECTS }), logs });
  const headers = { host: "localhost", origin: "http://localhost" };
  const why = async (query: string) => (await (await handle(new Request(`http://localhost/kiali/api/security/why?${query}`, { headers }))).json()) as WhyAnswer;

  test("an edge with 403s: the rule, and the proxy that carried it out", async () => {
    const { decided, lines: shown } = await why("namespace=istioinaction&workload=web-api&fromNamespace=istioinaction&fromWorkload=sleep");
    expect(decided.map(({ kind, name, proxy }) => [kind, name, proxy])).toEqual([["AuthorizationPolicy", "deny", webApi.metadata.name]]);
    expect(shown).toHaveLength(1);
  });

  test("an edge that failed at its source is decided there", async () => {
    const { decided } = await why("namespace=istioinaction&workload=recommendation&fromNamespace=istioinaction&fromWorkload=sleep");
    expect(decided.map(({ kind, name, proxy }) => [kind, name, proxy.replace(/-7c9.*/, "")])).toEqual([["VirtualService", "routes", "sleep"]]);
    expect((await why("namespace=istioinaction&service=recommendation&fromNamespace=istioinaction&fromWorkload=sleep")).decided).toEqual(decided);
  });

  test("without access logs the refusal's own reason tells", async () => {
    const { decided } = await why(
      "namespace=istioinaction&workload=recommendation&fromNamespace=default&fromWorkload=sleep&port=8080&reason=filter_chain_not_found",
    );
    expect(decided.map(({ kind, name }) => [kind, name])).toEqual([["PeerAuthentication", "default"]]);
  });

  test("one line of a log, and what is none", async () => {
    const ask = (body: string) =>
      handle(new Request(`http://localhost/kiali/api/security/line?namespace=istioinaction&pod=${webApi.metadata.name}`, { method: "POST", headers, body }));
    expect(((await (await ask(lines["web-api"]![0]!)).json()) as LineAnswer).decided).toMatchObject([
      { kind: "AuthorizationPolicy", name: "deny", proxy: webApi.metadata.name },
    ]);
    expect((await ask("listening on :8081")).status).toBe(400);
  });
});
