import { describe, expect, test } from "bun:test";
import { HealthStatus } from "../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import { Cluster_LbPolicy } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterStats } from "./cluster-stats.ts";
import { Host } from "./host.ts";
import { DEFAULT_LB } from "./lb-config.ts";
import { MetadataCriteria } from "./metadata-criteria.ts";
import type { SubsetConfig } from "./subset-config.ts";
import { Subsets } from "./subsets.ts";

const BY_VERSION: SubsetConfig = {
  selectors: [{ keys: ["version"], singleHost: false, fallback: undefined }],
  fallback: "none",
  defaultSubset: {},
  listAsAny: false,
  localityAware: true,
  scaleLocalityWeight: false,
  panicAny: false,
  fallbackList: false,
};
const host = (port: number, version: string): Host =>
  new Host({
    address: { address: "127.0.0.1", port },
    hostname: "",
    weight: 1,
    priority: 0,
    locality: undefined,
    health: HealthStatus.UNKNOWN,
    metadata: { "envoy.lb": { version } },
  });
const want = (version: string): { criteria: MetadataCriteria | undefined } => ({ criteria: MetadataCriteria.of({ "envoy.lb": { version } }) });

function subsets(config: SubsetConfig, localityWeighted = false, draw = 0): { subsets: Subsets; stats: ClusterStats } {
  const stats = new ClusterStats("c", false);
  const priorities = { panicThreshold: 0, overprovisioning: 140, localityWeighted };
  return {
    stats,
    subsets: new Subsets(config, priorities, { ...DEFAULT_LB, policy: Cluster_LbPolicy.ROUND_ROBIN, random: () => draw, slowStart: undefined }, stats),
  };
}

describe("subsets", () => {
  test("come and go with their hosts", () => {
    const { subsets: all, stats } = subsets(BY_VERSION);
    all.update([{ priority: 0, weight: 0, hosts: [host(1, "1"), host(2, "2")] }], {});
    expect(all.active).toBe(2);
    expect(all.choose(want("2"))?.address.port).toBe(2);
    all.update([{ priority: 0, weight: 0, hosts: [host(1, "1"), host(3, "3")] }], {});
    expect(all.choose(want("2"))).toBeUndefined();
    expect(all.choose(want("3"))?.address.port).toBe(3);
    expect([stats.lb_subsets_created, stats.lb_subsets_removed, stats.lb_subsets_selected]).toEqual([3, 1, 2]);
  });

  test("leave out hosts that have become unhealthy", () => {
    const { subsets: all } = subsets(BY_VERSION);
    const sick = host(1, "1");
    all.update([{ priority: 0, weight: 0, hosts: [sick, host(2, "1")] }], {});
    sick.ejected = true;
    all.refresh();
    expect(new Set(Array.from({ length: 4 }, () => all.choose(want("1"))?.address.port))).toEqual(new Set([2]));
  });

  test("weigh localities by what they have of the subset, where that is asked for", () => {
    const near = { priority: 0, weight: 50, hosts: [host(1, "1"), host(2, "2"), host(3, "2"), host(4, "2"), host(5, "2")] };
    const far = { priority: 0, weight: 50, hosts: [host(6, "1")] };
    // Of 50 : 50 the draw 0.4 is in the first; of 10 : 50 it is in the second.
    for (const [scaleLocalityWeight, port] of [
      [false, 1],
      [true, 6],
    ] as const) {
      const { subsets: all } = subsets({ ...BY_VERSION, scaleLocalityWeight }, true, 0.4);
      all.update([near, far], {});
      expect(all.choose(want("1"))?.address.port).toBe(port);
    }
  });

  test("give nothing to a locality that is drained", () => {
    for (const scaleLocalityWeight of [false, true]) {
      for (const draw of [0, 0.01, 0.99]) {
        const { subsets: all } = subsets({ ...BY_VERSION, scaleLocalityWeight }, true, draw);
        all.update(
          [
            { priority: 0, weight: 0, hosts: [host(1, "1")] },
            { priority: 0, weight: 1, hosts: [host(2, "1")] },
          ],
          {},
        );
        expect(all.choose(want("1"))?.address.port).toBe(2);
      }
    }
  });
});
