import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HAS_CLUSTER, eventually, must, sh } from "./shell.ts";

// What the kernel does with policies is tried in test/runtime; here it is that they take the way from kubectl to the kernel.
const NAMESPACE = "policies";
const inPod = (pod: string, command: string) => sh(`kubectl exec -n ${NAMESPACE} ${pod} -- sh -c '${command}'`);
const reach = async (from: string, url: string) => (await inPod(from, `curl -s -o /dev/null -m 1 -w %{http_code} ${url}`)).stdout === "200";
const apply = (name: string, spec: string) =>
  must("kubectl apply -f -", {
    input: `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ${name}, namespace: ${NAMESPACE}}\nspec: ${spec}\n`,
  });

describe.if(HAS_CLUSTER)("NetworkPolicies", () => {
  let server: string;
  beforeAll(async () => {
    await must(`kubectl create namespace ${NAMESPACE}`);
    await must(`kubectl run server -n ${NAMESPACE} --image=nicholasjackson/fake-service:v0.7.8 --port=9090 --expose -l app=server`);
    for (const client of ["friend", "stranger"]) await must(`kubectl run ${client} -n ${NAMESPACE} --image=curlimages/curl -l app=${client} -- sleep 10000`);
    await must(`kubectl wait -n ${NAMESPACE} --for=condition=Ready pod --all --timeout=30s`);
    server = `http://server.${NAMESPACE}:9090/`;
    await eventually(async () => expect(await reach("friend", server)).toBe(true));
  }, 60_000);
  afterAll(() => must(`kubectl delete pod -n ${NAMESPACE} --all --force --grace-period=0; kubectl delete namespace ${NAMESPACE}`));

  test("what kubectl applies, the kernel does by the next packet; probes pass", async () => {
    await apply(
      "server",
      "{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}], ports: [{port: 9090}]}]}",
    );
    expect(await Promise.all([reach("friend", server), reach("stranger", server)])).toEqual([true, false]);
    await must(`kubectl label pod stranger -n ${NAMESPACE} app=friend --overwrite`);
    expect(await reach("stranger", server)).toBe(true);
    await must(`kubectl label pod stranger -n ${NAMESPACE} app=stranger --overwrite`);
    expect(await reach("stranger", server)).toBe(false);
    expect(
      await must(`kubectl get pod server -n ${NAMESPACE} -o jsonpath='{.status.containerStatuses[0].ready} {.status.containerStatuses[0].restartCount}'`),
    ).toBe("true 0");
    expect(await must(`kubectl describe networkpolicy server -n ${NAMESPACE}`)).toContain("PodSelector:     app=server");
    await must(`kubectl delete networkpolicy server -n ${NAMESPACE}`);
    expect(await reach("stranger", server)).toBe(true);
  }, 40_000);

  test("default deny of egress closes names too; DNS is let through as on a real cluster; pods of the mesh are not touched", async () => {
    await apply("egress", "{podSelector: {matchLabels: {app: friend}}, policyTypes: [Egress]}");
    expect(await reach("friend", server)).toBe(false);
    await apply(
      "egress",
      "{podSelector: {matchLabels: {app: friend}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}",
    );
    expect((await inPod("friend", `curl -s -m 1 -o /dev/null ${server}; echo $?`)).stdout).toBe("28\n");
    await apply("egress", "{podSelector: {matchLabels: {app: friend}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}");
    expect(await Promise.all([reach("friend", server), reach("stranger", server)])).toEqual([true, true]);
    expect((await sh("kubectl exec -n istioinaction deploy/sleep -- curl -s -o /dev/null -w %{http_code} http://web-api.istioinaction:8080/")).stdout).toBe(
      "200",
    );
  }, 40_000);

  test("one that is no policy is refused, with the field's path", async () => {
    const refused = await sh("kubectl apply -f -", {
      input: `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: bad, namespace: ${NAMESPACE}}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/99}}]}]}\n`,
    });
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.0.0.0/99"')]);
  });

  test("a new pod is closed before it can say a word", async () => {
    await apply("fresh", "{podSelector: {matchLabels: {app: fresh}}, policyTypes: [Ingress, Egress]}");
    const ip = await must(`kubectl get pod server -n ${NAMESPACE} -o jsonpath='{.status.podIP}'`);
    await must(`kubectl run fresh -n ${NAMESPACE} --image=curlimages/curl -l app=fresh --restart=Never -- curl -s -m 1 http://${ip}:9090/`);
    await eventually(
      async () => expect(await must(`kubectl get pod fresh -n ${NAMESPACE} -o jsonpath='{.status.containerStatuses[0].state.terminated.exitCode}'`)).toBe("28"),
      10_000,
    );
  }, 20_000);
});
