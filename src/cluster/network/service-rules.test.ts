import { describe, expect, test } from "bun:test";
import type { ServiceEntry } from "./service-entry.ts";
import { desiredRules, diffRules, type RuleState } from "./service-rules.ts";

const OPTIONS = { nodeIp: "10.244.0.1", localAddresses: ["10.96.0.1"] };
const EMPTY: RuleState = { elements: new Map(), chains: new Map() };

function entry(clusterIP: string, endpoints: string[], more: Partial<ServiceEntry> & { nodePort?: number } = {}): ServiceEntry {
  const { nodePort, ...rest } = more;
  const ports = [
    { protocol: "tcp" as const, port: 80, endpoints: endpoints.map((ip) => ({ ip, port: 8080 })), ...(nodePort === undefined ? {} : { nodePort }) },
  ];
  return { key: `ns/${clusterIP}`, clusterIP, externalIPs: [], loadBalancer: false, sticky: false, ports, ...rest };
}

const commands = (from: RuleState, to: RuleState) =>
  diffRules(from, to)
    .map((change) => change.commands)
    .join("");

describe("service rules", () => {
  test("a new service: its chain, its rule, then the way to it", () => {
    expect(commands(EMPTY, desiredRules([entry("10.96.0.20", ["10.244.0.2", "10.244.0.3"])], OPTIONS))).toBe(
      [
        "add chain ip chainmail svc_10.96.0.20_tcp_80",
        "add rule ip chainmail svc_10.96.0.20_tcp_80 meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.0.2 . 8080, 1 : 10.244.0.3 . 8080 }",
        "add element ip chainmail services { 10.96.0.20 . tcp . 80 : goto svc_10.96.0.20_tcp_80 }",
        "",
      ].join("\n"),
    );
  });

  test("changed endpoints touch the chain alone", () => {
    const from = desiredRules([entry("10.96.0.20", ["10.244.0.2"]), entry("10.96.0.21", ["10.244.0.2"])], OPTIONS);
    const to = desiredRules([entry("10.96.0.20", ["10.244.0.3"]), entry("10.96.0.21", ["10.244.0.2"])], OPTIONS);
    expect(commands(from, to)).toBe(
      "flush chain ip chainmail svc_10.96.0.20_tcp_80\nadd rule ip chainmail svc_10.96.0.20_tcp_80 meta l4proto tcp dnat ip to 10.244.0.3:8080\n",
    );
    expect(diffRules(to, to)).toEqual([]);
  });

  test("without endpoints nothing leads to the service any more, and its chain goes last", () => {
    const from = desiredRules([entry("10.96.0.20", ["10.244.0.2"])], OPTIONS);
    const to = desiredRules([entry("10.96.0.20", [])], OPTIONS);
    expect(commands(from, to)).toBe(
      "delete element ip chainmail services { 10.96.0.20 . tcp . 80 }\nflush chain ip chainmail svc_10.96.0.20_tcp_80\ndelete chain ip chainmail svc_10.96.0.20_tcp_80\n",
    );
  });

  test("affinity hashes the source, node ports and external addresses lead to the same chain", () => {
    const state = desiredRules([entry("10.96.0.20", ["10.244.0.2", "10.244.0.3"], { sticky: true, externalIPs: ["203.0.113.7"], nodePort: 30080 })], OPTIONS);
    expect([...state.elements.keys()]).toEqual(["10.96.0.20 . tcp . 80", "203.0.113.7 . tcp . 80", "10.244.0.1 . tcp . 30080"]);
    expect([...state.chains.values()][0]).toContain("jhash ip saddr mod 2");
  });

  test("addresses that the cluster process serves are left to it", () => {
    expect(desiredRules([entry("10.96.0.1", ["192.0.2.1"])], OPTIONS).elements.size).toBe(0);
  });

  test("many services are split into transactions, each of which records what it did", () => {
    const many = Array.from({ length: 500 }, (_, index) => entry(`10.97.${index >> 8}.${index & 255}`, ["10.244.0.2", "10.244.0.3"]));
    const wanted = desiredRules(many, OPTIONS);
    const changes = diffRules(EMPTY, wanted);
    expect(changes.length).toBeGreaterThan(4);
    const state: RuleState = { elements: new Map(), chains: new Map() };
    for (const change of changes) {
      expect(change.commands.length).toBeLessThanOrEqual(20_000);
      change.apply(state);
    }
    expect(state).toEqual(wanted);
  });
});
