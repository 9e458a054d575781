// Run by in-host.ts, as in-tree.ts: NetworkPolicies, with real traffic.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BUN, OUTSIDE, POD_PROGRAM, startShared, type Shared, type TestNode, until } from "./harness.ts";

let node: TestNode;
let ips: Shared["ips"];
beforeAll(async () => ({ node, ips } = await startShared()));
afterAll(() => node.node.stop());

describe("network policies", () => {
  let other: string;
  const server = async (pod: string, port: string) => {
    const spec = node.spec(pod, [BUN, POD_PROGRAM, "serve", port, pod]);
    await node.node.runtime.startContainer(pod, spec);
    await until(() => readFileSync(spec.logPath, "utf8").includes("serving"));
  };
  beforeAll(async () => {
    other = await node.pod("other", { namespace: "elsewhere", labels: { app: "other", tier: "front" } });
    await Promise.all([server("other", "8080"), server("b", "9090"), server("a", "8080")]);
    node.namespaces.emit({ apiVersion: "v1", kind: "Namespace", metadata: { name: "elsewhere", labels: { team: "blue" } } });
  });
  afterEach(async () => {
    for (const name of ["one", "two", "three"]) await node.policy(name);
  });
  /** Of each `host:port`, or `dns`, whether a pod reaches it: all tried at once, 250 ms long. */
  const reach = async (from: string, ...targets: string[]) =>
    (await node.program(from, ["reach", ...targets])).stdout
      .split("\n")
      .map((line) => line === "open")
      .map(Number)
      .join("");
  const nodeReaches = (ip: string, port: number) =>
    node.node.runtime.dial("node", ip, port).then(
      (stream) => stream.destroy() !== undefined,
      () => false,
    );

  test("without any, all is open", async () => {
    expect(await reach("a", `${ips.b}:8080`, `${ips.b}:9090`, `${other}:8080`, "10.96.0.21:80", "dns", new URL(OUTSIDE).host)).toBe("111111");
  });

  test("default deny closes pods to pods, not to themselves, to the node and its probes, nor their answers", async () => {
    await node.policy("one", { policyTypes: ["Ingress"] });
    expect(await reach("a", `${ips.b}:8080`, "10.96.0.21:80", `${other}:8080`, `${ips.a}:8080`, "dns")).toBe("00111");
    expect(await reach("other", `${ips.a}:8080`, `${ips.b}:8080`)).toBe("00");
    expect(await reach("b", "10.96.0.21:80")).toBe("1");
    expect(await Promise.all([nodeReaches(ips.b, 8080), nodeReaches("10.96.0.21", 80)])).toEqual([true, true]);
    await node.policy("one");
    expect(await reach("a", `${ips.b}:8080`)).toBe("1");
  });

  test("ingress by pods, namespaces and ports; several policies add up", async () => {
    await node.policy("one", {
      podSelector: { matchLabels: { app: "b" } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: "a" } } }], ports: [{ port: 8080 }] }],
    });
    expect(
      await Promise.all([reach("a", `${ips.b}:8080`, `${ips.b}:9090`, `${ips.c}:8080`), reach("c", `${ips.b}:8080`), reach("other", `${ips.b}:8080`)]),
    ).toEqual(["101", "0", "0"]);
    await node.policy("two", {
      podSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["b"] }] },
      ingress: [
        {
          from: [{ namespaceSelector: { matchLabels: { team: "blue" } }, podSelector: { matchExpressions: [{ key: "tier", operator: "Exists" }] } }],
          ports: [{ port: 9000, endPort: 9999 }],
        },
      ],
    });
    expect(await Promise.all([reach("a", `${ips.b}:8080`, `${ips.b}:9090`), reach("other", `${ips.b}:8080`, `${ips.b}:9090`)])).toEqual(["10", "01"]);
    // Of another namespace, a pod's own labels are not enough.
    await node.policy("one", { podSelector: { matchLabels: { app: "b" } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: "other" } } }] }] });
    expect(await reach("other", `${ips.b}:8080`)).toBe("0");
    await node.policy("one", {
      podSelector: { matchLabels: { app: "b" } },
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "elsewhere" } } }] }],
    });
    expect(await reach("other", `${ips.b}:8080`)).toBe("1");
  });

  test("changes of pods and namespaces count at once, on standing connections too", async () => {
    await node.policy("one", {
      podSelector: { matchLabels: { app: "b" } },
      ingress: [{ from: [{ podSelector: { matchLabels: { role: "friend" } } }, { namespaceSelector: { matchLabels: { team: "blue" } } }] }],
    });
    expect(await Promise.all([reach("a", `${ips.b}:8080`), reach("other", `${ips.b}:8080`)])).toEqual(["0", "1"]);
    node.tell("a", { labels: { app: "a", role: "friend" } });
    node.namespaces.emit({ apiVersion: "v1", kind: "Namespace", metadata: { name: "elsewhere", labels: { team: "red" } } });
    await node.settled();
    expect(await Promise.all([reach("a", `${ips.b}:8080`), reach("other", `${ips.b}:8080`)])).toEqual(["1", "0"]);
    const spec = node.spec("a", [BUN, POD_PROGRAM, "late", ips.b, "8080", "200"]);
    const late = await node.node.runtime.startContainer("a", spec);
    await until(() => readFileSync(spec.logPath, "utf8").includes("connected"));
    node.tell("a");
    await node.settled();
    expect(await Promise.race([late.exited.then(() => "answered"), Bun.sleep(600).then(() => "silent")])).toBe("silent");
    late.kill("SIGKILL");
    node.namespaces.emit({ apiVersion: "v1", kind: "Namespace", metadata: { name: "elsewhere", labels: { team: "blue" } } });
  });

  test("egress: to pods by labels and named ports, to DNS, to the outside by blocks with exceptions", async () => {
    const dns = {
      to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } }, podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }],
      ports: [{ port: 53, protocol: "UDP" }],
    };
    const targets = [`${ips.b}:8080`, `${ips.b}:9090`, "10.96.0.21:80", "dns", new URL(OUTSIDE).host];
    await node.policy("one", { podSelector: { matchLabels: { app: "a" } }, policyTypes: ["Egress"] });
    expect(await Promise.all([reach("a", ...targets), reach("c", ...targets)])).toEqual(["00000", "11111"]);
    await node.policy("one", { podSelector: { matchLabels: { app: "a" } }, policyTypes: ["Egress"], egress: [dns] });
    expect(await reach("a", ...targets)).toBe("00010");
    await node.policy("one", {
      podSelector: { matchLabels: { app: "a" } },
      policyTypes: ["Egress"],
      egress: [{ to: [{ podSelector: { matchLabels: { app: "b" } } }], ports: [{ port: "web" }] }],
    });
    expect(await reach("a", ...targets)).toBe("00000");
    node.tell("b", { ports: [{ name: "web", containerPort: 8080 }] });
    await node.settled();
    expect(await reach("a", ...targets)).toBe("10100");
    const block = (except?: string[]) => ({
      podSelector: { matchLabels: { app: "a" } },
      policyTypes: ["Egress"],
      egress: [{ to: [{ ipBlock: { cidr: "192.0.2.0/24", ...(except ? { except } : {}) } }], ports: [{ port: Number(new URL(OUTSIDE).port) }] }],
    });
    await node.policy("one", block());
    expect(await reach("a", ...targets)).toBe("00001");
    await node.policy("one", block(["192.0.2.2/32"]));
    expect(await reach("a", ...targets)).toBe("00000");
    await node.policy("one", { podSelector: { matchLabels: { app: "a" } }, policyTypes: ["Egress"], egress: [{}] });
    expect(await reach("a", ...targets)).toBe("11111");
    node.tell("b");
  });

  test("ingress by a named port, and by blocks of pods' addresses", async () => {
    node.tell("b", { ports: [{ name: "metrics", containerPort: 9090 }] });
    await node.policy("one", { podSelector: { matchLabels: { app: "b" } }, ingress: [{ ports: [{ port: "metrics" }] }] });
    expect(await reach("a", `${ips.b}:8080`, `${ips.b}:9090`)).toBe("01");
    await node.policy("one", {
      podSelector: { matchLabels: { app: "b" } },
      ingress: [{ from: [{ ipBlock: { cidr: "10.244.0.0/16", except: [`${ips.c}/32`] } }] }],
    });
    expect(await Promise.all([reach("a", `${ips.b}:8080`), reach("c", `${ips.b}:8080`)])).toEqual(["1", "0"]);
    node.tell("b");
  });

  test("a policy that cannot be understood lets nothing through that it does not clearly mean", async () => {
    for (const spec of [
      { podSelector: { matchLabels: { app: "b" } }, ingress: [{ from: [{ ipBlock: { cidr: "10.244.0.0/99" } }] }] },
      { podSelector: { matchLabels: { app: "b" } }, ingress: [{ ports: [{ port: 70_000 }] }] },
      { podSelector: { matchExpressions: [{ key: "app", operator: "Like", values: ["x"] }] } },
      { podSelector: { matchLabels: { app: "b" } }, policyTypes: ["Outgress"] },
    ]) {
      await node.policy("one", spec);
      expect([JSON.stringify(spec), await reach("a", `${ips.b}:8080`)]).toEqual([JSON.stringify(spec), "0"]);
    }
    expect(node.logLines.filter((line) => line.includes("a NetworkPolicy is not understood"))).toHaveLength(4);
  });

  test("a pod is closed before its first process runs, and unknown ones are closed altogether", async () => {
    await node.policy("one", { podSelector: { matchLabels: { app: "fresh" } }, policyTypes: ["Ingress", "Egress"] });
    await node.pod("fresh");
    expect(await reach("fresh", `${ips.b}:8080`, "dns", `${other}:8080`)).toBe("000");
    await node.node.runtime.removeSandbox("fresh");
    const started = performance.now();
    const ip = (await node.node.runtime.createSandbox({ id: "stranger", hostname: "x", hostNetwork: false })).ip;
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(await Promise.all([reach("stranger", `${ips.b}:8080`, "dns"), reach("a", `${ip}:1`)])).toEqual(["00", "0"]);
    await node.node.runtime.removeSandbox("stranger");
  });

  test("many pods and policies are set up and taken away, and change fast", async () => {
    const labels = (index: number) => ({ app: `p${index}`, group: `g${index % 5}` });
    await Promise.all(Array.from({ length: 40 }, (_, index) => node.pod(`np-${index}`, { labels: labels(index) })));
    const policy = (index: number, port: number) => ({
      podSelector: { matchLabels: { group: `g${index % 5}` } },
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [{ podSelector: { matchLabels: { group: `g${(index + 1) % 5}` } } }], ports: [{ port }] }],
      egress: [{ to: [{ ipBlock: { cidr: `10.${index}.0.0/16`, except: [`10.${index}.7.0/24`] } }] }],
    });
    const started = performance.now();
    for (let index = 0; index < 30; index++) await node.policy(`many-${index}`, policy(index, 1000 + index));
    const each = (performance.now() - started) / 30;
    await node.policy("many-7", policy(7, 5555));
    console.log(`a policy over 40 pods took ${each.toFixed(1)} ms`);
    for (let index = 0; index < 30; index++) await node.policy(`many-${index}`);
    await Promise.all(Array.from({ length: 40 }, (_, index) => node.node.runtime.removeSandbox(`np-${index}`)));
    await node.settled();
    expect(node.logLines.join("")).not.toContain("the kernel refused");
    // Nothing is left of them in the kernel.
    expect(await node.tables()).not.toMatch(/np_(?!ingress|egress|local|deny)/);
  });
});
