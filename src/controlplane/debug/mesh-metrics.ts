import { readFileSync, readdirSync } from "node:fs";
import type { EndpointSlice } from "../../resources/index.ts";
import { isHttp, isRegistryKind, UNSPECIFIED, type MeshService, type MeshSnapshot, type RegistryKind, type RegistryObserver } from "../registry/index.ts";
import { isOfCluster, placeOf } from "../xds/proxy.ts";
import { serviceTargets, type ServiceTarget } from "../xds/targets.ts";
import type { Labels, MetricsRegistry } from "./metrics.ts";
import type { ConnectionView } from "./views.ts";

/** Istio's names of the kinds that are no configuration of its own. */
const REGISTRY_TYPES: Partial<Record<RegistryKind, string>> = {
  Service: "Services",
  EndpointSlice: "EndpointSlice",
  Pod: "Pods",
  Node: "Nodes",
  Namespace: "Namespaces",
};
/** Counted as changes of what; other kinds change nothing that is pushed by itself. */
const UPDATES: Partial<Record<RegistryKind, string>> = { Service: "svc", EndpointSlice: "eds", Secret: "secret" };
const TIME_BUCKETS = [0.01, 0.1, 0.5, 1, 3, 5];
const WAIT_BUCKETS = [0.01, 0.1, 1, 3, 5, 10, 20, 30];
/** Server names tell them apart; datagrams have no listeners. */
const TOLD_APART: ReadonlySet<string> = new Set(["TLS", "HTTPS", "UDP"]);
/** Linux counts a process's time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** Counts what comes in from the Kubernetes API, and how long it takes until it can be pushed, under Istio's names. */
export function createRegistryObserver(metrics: MetricsRegistry): RegistryObserver {
  const configEvents = metrics.counter("pilot_k8s_cfg_events", "Events from k8s config.");
  const registryEvents = metrics.counter("pilot_k8s_reg_events", "Events from k8s registry.");
  const updates = metrics.counter("pilot_inbound_updates", "Total number of updates received by pilot.");
  const waiting = metrics.histogram(
    "pilot_debounce_time",
    "Delay in seconds between the first config enters debouncing and the merged push request is pushed into the push queue (includes pushcontext_init_seconds).",
    WAIT_BUCKETS,
  );
  const counterOf = (kind: RegistryKind, event: string): (() => void) => {
    const type = REGISTRY_TYPES[kind];
    const custom = type === undefined && isConfig(kind);
    const update = UPDATES[kind] ?? (custom ? "config" : undefined);
    const labels = { type: type ?? kind, event };
    const updated = { type: kind === "Service" && event === "delete" ? "svcdelete" : (update ?? "") };
    return () => {
      if (custom) configEvents.add(labels);
      else if (type !== undefined) registryEvents.add(labels);
      if (update !== undefined) updates.add(updated);
    };
  };
  const withoutPods = metrics.counter("pilot_k8s_endpoints_with_no_pods", "Endpoints that does not have any corresponding pods.");
  const building = metrics.histogram("pilot_pushcontext_init_seconds", "Total time in seconds Pilot takes to init pushContext.", TIME_BUCKETS);
  // Thousands of objects come at once when a program starts: what is counted for a kind's events is worked out once.
  const counted = new Map<string, () => void>();
  return {
    event(kind, event) {
      const key = `${kind} ${event}`;
      let count = counted.get(key);
      if (!count) counted.set(key, (count = counterOf(kind, event)));
      count();
    },
    missingPods(count) {
      withoutPods.add({}, count);
    },
    built(waitedSeconds, seconds) {
      waiting.observe(waitedSeconds);
      building.observe(seconds);
    },
  };
}

