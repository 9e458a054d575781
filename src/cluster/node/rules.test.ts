import { expect, test } from "bun:test";
import type { Pod, PodSpec } from "../../resources/index.ts";
import { Backoff } from "./backoff.ts";
import { hostsFile, podHostname, resolvConf } from "./pod-files.ts";
import { qosClass } from "./qos.ts";
import { divideQuantity, parseQuantity } from "./quantity.ts";

const pod = (spec: Partial<PodSpec> = {}, name = "web"): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "ns" },
  spec: { containers: [], ...spec },
});
const dns = {
  nameserver: "10.96.0.10",
  clusterDomain: "cluster.local",
  hostResolvConf: "# host\nnameserver 192.0.2.53\nsearch example.org\noptions timeout:1\n",
};

test("quantities", () => {
  const values: [string | number, number | undefined][] = [
    ["100m", 0.1],
    ["2", 2],
    [3, 3],
    ["1Gi", 2 ** 30],
    ["1.5M", 1.5e6],
    ["1e3", 1000],
    ["5E", 5e18],
    ["x", undefined],
    ["", undefined],
    ["1 Gi", undefined],
  ];
  for (const [text, value] of values) expect([text, parseQuantity(text)]).toEqual([text, value]);
  expect([
    divideQuantity("300m", "1m"),
    divideQuantity("1500m", "1"),
    divideQuantity("1Gi", "1Mi"),
    divideQuantity("1", "0"),
    divideQuantity("1", "x"),
  ]).toEqual(["300", "2", "1024", "1", undefined]);
});

test("quality of service", () => {
  const containers = (...resources: NonNullable<PodSpec["containers"][number]["resources"]>[]) => ({
    containers: resources.map((r, i) => ({ name: `c${i}`, resources: r })),
  });
  const full = { limits: { cpu: "1", memory: "1Gi" } };
  expect(qosClass(containers({}))).toBe("BestEffort");
  expect(qosClass(containers({ requests: { cpu: "0" } }))).toBe("BestEffort");
  expect(qosClass(containers({ requests: { cpu: "10m" } }))).toBe("Burstable");
  expect(qosClass(containers(full, {}))).toBe("Burstable");
  expect(qosClass(containers(full, { limits: full.limits, requests: { cpu: "1000m", memory: "1Gi" } }))).toBe("Guaranteed");
  expect(qosClass(containers({ limits: full.limits, requests: { cpu: "500m" } }))).toBe("Burstable");
});

test("back-off: at once, then 10 s doubling to 5 min; a life of more than 10 min starts over", () => {
  const backoff = new Backoff();
  expect(backoff.remaining(0, 0)).toBe(0);
  const delays: string[] = [];
  let now = 0;
  for (let i = 0; i < 7; i++) {
    backoff.next(now);
    delays.push(backoff.text);
    now += backoff.remaining(now, now);
  }
  expect(delays).toEqual(["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]);
  expect(backoff.remaining(now + 700_000, now + 700_000)).toBe(0);
  backoff.next(now + 700_000);
  expect(backoff.text).toBe("10s");
});

test("resolv.conf by policy", () => {
  expect(resolvConf(pod(), dns)).toBe("search ns.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n");
  expect(resolvConf(pod({ dnsPolicy: "Default" }), dns)).toBe("search example.org\nnameserver 192.0.2.53\noptions timeout:1\n");
  const dnsConfig = { nameservers: ["1.1.1.1"], searches: ["x.y"], options: [{ name: "ndots", value: "2" }, { name: "edns0" }] };
  expect(resolvConf(pod({ dnsPolicy: "None", dnsConfig }), dns)).toBe("search x.y\nnameserver 1.1.1.1\noptions ndots:2 edns0\n");
  expect(resolvConf(pod({ dnsConfig }), dns)).toContain("options ndots:2 edns0\n");
});

test("hosts and hostname", () => {
  const text = hostsFile(pod({ subdomain: "db", hostAliases: [{ ip: "10.9.9.9", hostnames: ["a", "b"] }] }), "10.1.1.1", "cluster.local");
  expect(text).toContain("10.1.1.1\tweb.db.ns.svc.cluster.local\tweb\n");
  expect(text).toContain("10.9.9.9\ta\tb\n");
  expect(podHostname(pod({ hostname: "given" }))).toBe("given");
  expect(podHostname(pod({}, `${"x".repeat(62)}-tail`))).toBe("x".repeat(62));
});
