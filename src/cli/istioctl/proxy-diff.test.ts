import { expect, test } from "bun:test";
import { compareDumps } from "./proxy-diff.ts";
import type { ConfigDump, Json } from "./proxy-config/dump.ts";

const LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener";
const ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

function dump(parts: { clusters?: Json[]; listeners?: Json[]; routes?: Json[] }): ConfigDump {
  const type = (kind: string): string => `type.googleapis.com/envoy.admin.v3.${kind}ConfigDump`;
  return {
    text: "",
    configs: [
      { "@type": type("Clusters"), dynamic_active_clusters: parts.clusters ?? [], static_clusters: [{ cluster: { "@type": CLUSTER, name: "own" } }] },
      { "@type": type("Listeners"), dynamic_listeners: parts.listeners ?? [] },
      { "@type": type("Routes"), dynamic_route_configs: parts.routes ?? [] },
    ],
  };
}

test("order, versions, times and what is draining make no difference", async () => {
  const cluster = (name: string, version_info: string): Json => ({ version_info, cluster: { "@type": CLUSTER, name } });
  const listener = (name: string): Json => ({ "@type": LISTENER, name });
  const route = (hosts: string[]): Json => ({ "@type": ROUTE, name: "80", virtual_hosts: hosts.map((name) => ({ name })) });
  const proxy = dump({
    clusters: [cluster("b", "1"), cluster("a", "1")],
    listeners: [
      { name: "x", active_state: { version_info: "2", listener: listener("x") }, draining_state: { listener: listener("x") } },
      { name: "w", warming_state: { listener: listener("w") } },
    ],
    routes: [
      { version_info: "1", route_config: route(["q", "p"]), last_updated: "2026-11-24T06:01:35Z" },
      { route_config: { "@type": ROUTE, name: "8080" }, last_updated: "2026-11-24T05:00:00Z" },
    ],
  });
  const istiod = dump({
    clusters: [cluster("a", "9"), cluster("b", "9")],
    listeners: [{ active_state: { listener: listener("x") } }],
    routes: [{ route_config: { "@type": ROUTE, name: "8080" } }, { route_config: route(["p", "q"]) }].reverse(),
  });
  expect(await compareDumps(proxy, istiod)).toBe("Clusters Match\nListeners Match\nRoutes Match (RDS last loaded at Tue, 24 Nov 2026 06:01:35 UTC)\n");
});

test("what the proxy lacks or has too much is shown as istiod has it and as the proxy has it", async () => {
  const clusters = [{ cluster: { "@type": CLUSTER, name: "a", type: "EDS" } }];
  const told = await compareDumps(dump({ clusters: [] }), dump({ clusters }));
  expect(told).toStartWith("Clusters Don't Match\n--- Istiod Clusters\n+++ Envoy Clusters\n@@ -1,11 +1,3 @@\n");
  expect(told).toContain('-                "name": "a",');
  expect(told).toEndWith("Listeners Match\nRoutes Match\n");
});