/** What can be said of the mesh as it is now, worked out when somebody asks. */
export function describeMesh(metrics: MetricsRegistry, snapshot: () => MeshSnapshot, connections: () => Iterable<ConnectionView>): void {
  const gauge = (name: string, help: string, value: () => number): void => metrics.observedGauge(name, help, () => [{ value: value() }]);
  gauge("pilot_eds_no_instances", "Number of clusters without instances.", () =>
    count(
      snapshot().services.all,
      (service) => service.resolution === "ClientSideLB" && service.ports.length > 0 && snapshot().backends(service).endpoints.length === 0,
    ),
  );
  gauge("pilot_endpoint_not_ready", "Endpoint found in unready state.", () =>
    snapshot().services.all.reduce(
      (sum, service) => sum + count(snapshot().backends(service).endpoints, ({ health }) => health !== "HEALTHY" && health !== "UNKNOWN"),
      0,
    ),
  );
  gauge("pilot_k8s_endpoints_pending_pod", "Number of endpoints that do not currently have any corresponding pods.", () => pendingEndpoints(snapshot()));
  gauge("endpoint_no_pod", "Endpoints without an associated pod.", () => pendingEndpoints(snapshot()));
  gauge("pilot_conflict_inbound_listener", "Number of conflicting inbound listeners.", () =>
    count([...connections()], ({ node }) => node.type === "sidecar" && hasInboundConflict(serviceTargets(node, snapshot()))),
  );
  gauge("pilot_conflict_outbound_listener_tcp_over_current_tcp", "Number of conflicting tcp listeners with current tcp listener.", () =>
    conflictingListeners(snapshot().services.all),
  );
  describeUntargeted(metrics, snapshot, connections);
  gauge("pilot_vservice_dup_domain", "Virtual services with dup domains.", () =>
    duplicates(
      snapshot().configs.VirtualService.flatMap(({ spec }) =>
        (spec?.gateways?.length ? spec.gateways : ["mesh"]).flatMap((gateway) => [...new Set(spec?.hosts)].map((host) => `${gateway} ${host}`)),
      ),
    ),
  );
  gauge("pilot_destrule_subsets", "Duplicate subsets across destination rules for same host", () =>
    duplicates(
      snapshot().configs.DestinationRule.flatMap(({ metadata, spec }) =>
        (spec?.subsets ?? []).map(({ name }) => `${metadata.namespace}/${spec?.host} ${name}`),
      ),
    ),
  );
  gauge("pilot_duplicate_envoy_clusters", "Duplicate envoy clusters caused by service entries with same hostname", () =>
    duplicates(
      snapshot()
        .services.all.filter(({ registry }) => registry === "External")
        .flatMap(({ hostname, ports, addresses }) => ports.map(({ port }) => `${hostname} ${port} ${addresses.join()}`)),
    ),
  );
  gauge(
    "pilot_dns_cluster_without_endpoints",
    "DNS clusters without endpoints caused by the endpoint field in STRICT_DNS type cluster is not set or the corresponding subset cannot select any endpoint",
    () =>
      count(
        snapshot().services.all,
        (service) => (service.resolution === "DNSLB" || service.resolution === "DNSRoundRobinLB") && snapshot().backends(service).endpoints.length === 0,
      ),
  );
  gauge("pilot_no_ip", "Pods not found in the endpoint table, possibly invalid.", () =>
    count([...connections()], ({ node }) => node.podName !== "" && !snapshot().objects.get("Pod", node.podName, node.namespace)),
  );
}

