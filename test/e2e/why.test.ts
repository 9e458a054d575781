import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { LineAnswer, WhyAnswer } from "../../src/console/api/why.ts";
import { type Dashboard, openDashboard } from "./dashboard.ts";
import { HAS_CLUSTER, eventually, must, sh } from "./shell.ts";

const selector = (app: string) => `selector: {matchLabels: {app: ${app}}}`;
const POLICIES = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: istioinaction}
spec: {action: DENY, ${selector("web-api")}, rules: [{to: [{operation: {methods: [TRACE], ports: ["8081"]}}]}, {to: [{operation: {paths: ["/admin*"], ports: ["8081"]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-web-api, namespace: istioinaction}
spec: {${selector("recommendation")}, rules: [{from: [{source: {principals: [cluster.local/ns/istioinaction/sa/web-api]}}]}]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istioinaction}
spec: {${selector("purchase-history")}, jwtRules: [{issuer: someone, jwks: '{"keys":[{"kty":"RSA","kid":"k","e":"AQAB","n":"xAE7eB6qugXyCAG3yhh7pkDkT65pHymX-P7KfIupjf59vsdo91bSP9C8H07pSAGQO1MV_xFj9VswgsCg4R6otmg5PV2He95lZdHtOcU5DXIg_pbhLdKXbi66GlVeK6ABZOUW3WYtnNHD-91gVuoeJT_DwtGGcp4ignkgXfkiEm4sw-4sfb4qdt5oLbyVpmW6x9cfa7vs2WTfURiCrBoUqgBo_-4WTiULmmHSGZHOjzwa8WtrtOQGsAFjIbno85jp6MnGGGZPYZbDAa_b3y5u-YpW7ypZrvD8BgtKVjgtQgZhLAGezMt0ua3DRrWnKqTZ0BJ_EyxOGuHJrLsn00fnMQ"}]}'}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: faulty, namespace: istioinaction}
spec: {hosts: [purchase-history], http: [{match: [{headers: {user: {exact: Amy}}}], fault: {abort: {httpStatus: 503, percentage: {value: 100}}}, route: [{destination: {host: purchase-history}}]}, {route: [{destination: {host: purchase-history}}]}]}
`;
const call = (rest: string) => `kubectl exec deploy/sleep -n istioinaction -c sleep -- curl -s -o /dev/null -w '%{http_code}' ${rest}`;

/** From a refused caller to what decided, on the live mesh: each case is a refusal, and what the console must name for it. */
describe.if(HAS_CLUSTER)("why was this refused", () => {
  let dashboard: Dashboard;

  beforeAll(async () => {
    await must("kubectl apply -f -", { input: POLICIES });
    await must("kubectl apply -n default -f sample-apps/sleep.yaml && kubectl rollout status -n default deploy/sleep --timeout=30s");
    dashboard = await openDashboard();
  }, 60_000);

  afterAll(async () => {
    await dashboard?.stop();
    await must("kubectl delete -f -", { input: POLICIES });
    await sh("kubectl delete -n default -f sample-apps/sleep.yaml --wait=true");
  }, 60_000);

  const decided = async (workload: string, from: [string, string], more: Record<string, string> = {}): Promise<WhyAnswer> => {
    const query = new URLSearchParams({ namespace: "istioinaction", workload, fromNamespace: from[0], fromWorkload: from[1], ...more });
    return (await (await fetch(`${dashboard.url}/api/security/why?${query}`)).json()) as WhyAnswer;
  };

  test.each<[string, string, string, string, [string, string], RegExp]>([
    [
      "AuthorizationPolicy DENY: the rule that matched",
      call("http://web-api:8080/admin/x"),
      "403",
      "web-api",
      ["AuthorizationPolicy", "no-admin"],
      /paths:\n\s+- \/admin\*/,
    ],
    ["no ALLOW rule that fits", call("http://recommendation:8080/"), "403", "recommendation", ["AuthorizationPolicy", "only-web-api"], /sa\/web-api/],
    [
      "a token that is none",
      call("-H 'Authorization: Bearer abc.def.ghi' http://purchase-history:8080/"),
      "401",
      "purchase-history-v1",
      ["RequestAuthentication", "tokens"],
      /issuer: someone/,
    ],
    ["an injected fault", call("-H 'user: Amy' http://purchase-history:8080/"), "503", "purchase-history-v1", ["VirtualService", "faulty"], /httpStatus: 503/],
  ])(
    "%s",
    async (_, command, code, workload, wanted, rule) => {
      // A policy is in force some milliseconds after it was applied.
      await eventually(async () => expect((await sh(command)).stdout).toBe(code));
      await eventually(async () => {
        const found = (await decided(workload, ["istioinaction", "sleep"])).decided.find(({ kind, name }) => kind === wanted[0] && name === wanted[1]);
        expect(found?.rule).toMatch(rule);
        expect(found?.proxy).toStartWith(wanted[0] === "VirtualService" ? "sleep-" : `${workload}-`);
      });
    },
    60_000,
  );

  test("STRICT against plaintext: the policy, the proxy, the caller by name, and the same from the log's line", async () => {
    await eventually(async () => expect((await sh("kubectl exec deploy/sleep -n default -- curl -s http://web-api.istioinaction:8080/")).exitCode).toBe(56));
    const answer = await eventually(async () => {
      const seen = await decided("web-api", ["default", "sleep"], { port: "8081", reason: "filter_chain_not_found" });
      expect(seen.lines.length).toBeGreaterThan(0);
      return seen;
    });
    expect(answer.decided).toMatchObject([{ kind: "PeerAuthentication", namespace: "istio-system", name: "default", rule: "mtls:\n  mode: STRICT\n" }]);
    expect(answer.caller).toEqual({ name: "sleep.default", sidecar: false, known: true });
    const [line] = answer.lines;
    const asked = await fetch(`${dashboard.url}/api/security/line?${new URLSearchParams({ namespace: "istioinaction", pod: line!.pod })}`, {
      method: "POST",
      body: line!.message,
      headers: { origin: new URL(dashboard.url).origin },
    });
    expect(((await asked.json()) as LineAnswer).decided).toEqual(answer.decided);
  }, 60_000);
});
