import type { Store } from "../../store/index.ts";
import type { Catalogue } from "../catalogue.ts";
import type { Observed, Observer } from "./types.ts";

/** The real server's buckets, less those that nothing here comes near. */
const BUCKETS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

interface Durations {
  counts: number[];
  count: number;
  sum: number;
}

/** /metrics: requests counted and timed under the real server's names, what is stored, and the process itself. */
export class RequestMetrics {
  #requests = new Map<string, number>();
  #durations = new Map<string, Durations>();
  #startedAt = Date.now() / 1000;

  constructor(
    private readonly catalogue: Catalogue,
    private readonly store: Store,
  ) {}

  readonly observe: Observer = (request) => {
    const labels = this.#labels(request);
    const key = `code="${request.code}",${labels}`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    // A stream lasts as long as its client likes.
    if (request.streaming) return;
    let durations = this.#durations.get(labels);
    if (!durations) this.#durations.set(labels, (durations = { counts: BUCKETS.map(() => 0), count: 0, sum: 0 }));
    const bucket = BUCKETS.findIndex((limit) => request.seconds <= limit);
    if (bucket >= 0) durations.counts[bucket] = (durations.counts[bucket] ?? 0) + 1;
    durations.count++;
    durations.sum += request.seconds;
  };

  /** In Prometheus' text format. */
  text(): string {
    const lines: string[] = [];
    const family = (name: string, type: string, help: string) => lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    family("apiserver_request_total", "counter", "Requests by verb, resource and code.");
    for (const [labels, count] of this.#requests) lines.push(`apiserver_request_total{${labels}} ${count}`);
    const duration = "apiserver_request_duration_seconds";
    family(duration, "histogram", "Time to the answer of each request that is no stream.");
    for (const [labels, { counts, count, sum }] of this.#durations) {
      let below = 0;
      for (const [i, limit] of BUCKETS.entries()) lines.push(`${duration}_bucket{${labels},le="${limit}"} ${(below += counts[i] ?? 0)}`);
      lines.push(`${duration}_bucket{${labels},le="+Inf"} ${count}`, `${duration}_sum{${labels}} ${sum}`, `${duration}_count{${labels}} ${count}`);
    }
    family("apiserver_storage_objects", "gauge", "Objects that are stored, by resource.");
    for (const { group, plural, storedAs } of this.catalogue.definitions()) {
      const count = storedAs ? 0 : this.store.count(`${group}/${plural}`);
      if (count > 0) lines.push(`apiserver_storage_objects{resource="${group ? `${plural}.${group}` : plural}"} ${count}`);
    }
    const { user, system } = process.cpuUsage();
    family("process_cpu_seconds_total", "counter", "CPU time of the whole cluster process.");
    lines.push(`process_cpu_seconds_total ${(user + system) / 1e6}`);
    family("process_resident_memory_bytes", "gauge", "Memory of the whole cluster process.");
    lines.push(`process_resident_memory_bytes ${process.memoryUsage.rss()}`);
    family("process_start_time_seconds", "gauge", "When the API server started.");
    lines.push(`process_start_time_seconds ${this.#startedAt}`);
    return `${lines.join("\n")}\n`;
  }

  /** What clients make up (unknown resources, methods) does not become labels: their number would have no bound. */
  #labels({ incoming, target }: Observed): string {
    const known = target && this.catalogue.find(target.group, target.version, target.resource);
    const subresource = known?.definition.subresources.includes(target?.subresource ?? "") ? target?.subresource : "";
    const verb = target ? target.verb.toUpperCase() : ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].includes(incoming.method) ? incoming.method : "other";
    const dryRun = incoming.query.get("dryRun") === "All" ? "All" : "";
    if (!target || !known) return `component="apiserver",dry_run="${dryRun}",group="",resource="",scope="",subresource="",verb="${verb}",version=""`;
    const scope = target.name !== "" || target.verb === "create" ? "resource" : target.namespace !== "" ? "namespace" : "cluster";
    return `component="apiserver",dry_run="${dryRun}",group="${target.group}",resource="${target.resource}",scope="${scope}",subresource="${subresource ?? ""}",verb="${verb}",version="${target.version}"`;
  }
}
