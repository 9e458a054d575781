import type { QueryClient } from "../../telemetry/index.ts";
import { ISTIO_KINDS } from "../api/istio-kinds.ts";
import type { MeshView } from "../server/mesh-view.ts";
import { hasProxy, workloadOf } from "../server/mesh-view.ts";
import type { Condition, Guide } from "./model.ts";

/** How a step stands; undefined where only the reader's looking can tell. */
export interface StepState {
  number: number;
  met: boolean | undefined;
  /** What was seen, or what is still waited for. */
  evidence: string;
}

/** Longer than a step takes: what was done before the page was opened counts too. */
const WINDOW_SECONDS = 3_600;
/** Traffic that is going on now, as the graph draws it. */
const NOW_SECONDS = 60;

interface Sources {
  mesh: MeshView;
  queries: QueryClient;
  /** Unix ms. */
  now: number;
}

/** Looks at each watched condition of a guide. `since` (Unix seconds, 0 for "the last hour") leaves older traffic out. */
export async function stepStates(guide: Guide, since: number, sources: Sources): Promise<StepState[]> {
  const age = Math.ceil(sources.now / 1000 - since);
  const seconds = Math.min(WINDOW_SECONDS, Math.max(age, 1));
  return Promise.all(guide.steps.map(async ({ number, done }) => ({ number, ...(await look(done, seconds, sources)) })));
}

type Seen = Omit<StepState, "number">;

async function look(condition: Condition, seconds: number, { mesh, queries }: Sources): Promise<Seen> {
  switch (condition.kind) {
    case "shown":
      return { met: undefined, evidence: "" };
    case "none": {
      const found = await objectsOf(mesh, condition.resource);
      return found.length === 0
        ? { met: true, evidence: `there is no object of ${condition.resource}` }
        : {
            met: false,
            evidence: `this comes before ${found.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(", ")}, which is there already`,
          };
    }
    case "object": {
      const { namespace, name, field, value } = condition;
      const found = (await objectsOf(mesh, condition.resource)).find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
      if (!found) return { met: false, evidence: `${namespace}/${name} is not there yet` };
      const has =
        field === undefined
          ? undefined
          : String(
              field.split(".").reduce<unknown>((at, key) => (typeof at === "object" && at !== null ? (at as Record<string, unknown>)[key] : undefined), found),
            );
      return { met: field === undefined || has === value, evidence: `${namespace}/${name}${field === undefined ? " is there" : ` has ${field} ${has}`}` };
    }
    case "workload": {
      const pods = podsOf(mesh, condition.workload);
      const ready = pods.filter((pod) => pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"));
      const right = ready.filter((pod) => hasProxy(pod) === condition.sidecar);
      if (right.length > 0) return { met: true, evidence: `${right[0]!.metadata.name} is ready, ${condition.sidecar ? "with" : "without"} a sidecar` };
      return {
        met: false,
        evidence:
          ready.length > 0
            ? `it runs ${condition.sidecar ? "without" : "with"} a sidecar`
            : pods.length > 0
              ? "its pod is not ready yet"
              : "no pod of it runs yet",
      };
    }
    case "traffic": {
      const count =
        condition.security === "refused"
          ? await refused(condition.from, condition.to, seconds, mesh, queries)
          : await encrypted(condition.from, condition.to, seconds, queries);
      const what = condition.security === "refused" ? "refused" : "answered over mutual TLS";
      return { met: count >= condition.atLeast, evidence: `${count} of ${condition.atLeast} seen that ${condition.atLeast === 1 ? "was" : "were"} ${what}` };
    }
    case "edges": {
      const counts = await Promise.all(condition.edges.map(([from, to]) => encrypted(from, to, NOW_SECONDS, queries)));
      const drawn = counts.filter((count) => count > 0).length;
      return { met: drawn === counts.length, evidence: `${drawn} of ${counts.length} connections have traffic and a padlock now` };
    }
  }
}

/** Requests that a destination answered over mutual TLS. */
async function encrypted(from: string, to: string, seconds: number, queries: QueryClient): Promise<number> {
  const [[fromNamespace = "", source = ""], [toNamespace = "", target = ""]] = [from.split("/"), to.split("/")];
  const labels = [
    `reporter="destination"`,
    `connection_security_policy="mutual_tls"`,
    `response_code="200"`,
    `source_workload_namespace="${fromNamespace}"`,
    `source_workload="${source}"`,
    `destination_workload_namespace="${toNamespace}"`,
    `destination_workload="${target}"`,
  ];
  const samples = await queries.instant(`sum(increase(istio_requests_total{${labels.join(",")}}[${seconds}s]))`);
  return Math.round(samples[0]?.value ?? 0);
}

/** Connections that a workload's proxies refused to pods of another. */
async function refused(from: string, to: string, seconds: number, mesh: MeshView, queries: QueryClient): Promise<number> {
  const samples = await queries.instant(`sum(increase(chainmail_refused_connections_total[${seconds}s])) by (namespace,pod,source_ip) > 0`);
  const same = (workload: { namespace: string; workload: string } | undefined, name: string) =>
    workload !== undefined && `${workload.namespace}/${workload.workload}` === name;
  return Math.round(
    samples.reduce(
      (sum, { labels, value }) =>
        same(mesh.workloadByIp(labels.source_ip ?? ""), from) && same(mesh.workloadByPod(labels.namespace ?? "", labels.pod ?? ""), to) ? sum + value : sum,
      0,
    ),
  );
}

async function objectsOf(mesh: MeshView, resource: string): Promise<{ metadata: { name: string; namespace?: string } }[]> {
  const known = ISTIO_KINDS.find((kind) => kind.resource.resource === resource);
  return known ? mesh.objects(known.resource) : [];
}

/** The pods of `NAMESPACE/WORKLOAD` that are not on their way out. */
export function podsOf(mesh: MeshView, name: string): ReturnType<MeshView["pods"]> {
  const [namespace = "", workload = ""] = name.split("/");
  return mesh.pods(namespace).filter((pod) => !pod.metadata.deletionTimestamp && workloadOf(pod).workload === workload);
}
