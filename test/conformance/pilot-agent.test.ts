import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { findEnvoy } from "../../src/cli/envoy.ts";
import { EnvoyCluster, eventually, reasonToSkip } from "./cluster.ts";
import { findIstio, istioSource } from "./istio-programs.ts";

const skip = reasonToSkip();
const agent = skip === undefined ? findIstio("pilot-agent") : { reason: skip };
const template = agent.path ? istioSource("tools/packaging/common/envoy_bootstrap.json") : agent;
const reason = agent.reason ?? template.reason;

/** Injected by our webhook from the gateway's template, with Istio's agent and Envoy in the place of our proxy. */
const OBJECTS = `apiVersion: v1
kind: Namespace
metadata: {name: real, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: real-gateway, namespace: real}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: real-gateway, namespace: real}
spec:
  selector: {matchLabels: {istio: real-gateway}}
  template:
    metadata:
      labels: {istio: real-gateway, sidecar.istio.io/inject: "true"}
      annotations:
        inject.istio.io/templates: gateway
        sidecar.istio.io/proxyImage: conformance/agent:1
        proxy.istio.io/config: "binaryPath: /opt/envoy/envoy"
    spec:
      serviceAccountName: real-gateway
      containers:
      - name: istio-proxy
        image: auto
        securityContext: {runAsUser: 1338, runAsGroup: 1338}
        env:
        - {name: ISTIO_META_CHAINMAIL_DIALECT, value: envoy}
        - {name: ISTIO_META_CHAINMAIL_TELEMETRY_PATH, value: /dev/null}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: real, namespace: real}
spec:
  selector: {istio: real-gateway}
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: real, namespace: real}
spec:
  hosts: ["*"]
  gateways: [real]
  http: [{route: [{destination: {host: web-api.istioinaction.svc.cluster.local, port: {number: 8080}}}]}]
`;
const STRICT = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n";
const only = (principal: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: only, namespace: istioinaction}\nspec: {selector: {matchLabels: {app: web-api}}, rules: [{from: [{source: {principals: ["${principal}"]}}]}]}\n`;

describe.skipIf(reason !== undefined)(`the real pilot-agent with a real Envoy on our istiod${reason ? ` (skipped: ${reason})` : ""}`, () => {
  let cluster: EnvoyCluster;
  const GATEWAY = "deploy/real-gateway.real";

  beforeAll(async () => {
    cluster = await EnvoyCluster.start("agent", "");
    await cluster.chainmail("lab --no-shell");
    await cluster.must(
      `chainmail image add conformance/agent:1 --user 1338:1338 --exec ${agent.path} --mount ${findEnvoy(process.env.CHAINMAIL_ENVOY).path}:/opt/envoy/envoy --mount ${template.path}:/var/lib/istio/envoy/envoy_bootstrap_tmpl.json`,
    );
    await cluster.must("kubectl apply -f -", OBJECTS);
    await cluster.must("kubectl rollout status -n real deploy/real-gateway --timeout=60s");
  }, 180_000);
  afterAll(() => cluster?.stop(), 60_000);

  test("it gets its certificate from our CA", async () => {
    const secrets = await cluster.must(`istioctl proxy-config secret ${GATEWAY}`);
    expect(secrets).toMatch(/^default +Cert Chain +ACTIVE +true/m);
    expect(secrets).toMatch(/^ROOTCA +CA +ACTIVE +true/m);
    const chain = await cluster.must(
      `istioctl proxy-config secret ${GATEWAY} -o json | jq -r '.dynamicActiveSecrets[] | select(.name == "default").secret.tlsCertificate.certificateChain.inlineBytes' | base64 -d | openssl x509 -noout -text`,
    );
    expect(chain).toContain("URI:spiffe://cluster.local/ns/real/sa/real-gateway");
  }, 60_000);

  test("its Envoy has refused nothing, and runs what istiod would send it", async () => {
    expect(await cluster.must(`istioctl proxy-status ${GATEWAY}`)).toMatch(/^Clusters Match\nListeners Match\nRoutes Match/);
    const rejected = await cluster.must(
      "kubectl exec -n real deploy/real-gateway -- /opt/chainmail/exec/pilot-agent request GET 'stats?filter=update_rejected'",
    );
    expect(rejected.split("\n").filter((line) => /: [1-9]/.test(line))).toEqual([]);
  }, 60_000);

  test("under STRICT it calls our proxies with its identity, and policies know it", async () => {
    await cluster.must("kubectl apply -f -", STRICT);
    const address = await cluster.must("kubectl get pod -n real -l istio=real-gateway -o jsonpath='{.items[0].status.podIP}'");
    const call = `kubectl exec -n istioinaction deploy/sleep -c sleep -- curl -s -m 5 -o /dev/null -w %{http_code} http://${address}:8080/`;
    await eventually(async () => expect(await cluster.must(call)).toBe("200"));
    await cluster.must("kubectl apply -f -", only("cluster.local/ns/real/sa/other"));
    await eventually(async () => expect(await cluster.must(call)).toBe("403"));
    await cluster.must("kubectl apply -f -", only("cluster.local/ns/real/sa/real-gateway"));
    await eventually(async () => expect(await cluster.must(call)).toBe("200"));
    await cluster.must("kubectl delete -f -", only("x"));
  }, 90_000);

  test("a change of routes reaches its Envoy", async () => {
    await cluster.must(`kubectl patch virtualservice real -n real --type=merge -p '{"spec":{"http":[{"directResponse":{"status":418}}]}}'`);
    const address = await cluster.must("kubectl get pod -n real -l istio=real-gateway -o jsonpath='{.items[0].status.podIP}'");
    await eventually(async () =>
      expect(
        await cluster.must(`kubectl exec -n istioinaction deploy/sleep -c sleep -- curl -s -m 5 -o /dev/null -w %{http_code} http://${address}:8080/`),
      ).toBe("418"),
    );
  }, 60_000);
});
