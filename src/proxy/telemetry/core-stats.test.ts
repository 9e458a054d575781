import { fromJson } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { StatsConfigSchema } from "../../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import { CoreStats } from "./core-stats.ts";
import { StatNaming } from "./stat-names.ts";

test("what is not shown is told once; what is counted first between two readings is shown or not by its own name", () => {
  const naming = new StatNaming(
    fromJson(StatsConfigSchema, { useAllDefaultTags: false, statsMatcher: { inclusionList: { patterns: [{ suffix: "cx_total" }, { suffix: "allowed" }] } } }),
  );
  const asked: string[] = [];
  const stats = new CoreStats(
    { includes: (dotted: string) => (asked.push(dotted), naming.includes(dotted)), name: (dotted: string) => naming.name(dotted) } as StatNaming,
    () => [],
  );
  const shown = () => [...stats.samples()].map(({ dotted, metric }) => `${dotted} ${"value" in metric ? metric.value : "histogram"}`);
  stats.tcp("a").downstream_cx_total = 3;
  stats.tcp("b");
  expect(shown()).toEqual(["tcp.a.downstream_cx_total 3", "tcp.b.downstream_cx_total 0"]);
  expect(asked.length).toBeGreaterThan(4);
  asked.length = 0;
  expect(shown()).toEqual(["tcp.a.downstream_cx_total 3", "tcp.b.downstream_cx_total 0"]);
  expect(asked).toEqual([]);
  stats.tcp("b").counter("rbac.allowed").inc();
  stats.tcp("b").counter("rbac.denied").inc();
  expect(shown()).toEqual(["tcp.a.downstream_cx_total 3", "tcp.b.downstream_cx_total 0", "tcp.b.rbac.allowed 1"]);
  expect(asked).toEqual(["tcp.b.rbac.allowed", "tcp.b.rbac.denied"]);
  asked.length = 0;
  shown();
  expect(asked).toEqual([]);
});