/** Counts each proxy once, when it is first seen to run for no service. */
function describeUntargeted(metrics: MetricsRegistry, snapshot: () => MeshSnapshot, connections: () => Iterable<ConnectionView>): void {
  const counts = new Map<string, number>();
  let seen = new Set<string>();
  metrics.observedCounter("pilot_k8s_proxies_with_no_service_targets", "Number of proxies that do not have any corresponding service targets.", () => {
    const current = [...connections()];
    for (const { id, node } of current) {
      if (seen.has(id) || serviceTargets(node, snapshot()).length > 0) continue;
      const reason = !isOfCluster(node, snapshot()) ? "incorrect_cluster" : placeOf(node, snapshot()).pod ? "no_matching_services" : "no_matching_metadata";
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    seen = new Set(current.map(({ id }) => id));
    return [...counts].map(([reason, value]) => ({ labels: { reason }, value }));
  });
}

/** Whether two services lead to one port of a workload and mean different protocols. */
function hasInboundConflict(targets: readonly ServiceTarget[]): boolean {
  const first = new Map<number, ServiceTarget>();
  return targets.some((target) => {
    const other = first.get(target.targetPort);
    if (!other) first.set(target.targetPort, target);
    return other !== undefined && other.port.protocol !== target.port.protocol && other.service.hostname !== target.service.hostname;
  });
}

/** Addresses and ports that several external services claim for bytes, which nothing tells apart there. */
function conflictingListeners(services: readonly MeshService[]): number {
  const hosts = new Map<string, Set<string>>();
  for (const { registry, resolution, hostname, address, ports } of services) {
    // Those without an address that resolve nothing have a listener for each of their endpoints.
    if (registry !== "External" || (resolution === "Passthrough" && address === UNSPECIFIED)) continue;
    for (const { port, protocol } of ports) {
      if (isHttp(protocol) || TOLD_APART.has(protocol)) continue;
      const key = `${address}_${port}`;
      hosts.set(key, (hosts.get(key) ?? new Set()).add(hostname));
    }
  }
  return count([...hosts.values()], ({ size }) => size > 1);
}

/** What Prometheus' client libraries say of every process. */
export function describeProcess(metrics: MetricsRegistry, startedMs: number): void {
  const gauge = (name: string, help: string, value: () => number | undefined): void =>
    metrics.observedGauge(name, help, () =>
      [value()].filter((known) => known !== undefined).map((known): { labels?: Labels; value: number } => ({ value: known })),
    );
  metrics.observedCounter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", () => {
    const { user, system } = process.cpuUsage();
    return [{ value: Math.round((user + system) / (1_000_000 / TICKS_PER_SECOND)) / TICKS_PER_SECOND }];
  });
  gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", () => startedMs / 1_000);
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss());
  gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", () => status("VmSize"));
  gauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", () => limit("Max address space"));
  gauge("process_open_fds", "Number of open file descriptors.", openFiles);
  gauge("process_max_fds", "Maximum number of open file descriptors.", () => limit("Max open files"));
  // Of all processes in the network namespace, as Prometheus' libraries have it: in a pod these are its own.
  for (const [direction, word, field] of [
    ["receive", "received", "InOctets"],
    ["transmit", "sent", "OutOctets"],
  ] as const) {
    metrics.observedCounter(`process_network_${direction}_bytes_total`, `Number of bytes ${word} by the process over the network.`, () =>
      [octets(field)].filter((value) => value !== undefined).map((value) => ({ value })),
    );
  }
}

function isConfig(kind: RegistryKind): boolean {
  return isRegistryKind(kind) && !["Namespace", "Node", "Service", "EndpointSlice", "Pod", "Secret", "ConfigMap", "Deployment", "StatefulSet"].includes(kind);
}

function pendingEndpoints({ objects }: MeshSnapshot): number {
  return (objects.list("EndpointSlice") as readonly EndpointSlice[]).reduce(
    (sum, { metadata, endpoints }) =>
      sum +
      count(
        endpoints ?? [],
        ({ targetRef }) => targetRef?.kind === "Pod" && !objects.get("Pod", targetRef.name ?? "", targetRef.namespace ?? metadata.namespace),
      ),
    0,
  );
}

function count<Item>(items: readonly Item[], holds: (item: Item) => boolean): number {
  return items.reduce((sum, item) => sum + (holds(item) ? 1 : 0), 0);
}

/** How many are there that another was before. */
function duplicates(keys: readonly string[]): number {
  return keys.length - new Set(keys).size;
}

/** Bytes, from a line such as `VmSize:  123 kB`; undefined where there is no /proc. */
function status(field: string): number | undefined {
  const text = quietly(() => readFileSync("/proc/self/status", "utf8"));
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text ?? "")?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
}

/** The soft limit; what has none is as much as 64 bits hold, as in Go. */
function limit(name: string): number | undefined {
  const text = quietly(() => readFileSync("/proc/self/limits", "utf8"));
  const soft = new RegExp(`^${name}\\s+(\\d+|unlimited)`, "m").exec(text ?? "")?.[1];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? 2 ** 64 : Number(soft);
}

/** A field of the line pair `IpExt:`, whose first line has the names. */
function octets(field: string): number | undefined {
  const text = quietly(() => readFileSync("/proc/self/net/netstat", "utf8"));
  const [names = [], values = []] = (text ?? "")
    .split("\n")
    .filter((line) => line.startsWith("IpExt:"))
    .map((line) => line.split(" "));
  const value = values[names.indexOf(field)];
  return value === undefined ? undefined : Number(value);
}

function openFiles(): number | undefined {
  return quietly(() => readdirSync("/proc/self/fd").length);
}

/** A system without /proc leaves out what stands only there. */
function quietly<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
