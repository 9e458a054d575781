import { describe, expect, test } from "bun:test";
import { FakeClock } from "../../base/index.ts";
import { Cluster_LbPolicy as Policy } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { HealthStatus } from "../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import { hash53 } from "./hash-table.ts";
import { StatScope } from "../telemetry/stat-scope.ts";
import { Host } from "./host.ts";
import { LoadBalancer } from "./load-balancer.ts";
import { compileOutlierDetection, OutlierDetector } from "./outlier-detection.ts";
import { PrioritySet, type PriorityOptions } from "./priority-set.ts";
import { create } from "@bufbuild/protobuf";
import { OutlierDetectionSchema } from "../../proto/gen/envoy/config/cluster/v3/outlier_detection_pb.ts";

let next = 0;
const host = (options: { weight?: number; health?: HealthStatus; priority?: number } = {}): Host =>
  new Host({
    address: { address: "10.0.0.1", port: ++next },
    hostname: "",
    weight: options.weight ?? 1,
    priority: options.priority ?? 0,
    locality: undefined,
    health: options.health ?? HealthStatus.HEALTHY,
    metadata: {},
  });

/** A repeatable random source (a linear congruential generator). */
function seeded(seed = 1): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
}

function balancer(groups: Host[][], policy = Policy.ROUND_ROBIN, options: Partial<PriorityOptions> = {}): { lb: LoadBalancer; set: PrioritySet } {
  const set = new PrioritySet({ panicThreshold: 50, overprovisioning: 140, localityWeighted: false, ...options });
  set.update(groups.map((hosts, priority) => ({ priority, weight: 1, hosts })));
  return { set, lb: new LoadBalancer(set, { policy, choices: 2, minRingSize: 1024, maglevTableSize: 251, random: seeded() }) };
}

function shares(lb: LoadBalancer, draws = 4000): Map<Host | undefined, number> {
  const counts = new Map<Host | undefined, number>();
  for (let i = 0; i < draws; i++) {
    const chosen = lb.choose();
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1 / draws);
  }
  return counts;
}

describe("policies", () => {
  test("round robin takes turns, by weight", () => {
    const hosts = [host(), host(), host()];
    const { lb } = balancer([hosts]);
    const turns = Array.from({ length: 6 }, () => lb.choose());
    expect(new Set(turns.slice(0, 3)).size).toBe(3);
    expect(turns.slice(3)).toEqual(turns.slice(0, 3));
    const [light, heavy] = [host({ weight: 1 }), host({ weight: 3 })];
    const counts = shares(balancer([[light, heavy]]).lb, 400);
    expect(counts.get(heavy)).toBeCloseTo(0.75, 5);
  });

  test("least request prefers the idle one", () => {
    const [busy, idle] = [host(), host()];
    busy.rqActive = 10;
    const counts = shares(balancer([[busy, idle]], Policy.LEAST_REQUEST).lb);
    // Two random picks: the busy one only when both are it.
    expect(counts.get(idle)).toBeCloseTo(0.75, 1);
  });

  test("random follows weights", () => {
    const [a, b] = [host({ weight: 1 }), host({ weight: 4 })];
    expect(shares(balancer([[a, b]], Policy.RANDOM).lb).get(b)).toBeCloseTo(0.8, 1);
  });

  for (const policy of [Policy.RING_HASH, Policy.MAGLEV]) {
    test(`${Policy[policy]}: a hash stays with its host when another one leaves`, () => {
      const hosts = [host(), host(), host(), host()];
      const { lb, set } = balancer([hosts], policy);
      const keys = Array.from({ length: 400 }, (_, index) => hash53(`user ${index}`));
      const before = keys.map((hash) => lb.choose({ hash }));
      expect(new Set(before).size).toBe(4);
      set.update([{ priority: 0, weight: 1, hosts: hosts.slice(1) }]);
      const moved = keys.filter((hash, index) => before[index] !== hosts[0] && lb.choose({ hash }) !== before[index]).length;
      expect(moved / keys.length).toBeLessThan(0.12);
    });
  }
});

