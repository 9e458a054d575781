import type { WorkloadIdentity } from "./model.ts";
import type { QuerySample } from "./query-client.ts";

type Labels = QuerySample["labels"];

export interface CallerNames {
  workloadByIp(ip: string): WorkloadIdentity | undefined;
  workloadByPod(namespace: string, pod: string): WorkloadIdentity | undefined;
}

/**
 * Gives names to callers in plaintext. Istio's metrics call them all `unknown`, since they show no certificate; the proxy
 * that let them in counts their connections by address. Where several called one workload its traffic is shared out by
 * their connections, since requests are not counted by address.
 *
 * `plaintext` are samples with namespace, pod and source_ip. Returned is a function from one sample to those it stands for;
 * `divided` says whether a value is a sum to share out, or holds for each as it is (a quantile).
 */
export function nameCallers(plaintext: readonly QuerySample[], names: CallerNames): (sample: QuerySample, divided: boolean) => QuerySample[] {
  const callers = new Map<string, Map<string, { labels: Labels; connections: number }>>();
  for (const { labels, value } of plaintext) {
    const target = names.workloadByPod(labels.namespace ?? "", labels.pod ?? "");
    if (!target || value <= 0) continue;
    const source = names.workloadByIp(labels.source_ip ?? "");
    const key = `${target.namespace}/${target.workload}`;
    const known = callers.get(key) ?? new Map<string, { labels: Labels; connections: number }>();
    callers.set(key, known);
    const name = source ? `${source.namespace}/${source.workload}` : "";
    const caller = known.get(name) ?? { labels: source ? sourceLabels(source) : {}, connections: 0 };
    caller.connections += value;
    known.set(name, caller);
  }
  return (sample, divided) => {
    const { labels, value } = sample;
    if (labels.source_workload !== "unknown" || labels.connection_security_policy === "mutual_tls") return [sample];
    const known = callers.get(`${labels.destination_workload_namespace}/${labels.destination_workload}`);
    if (!known) return [sample];
    const total = [...known.values()].reduce((sum, { connections }) => sum + connections, 0);
    return [...known.values()].map((caller) => ({ labels: { ...labels, ...caller.labels }, value: divided ? (value * caller.connections) / total : value }));
  };
}

function sourceLabels({ cluster, namespace, workload, app, version }: WorkloadIdentity): Labels {
  return {
    source_cluster: cluster,
    source_workload_namespace: namespace,
    source_workload: workload,
    source_canonical_service: app,
    source_canonical_revision: version,
  };
}
