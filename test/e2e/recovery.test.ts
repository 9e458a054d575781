import { describe, expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { HAS_CLUSTER, ROOT, eventually, must, sh } from "./shell.ts";

const REQUEST = "kubectl exec -n istioinaction deploy/sleep -- curl -s -m 5 -o /dev/null -w %{http_code} http://web-api.istioinaction:8080/";

async function restarts(selector: string, namespace: string): Promise<number> {
  const text = await must(`kubectl get pod -n ${namespace} -l ${selector} -o jsonpath='{.items[0].status.containerStatuses[0].restartCount}'`);
  return Number(text);
}

describe.if(HAS_CLUSTER)("kill -9", () => {
  test("of a pod's process: it is started again", async () => {
    const before = await restarts("app=recommendation", "istioinaction");
    // A container's first process cannot be killed from inside its own pid namespace: the signal comes from the host.
    process.kill(
      await hostPid("recommendation", (environment, command) => environment.includes("NAME=recommendation") && command.includes("fake-service")),
      "SIGKILL",
    );
    await eventually(async () => expect(await restarts("app=recommendation", "istioinaction")).toBe(before + 1));
    await eventually(async () => expect((await sh(REQUEST)).stdout).toBe("200"));
  }, 60_000);

  test("of istiod: it is started again, and traffic never stops", async () => {
    const before = await restarts("app=istiod", "istio-system");
    process.kill(await hostPid("pilot-discovery", (_, command) => command.includes("pilot-discovery.js")), "SIGKILL");
    for (let i = 0; i < 3; i++) expect((await sh(REQUEST)).stdout).toBe("200");
    await eventually(async () => expect(await restarts("app=istiod", "istio-system")).toBe(before + 1));
    await must("kubectl rollout status -n istio-system deploy/istiod --timeout=30s");
    expect((await sh(REQUEST)).stdout).toBe("200");
  }, 90_000);

  test("of istiod for good: traffic flows on without it", async () => {
    await must("kubectl scale deploy/istiod -n istio-system --replicas=0");
    try {
      await eventually(async () => expect(await must("kubectl get pod -n istio-system -l app=istiod -o name")).toBe(""), 40_000);
      for (let i = 0; i < 5; i++) expect((await sh(REQUEST)).stdout).toBe("200");
    } finally {
      await must("kubectl scale deploy/istiod -n istio-system --replicas=1 && kubectl rollout status -n istio-system deploy/istiod --timeout=30s");
    }
  }, 90_000);

  test("of the cluster: up brings back the same objects, and versions go on", async () => {
    const objects =
      "kubectl get deploy,svc,cm,secret,sa,ns,peerauthentication,gateway,virtualservice -A -o jsonpath='{range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name} {.metadata.uid}{\"\\n\"}{end}'";
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

/** The newest process whose environment and command line fit, as the host numbers it. Only those of this cluster's tree. */
async function hostPid(what: string, fits: (environment: string[], command: string) => boolean): Promise<number> {
  const outer = Number(/pid (\d+)/.exec(await must(`${ROOT}/bin/chainmail status`))![1]);
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = Number(
      read(`/proc/${entry}/stat`)
        .replace(/^.*\) /s, "")
        .split(" ")[1],
    );
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found: number[] = [];
  for (const queue = [outer]; queue.length > 0;) {
    const pid = queue.pop()!;
    queue.push(...(children.get(pid) ?? []));
    const command = read(`/proc/${pid}/cmdline`);
    // The wrappers of a container name the program too: the program itself is Bun.
    if (/^\S*bun\0/.test(command) && fits(read(`/proc/${pid}/environ`).split("\0"), command)) found.push(pid);
  }
  const pid = found.at(-1);
  if (pid === undefined) throw new Error(`no process of ${what} found`);
  return pid;
}

/** A file of /proc, empty when its process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
