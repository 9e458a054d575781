import { expect, test } from "bun:test";
import { PlaintextConnections } from "./plaintext-connections.ts";
import { RefusedConnections } from "./refused-connections.ts";
import { StatsRegistry } from "./stats.ts";

test("Prometheus text: kinds in Envoy's order, labels escaped, buckets cumulated", () => {
  const stats = new StatsRegistry();
  const histogram = stats.histogram("h", [["a", "1"]], [1, 10]);
  for (const value of [0.5, 1, 5, 100]) histogram.record(value);
  stats.gauge("g").set(2);
  stats.counter("c", [["path", 'a"b\\c\nd']]).inc(3);
  expect(stats.prometheus()).toBe(
    '# TYPE c counter\nc{path="a\\"b\\\\c\\nd"} 3\n# TYPE g gauge\ng{} 2\n# TYPE h histogram\n' +
      'h_bucket{a="1",le="1"} 2\nh_bucket{a="1",le="10"} 3\nh_bucket{a="1",le="+Inf"} 4\nh_sum{a="1"} 106.500\nh_count{a="1"} 4\n',
  );
});

test("equal labels are one series", () => {
  const stats = new StatsRegistry();
  expect(stats.counter("c", [["a", "1"]])).toBe(stats.counter("c", [["a", "1"]]));
  expect(() => stats.gauge("c")).toThrow("c is a counter");
});

test("refused connections keep 256 sources apart, the rest is `other`", () => {
  const stats = new StatsRegistry();
  const refused = new RefusedConnections(stats);
  for (let i = 0; i < 300; i++) refused.count(`10.0.${i >> 8}.${i & 255}`, 8081, "filter_chain_not_found");
  refused.count("10.0.0.0", 8081, "filter_chain_not_found");
  const text = stats.prometheus();
  expect(text.match(/^chainmail_refused_connections_total/gm)).toHaveLength(257);
  expect(text).toContain('chainmail_refused_connections_total{source_ip="10.0.0.0",destination_port="8081",reason="filter_chain_not_found"} 2\n');
  expect(text).toContain('{source_ip="other",destination_port="8081",reason="filter_chain_not_found"} 44\n');
});

test("plaintext connections are counted by source, those that stand apart", () => {
  const stats = new StatsRegistry();
  const plaintext = new PlaintextConnections(stats);
  const gone = plaintext.opened("10.0.0.1", 8080);
  plaintext.opened("10.0.0.1", 8080);
  gone();
  expect(stats.prometheus()).toContain('chainmail_plaintext_connections_total{source_ip="10.0.0.1",destination_port="8080"} 2\n');
  expect(stats.prometheus()).toContain('chainmail_plaintext_connections_active{source_ip="10.0.0.1",destination_port="8080"} 1\n');
});
