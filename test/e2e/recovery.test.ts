import { describe, expect, test } from "bun:test";
import { HAS_CLUSTER, ROOT, eventually, must, sh } from "./shell.ts";

const REQUEST = "kubectl exec -n istioinaction deploy/sleep -- curl -s -m 5 -o /dev/null -w %{http_code} http://web-api.istioinaction:8080/";

/** The host's view of a pod's process: the newest whose command line and network namespace fit is not needed, its name is. */
async function restarts(selector: string, namespace: string): Promise<number> {
  const text = await must(`kubectl get pod -n ${namespace} -l ${selector} -o jsonpath='{.items[0].status.containerStatuses[0].restartCount}'`);
  return Number(text);
}

describe.if(HAS_CLUSTER)("kill -9", () => {
  test("of a pod's process: it is started again", async () => {
    const before = await restarts("app=recommendation", "istioinaction");
    // A container's first process cannot be killed from inside its own pid namespace: the signal comes from the host.
    const pid = await hostPid("recommendation");
    process.kill(pid, "SIGKILL");
    await eventually(async () => expect(await restarts("app=recommendation", "istioinaction")).toBe(before + 1));
    await eventually(async () => expect((await sh(REQUEST)).stdout).toBe("200"));
  }, 60_000);

  test("of istiod: traffic flows on without it", async () => {
    await must("kubectl scale deploy/istiod -n istio-system --replicas=0");
    try {
      await eventually(async () => expect(await must("kubectl get pod -n istio-system -l app=istiod -o name")).toBe(""), 40_000);
      for (let i = 0; i < 5; i++) expect((await sh(REQUEST)).stdout).toBe("200");
    } finally {
      await must("kubectl scale deploy/istiod -n istio-system --replicas=1 && kubectl rollout status -n istio-system deploy/istiod --timeout=30s");
    }
  }, 90_000);

  test("of the cluster: up brings back the same objects, and versions go on", async () => {
    const objects = "kubectl get deploy,svc,cm,secret,sa,ns,peerauthentication,gateway,virtualservice -A -o jsonpath='{range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name} {.metadata.uid}{\"\\n\"}{end}'";
    const version = async () => Number(await must("kubectl get --raw '/api/v1/namespaces?limit=1' | jq -r .metadata.resourceVersion"));
    const before = { objects: await must(objects), version: await version() };
    const status = await must(`${ROOT}/bin/chainmail status`);
    process.kill(Number(/pid (\d+)/.exec(status)![1]), "SIGKILL");
    await must(`${ROOT}/bin/chainmail up`);
    expect(await must(objects)).toBe(before.objects);
    expect(await version()).toBeGreaterThanOrEqual(before.version);
    await eventually(async () => expect((await sh(REQUEST)).stdout).toBe("200"));
  }, 90_000);
});

/** The process of a fake-service by its NAME, as the host numbers it. */
async function hostPid(name: string): Promise<number> {
  const found = await must(`for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ 2>/dev/null | grep -qx NAME=${name} && grep -qz fake-service $p/cmdline && echo \${p#/proc/}; done | tail -1`);
  const pid = Number(found.trim());
  if (!(pid > 1)) throw new Error(`no process of ${name} found`);
  return pid;
}
