import { expect, test } from "bun:test";
import type { KubeObject } from "../../resources/index.ts";
import { snapshotOf } from "../registry/index.ts";
import { parseNode } from "../xds/node.ts";
import { createRegistryObserver, describeMesh, describeProcess } from "./mesh-metrics.ts";
import { MetricsRegistry } from "./metrics.ts";

const service = (name: string, spec: object = {}): KubeObject =>
  ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { clusterIP: "10.0.0.1", ports: [{ name: "http", port: 80 }], ...spec },
  }) as KubeObject;
const objects = [
  service("empty"),
  service("web"),
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 80 }],
    endpoints: [
      { addresses: ["10.1.0.1"] },
      { addresses: ["10.1.0.2"], conditions: { ready: false, terminating: false } },
      { addresses: ["10.1.0.3"], targetRef: { kind: "Pod", name: "gone" } },
    ],
  },
  ...["a", "b"].map((name) => ({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name, namespace: "shop" },
    spec: { hosts: ["web"] },
  })),
  ...["a", "b"].map((name) => ({
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name, namespace: "shop" },
    spec: { host: "web", subsets: [{ name: "v1" }] },
  })),
  ...["a", "b"].map((name) => ({
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name, namespace: "shop" },
    spec: {
      hosts: [`${name}.example.com`],
      ports: [
        { number: 9000, name: "tcp", protocol: "TCP" },
        { number: 443, name: "tls", protocol: "TLS" },
      ],
      resolution: "DNS",
    },
  })),
] as KubeObject[];

test("what is odd in a mesh is counted under Istio's names", () => {
  const metrics = new MetricsRegistry();
  const node = parseNode("sidecar~10.1.0.9~lost.shop~shop.svc.cluster.local", { NAMESPACE: "shop" });
  describeMesh(
    metrics,
    () => snapshotOf(objects),
    () => [{ id: "lost.shop-1", node, connectedAt: 0, address: "", watches: new Map() }],
  );
  const text = metrics.render();
  for (const line of [
    "pilot_eds_no_instances 1",
    "pilot_endpoint_not_ready 1",
    "pilot_k8s_endpoints_pending_pod 1",
    "pilot_vservice_dup_domain 1",
    "pilot_destrule_subsets 1",
    "pilot_duplicate_envoy_clusters 0",
    "pilot_no_ip 1",
    "endpoint_no_pod 1",
    "pilot_conflict_inbound_listener 0",
    "pilot_conflict_outbound_listener_tcp_over_current_tcp 1",
    'pilot_k8s_proxies_with_no_service_targets{reason="no_matching_metadata"} 1',
  ])
    expect(text).toContain(`\n${line}\n`);
});

test("services that mean different protocols on one port of a workload are a conflict of its proxy", () => {
  const metrics = new MetricsRegistry();
  const node = parseNode("sidecar~10.1.0.9~both.shop~shop.svc.cluster.local", { NAMESPACE: "shop", LABELS: { app: "both" } });
  const both = ["http", "tcp"].map((name) => service(name, { selector: { app: "both" }, ports: [{ name, port: 80, targetPort: 8080 }] }));
  describeMesh(
    metrics,
    () => snapshotOf(both),
    () => [{ id: "both.shop-1", node, connectedAt: 0, address: "", watches: new Map() }],
  );
  expect(metrics.render()).toContain("\npilot_conflict_inbound_listener 1\n");
});

test("events by kind; configuration, endpoints and services apart", () => {
  const metrics = new MetricsRegistry();
  const observer = createRegistryObserver(metrics);
  observer.event("Gateway", "add");
  observer.event("Pod", "update");
  observer.event("Service", "delete");
  observer.event("EndpointSlice", "update");
  observer.event("ConfigMap", "update");
  observer.missingPods(2);
  observer.built(0.02, 0.005);
  const text = metrics.render();
  for (const line of [
    'pilot_k8s_cfg_events{type="Gateway",event="add"} 1',
    "pilot_k8s_endpoints_with_no_pods 2",
    'pilot_k8s_reg_events{type="Pods",event="update"} 1',
    'pilot_inbound_updates{type="svcdelete"} 1',
    'pilot_inbound_updates{type="eds"} 1',
    'pilot_inbound_updates{type="config"} 1',
    'pilot_debounce_time_bucket{le="0.1"} 1',
    'pilot_pushcontext_init_seconds_bucket{le="0.01"} 1',
  ])
    expect(text).toContain(line);
});

test("the process describes itself", () => {
  const metrics = new MetricsRegistry();
  describeProcess(metrics, 1_000);
  const text = metrics.render();
  expect(text).toContain("process_start_time_seconds 1\n");
  for (const name of [
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_virtual_memory_bytes",
    "process_virtual_memory_max_bytes",
    "process_max_fds",
    "process_network_receive_bytes_total",
    "process_network_transmit_bytes_total",
  ])
    expect(text).toMatch(new RegExp(`\n${name} \\d`));
});
