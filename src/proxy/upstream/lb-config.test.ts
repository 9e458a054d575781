import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "bun:test";
import { Cluster_LbPolicy as Policy, Cluster_SlowStartConfigSchema, ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { HealthStatus } from "../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import { loadRegistry } from "../../proto/index.ts";
import { typed } from "../test-support/plain-config.ts";
import { Host } from "./host.ts";
import { compileLb } from "./lb-config.ts";
import { LoadBalancer } from "./load-balancer.ts";
import { PrioritySet } from "./priority-set.ts";
import { compileSlowStart, SlowStart } from "./slow-start.ts";

async function lbOf(json: JsonObject): Promise<ReturnType<typeof compileLb>> {
  return compileLb(fromJson(ClusterSchema, { name: "c", ...json }, { registry: await loadRegistry() }));
}

const extension = (name: string, config: JsonObject = {}): JsonObject => ({ typedExtensionConfig: { name, typedConfig: typed(name, config) } });
const LB = "envoy.extensions.load_balancing_policies";

describe("load_balancing_policy", () => {
  test("says what lb_policy and its own messages say", async () => {
    expect(await lbOf({ loadBalancingPolicy: { policies: [extension(`${LB}.least_request.v3.LeastRequest`, { choiceCount: 5 })] } })).toMatchObject({
      policy: Policy.LEAST_REQUEST,
      choices: 5,
      localityWeighted: false,
    });
    expect(
      await lbOf({ loadBalancingPolicy: { policies: [extension(`${LB}.least_request.v3.LeastRequest`, { selectionMethod: "FULL_SCAN" })] } }),
    ).toMatchObject({ choices: Infinity });
    expect(await lbOf({ loadBalancingPolicy: { policies: [extension(`${LB}.ring_hash.v3.RingHash`, { minimumRingSize: "64" })] } })).toMatchObject({
      policy: Policy.RING_HASH,
      minRingSize: 64,
    });
    expect(
      await lbOf({ loadBalancingPolicy: { policies: [extension(`${LB}.maglev.v3.Maglev`, { tableSize: "251", localityWeightedLbConfig: {} })] } }),
    ).toMatchObject({ policy: Policy.MAGLEV, maglevTableSize: 251, localityWeighted: true });
    expect(await lbOf({ loadBalancingPolicy: { policies: [extension(`${LB}.random.v3.Random`)] } })).toMatchObject({ policy: Policy.RANDOM });
    expect(
      await lbOf({ loadBalancingPolicy: { policies: [extension(`${LB}.round_robin.v3.RoundRobin`, { slowStartConfig: { slowStartWindow: "10s" } })] } }),
    ).toMatchObject({ policy: Policy.ROUND_ROBIN, slowStart: { windowMs: 10_000, aggression: 1, minShare: 0.1 } });
  });

  test("wrr_locality weighs localities and picks inside by another; the first known policy counts", async () => {
    const inner = { policies: [extension("envoy.config.core.v3.Address"), extension(`${LB}.random.v3.Random`)] };
    expect(await lbOf({ loadBalancingPolicy: { policies: [extension(`${LB}.wrr_locality.v3.WrrLocality`, { endpointPickingPolicy: inner })] } })).toMatchObject(
      { policy: Policy.RANDOM, localityWeighted: true },
    );
  });

  test("without a known policy the cluster is refused", async () => {
    await expect(
      lbOf({
        loadBalancingPolicy: { policies: [extension(`${LB}.subset.v3.Subset`, { subsetLbPolicy: { policies: [extension(`${LB}.random.v3.Random`)] } })] },
      }),
    ).rejects.toThrow(
      "didn't find a registered load balancer factory implementation for cluster: 'c' with names from [envoy.extensions.load_balancing_policies.subset.v3.Subset]",
    );
  });

  test("the old messages go on meaning the same", async () => {
    expect(
      await lbOf({
        lbPolicy: "LEAST_REQUEST",
        leastRequestLbConfig: {
          choiceCount: 3,
          slowStartConfig: { slowStartWindow: "2s", aggression: { defaultValue: 2, runtimeKey: "x" }, minWeightPercent: { value: 20 } },
        },
      }),
    ).toMatchObject({ policy: Policy.LEAST_REQUEST, choices: 3, slowStart: { windowMs: 2000, aggression: 2, minShare: 0.2 } });
  });
});

describe("slow start", () => {
  const made = (now: () => number): SlowStart =>
    new SlowStart(
      compileSlowStart(create(Cluster_SlowStartConfigSchema, { slowStartWindow: { seconds: 10n } })) as NonNullable<ReturnType<typeof compileSlowStart>>,
      now,
    );
  const host = (port: number): Host =>
    new Host({
      address: { address: "10.0.0.1", port },
      hostname: "",
      weight: 10,
      priority: 0,
      locality: undefined,
      health: HealthStatus.HEALTHY,
      metadata: {},
    });

  test("a new host's weight grows with its time, from a tenth on", () => {
    let now = 1000;
    const slow = made(() => now);
    const fresh = host(1);
    slow.begins(fresh);
    expect([slow.active, slow.weight(fresh)]).toEqual([true, 1]);
    now += 5000;
    expect(slow.weight(fresh)).toBe(5);
    now += 5000;
    expect([slow.active, slow.weight(fresh)]).toEqual([false, 10]);
  });

  test.each([Policy.ROUND_ROBIN, Policy.LEAST_REQUEST])("%p sends it so much less", (policy) => {
    let now = 100_000;
    const slowStart = made(() => now);
    const [old, fresh] = [host(1), host(2)];
    slowStart.begins(fresh);
    const priorities = new PrioritySet({ panicThreshold: 50, overprovisioning: 140, localityWeighted: false });
    priorities.update([{ priority: 0, weight: 1, hosts: [old, fresh] }]);
    let draw = 0;
    const lb = new LoadBalancer(priorities, {
      policy,
      choices: 2,
      minRingSize: 1024,
      maglevTableSize: 251,
      slowStart,
      random: () => (draw = (draw + 0.618) % 1),
    });
    const share = (): number => Array.from({ length: 1000 }, () => lb.choose()).filter((each) => each === fresh).length / 1000;
    expect(share()).toBeCloseTo(1 / 11, 1);
    now += 10_000;
    expect(share()).toBeGreaterThan(0.4);
  });
});