describe("health and priorities", () => {
  const sick = { health: HealthStatus.UNHEALTHY };

  test("sick hosts get nothing", () => {
    const [well, ill] = [host(), host(sick)];
    const counts = shares(balancer([[well, ill, host()]]).lb, 100);
    expect(counts.has(ill)).toBe(false);
  });

  test("a priority with enough health takes all, then the next one takes the rest", () => {
    const first = [host(), host(), host(), host(sick)];
    const second = [host({ priority: 1 })];
    expect(shares(balancer([first, second]).lb).get(second[0])).toBeUndefined();
    const half = [host(), host(sick)];
    // 50 % health times 1.4 is 70 %: the rest fails over.
    expect(shares(balancer([half, second]).lb).get(second[0])).toBeCloseTo(0.3, 1);
    expect(shares(balancer([[host(sick)], second]).lb).get(second[0])).toBeCloseTo(1, 5);
  });

  test("in a panic health is ignored, unless panic is off", () => {
    const ill = [host(sick), host(sick)];
    expect(shares(balancer([ill]).lb, 100).has(undefined)).toBe(false);
    expect(balancer([ill], Policy.ROUND_ROBIN, { panicThreshold: 0 }).lb.choose()).toBeUndefined();
    const most = [host(), host(sick), host(sick), host(sick)];
    expect(shares(balancer([most]).lb, 400).size).toBe(4);
    expect(shares(balancer([most], Policy.ROUND_ROBIN, { panicThreshold: 0 }).lb, 400).size).toBe(1);
  });

  test("localities share by weight", () => {
    const set = new PrioritySet({ panicThreshold: 50, overprovisioning: 140, localityWeighted: true });
    const [near, far] = [host(), host()];
    set.update([
      { priority: 0, weight: 80, hosts: [near] },
      { priority: 0, weight: 20, hosts: [far] },
    ]);
    const lb = new LoadBalancer(set, { policy: Policy.ROUND_ROBIN, choices: 2, minRingSize: 1024, maglevTableSize: 251, random: seeded() });
    expect(shares(lb).get(near)).toBeCloseTo(0.8, 1);
  });

  test("no hosts, no choice", () => {
    expect(balancer([[]]).lb.choose()).toBeUndefined();
  });
});

describe("outlier detection", () => {
  const detector = (hosts: Host[], config: Parameters<typeof create<typeof OutlierDetectionSchema>>[1]) => {
    const clock = new FakeClock();
    const compiled = compileOutlierDetection(create(OutlierDetectionSchema, config));
    if (!compiled) throw new Error("no configuration");
    return {
      clock,
      detector: new OutlierDetector(
        compiled,
        () => hosts,
        () => {},
        clock,
        () => 0,
        new StatScope("cluster.c"),
      ),
    };
  };

  test("five errors in a row eject a host, a good answer in between forgives", () => {
    const hosts = [host(), host()];
    const [first] = hosts as [Host];
    const { clock, detector: outlier } = detector(hosts, { maxEjectionPercent: 50 });
    for (const status of [500, 500, 500, 500, 200, 500, 500, 500, 500]) outlier.onResponse(first, status);
    expect(first.ejected).toBe(false);
    outlier.onResponse(first, 500);
    expect(first.ejected).toBe(true);
    clock.advance(20_000);
    expect(first.ejected).toBe(true);
    clock.advance(20_000);
    expect(first.ejected).toBe(false);
    outlier.stop();
  });

  test("longer each time, and never more than the share", () => {
    const hosts = [host(), host(), host(), host()];
    const { clock, detector: outlier } = detector(hosts, { consecutive5xx: 1, maxEjectionPercent: 50 });
    for (const each of hosts) outlier.onResponse(each, 503);
    expect(hosts.map((each) => each.ejected)).toEqual([true, true, false, false]);
    clock.advance(30_000);
    expect(hosts.some((each) => each.ejected)).toBe(false);
    outlier.onResponse(hosts[0] as Host, 500);
    clock.advance(50_000);
    expect(hosts[0]?.ejected).toBe(true);
    clock.advance(10_000);
    expect(hosts[0]?.ejected).toBe(false);
    outlier.stop();
  });

  test("failed connections count as gateway errors", () => {
    const hosts = [host(), host()];
    const { detector: outlier } = detector(hosts, {
      consecutive5xx: 0xffff,
      consecutiveGatewayFailure: 2,
      enforcingConsecutiveGatewayFailure: 100,
      maxEjectionPercent: 50,
    });
    outlier.onLocalFailure(hosts[0] as Host);
    outlier.onResponse(hosts[0] as Host, 503);
    expect(hosts[0]?.ejected).toBe(true);
    outlier.stop();
  });
});
