import { errorText } from "../../base/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { QuerySample } from "../../telemetry/index.ts";
import { type MeshView, type PeerAuthenticationView, ROOT_NAMESPACE, hasProxy, workloadOf } from "../server/mesh-view.ts";
import { logEntry } from "./access-log.ts";
import type { AuthorizationPolicy } from "./authorization.ts";
import { type AuthorizationPreview, previewAuthorization } from "./authorization-preview.ts";
import { refusalText } from "./flags.ts";
import { durationSeconds } from "./graph-request.ts";
import { type AffectedWorkload, type PolicyScope, type SeenClient, affectedBy, affectedByPolicy, clientsRefused, selectorOf } from "./preview.ts";
import { type ApiContext, ApiProblem, type Route } from "./router.ts";
import { why } from "./why.ts";

/** What a policy would change, before it is applied. */
export interface PreviewAnswer {
  windowSeconds: number;
  affected: AffectedWorkload[];
  /** Clients seen in the window that would be refused. */
  refused: SeenClient[];
  /** Clients that are refused already. */
  already: (SeenClient & { reason: string })[];
  /** The policy as it would be applied. */
  manifest: string;
  /** What could not be looked at. */
  gaps: string[];
}

/** How far back a preview looks unless asked otherwise: a client that calls every few minutes is seen. */
const WINDOW_SECONDS = 600;
/** Logs are read pod by pod: enough to name clients, little enough to answer within a second. */
const MAX_LOG_PODS = 12;
const LOG_LINES = 1_000;

export const SECURITY_ROUTES: Route[] = [
  { pattern: "/security/preview", liveMs: 10_000, answer: ({ query }, context) => preview(query, context) },
  { pattern: "/security/plaintext", liveMs: 10_000, answer: ({ query }, context) => plaintextCallers(query, context) },
  { pattern: "/security/why", liveMs: 10_000, answer: ({ query }, context) => why(query, context) },
];

async function preview(query: URLSearchParams, context: ApiContext): Promise<PreviewAnswer> {
  const { mesh } = context;
  const level = query.get("level") ?? "mesh";
  const mode = query.get("mode") ?? "STRICT";
  if (level !== "mesh" && level !== "namespace" && level !== "workload") throw new ApiProblem(400, "level must be mesh, namespace or workload");
  if (mode !== "STRICT" && mode !== "PERMISSIVE" && mode !== "DISABLE") throw new ApiProblem(400, "mode must be STRICT, PERMISSIVE or DISABLE");
  const scope: PolicyScope = { level, namespace: query.get("namespace") ?? "", workload: query.get("workload") ?? "" };
  const windowSeconds = durationSeconds(query.get("duration"), WINDOW_SECONDS);
  return { ...(await outcomeOf(affectedBy(mesh, scope, mode), windowSeconds, context)), manifest: manifestOf(scope, mode, context) };
}

/** What would become of a manifest's policy: of the workloads it changes and the clients that were seen. */
export async function previewManifest(
  object: KubeObject,
  query: URLSearchParams,
  context: ApiContext,
): Promise<Omit<PreviewAnswer, "manifest"> | AuthorizationPreview> {
  const windowSeconds = durationSeconds(query.get("duration"), WINDOW_SECONDS);
  if (object.kind === "AuthorizationPolicy") return previewAuthorization(object as AuthorizationPolicy, windowSeconds, context);
  return outcomeOf(affectedByPolicy(context.mesh, object as PeerAuthenticationView), windowSeconds, context);
}

async function outcomeOf(affected: AffectedWorkload[], windowSeconds: number, context: ApiContext): Promise<Omit<PreviewAnswer, "manifest">> {
  const { mesh, queries } = context;
  const strict = affected.filter(({ becomes }) => becomes === "STRICT");
  const gaps: string[] = [];
  const failed = (what: string) => (thrown: unknown) => {
    gaps.push(`${what}: ${errorText(thrown)}`);
    return [];
  };
  const pair = "source_workload_namespace,source_workload,destination_workload_namespace,destination_workload";
  const counted = (selector: string) =>
    ["istio_requests_total", "istio_tcp_connections_opened_total"]
      .map((metric) => `sum(increase(${metric}{${selector}}[${windowSeconds}s])) by (${pair}) > 0`)
      .join(" or ");
  const [plaintext, sent, mutual, refusals, connections, logged] = await Promise.all([
    strict.length === 0 ? [] : queries.instant(counted('reporter="destination",connection_security_policy="none"')).catch(failed("metrics")),
    strict.length === 0 ? [] : queries.instant(counted('reporter="source",destination_workload!="unknown"')).catch(() => []),
    strict.length === 0 ? [] : queries.instant(counted('reporter="destination",connection_security_policy="mutual_tls"')).catch(() => []),
    queries.instant(`sum(increase(chainmail_refused_connections_total[${windowSeconds}s])) by (namespace,pod,source_ip,reason) > 0`).catch(() => []),
    strict.length === 0
      ? []
      : queries
          .instant(
            `sum(increase(chainmail_plaintext_connections_total[${windowSeconds}s])) by (namespace,pod,source_ip) > 0 or sum(chainmail_plaintext_connections_active) by (namespace,pod,source_ip) > 0`,
          )
          .catch(() => []),
    strict.length === 0 ? [] : plaintextInLogs(strict, windowSeconds, context).catch(failed("access logs")),
  ]);
  const already = refusals.flatMap(({ labels, value }) => {
    const to = mesh.workloadByPod(labels.namespace ?? "", labels.pod ?? "");
    if (!to) return [];
    const from = mesh.workloadByIp(labels.source_ip ?? "");
    return [
      {
        from: from ? `${from.workload}.${from.namespace}` : labels.source_ip,
        because: "unknown" as const,
        to: { namespace: to.namespace, workload: to.workload },
        requests: Math.round(value),
        source: "refusals" as const,
        lastSeen: undefined,
        reason: refusalText(labels.reason ?? ""),
      },
    ];
  });
  return {
    windowSeconds,
    affected,
    refused: clientsRefused(affected, { plaintext, sent, mutual, connections: byCaller(connections, mesh), logged }, mesh),
    already,
    gaps,
  };
}

/** Samples by pod as connections to that pod's workload. */
function byCaller(samples: readonly QuerySample[], mesh: MeshView): { ip: string; to: { namespace: string; workload: string }; count: number }[] {
  return samples.flatMap(({ labels, value }) => {
    const to = mesh.workloadByPod(labels.namespace ?? "", labels.pod ?? "");
    return to && labels.source_ip ? [{ ip: labels.source_ip, to: { namespace: to.namespace, workload: to.workload }, count: value }] : [];
  });
}

/** A workload's callers in plaintext, by name: metrics call them all unknown. */
async function plaintextCallers(
  query: URLSearchParams,
  context: ApiContext,
): Promise<{ callers: { name: string; known: boolean; requests: number; lastSeen: string }[] }> {
  const [namespace, workload] = [query.get("namespace") ?? "", query.get("workload") ?? ""];
  const logged = await plaintextInLogs(
    [{ namespace, workload, now: "", becomes: "", openPorts: [] }],
    durationSeconds(query.get("duration"), WINDOW_SECONDS),
    context,
  );
  return {
    callers: logged.map(({ ip, count, lastSeen }) => {
      const from = context.mesh.workloadByIp(ip);
      return { name: from ? `${from.workload}.${from.namespace}` : ip, known: from !== undefined, requests: count, lastSeen };
    }),
  };
}

/** Plaintext that came in, by the address it came from, as the proxies of workloads wrote it down. */
async function plaintextInLogs(
  workloads: AffectedWorkload[],
  windowSeconds: number,
  context: ApiContext,
): Promise<{ ip: string; to: { namespace: string; workload: string }; count: number; lastSeen: string }[]> {
  const { mesh, clock } = context;
  const wanted = new Set(workloads.map(({ namespace, workload }) => `${namespace}/${workload}`));
  const pods = mesh.pods().filter((pod) => hasProxy(pod) && wanted.has(`${pod.metadata.namespace}/${workloadOf(pod).workload}`));
  const since = new Date(clock.now() - windowSeconds * 1000).toISOString();
  const seen = new Map<string, { ip: string; to: { namespace: string; workload: string }; count: number; lastSeen: string }>();
  await Promise.all(
    pods.slice(0, MAX_LOG_PODS).map(async (pod) => {
      const { namespace, workload } = workloadOf(pod);
      for await (const line of context.logs.lines({ namespace, pod: pod.metadata.name, container: "istio-proxy", sinceTime: since, tailLines: LOG_LINES })) {
        const entry = logEntry(line, "istio-proxy", mesh);
        const { accessLog, explanation } = entry ?? {};
        if (
          !entry ||
          !accessLog?.downstream_remote ||
          explanation?.direction !== "inbound" ||
          explanation.transport !== "plaintext" ||
          explanation.verdict === "refused"
        )
          continue;
        const ip = accessLog.downstream_remote.replace(/:\d+$/, "");
        const key = `${ip} ${namespace}/${workload}`;
        const known = seen.get(key);
        if (known) {
          known.count++;
          known.lastSeen = entry.timestamp;
        } else seen.set(key, { ip, to: { namespace, workload }, count: 1, lastSeen: entry.timestamp });
      }
    }),
  );
  return [...seen.values()];
}

function manifestOf(scope: PolicyScope, mode: string, { mesh }: ApiContext): string {
  if (scope.level !== "workload") return policyText("default", scope.level === "mesh" ? ROOT_NAMESPACE : scope.namespace, undefined, mode);
  const pod = mesh.pods(scope.namespace).find((p) => workloadOf(p).workload === scope.workload);
  return policyText(scope.workload, scope.namespace, pod ? selectorOf(pod) : { app: scope.workload }, mode);
}

function policyText(name: string, namespace: string, labels: Record<string, string> | undefined, mode: string): string {
  const selector = labels && Object.keys(labels).length > 0 ? `  selector:\n    matchLabels:\n${labelLines(labels, 6)}\n` : "";
  return `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: ${name}\n  namespace: ${namespace}\nspec:\n${selector}  mtls:\n    mode: ${mode}\n`;
}

function labelLines(labels: Record<string, string>, indent: number): string {
  return Object.entries(labels)
    .map(([name, value]) => `${" ".repeat(indent)}${name}: ${JSON.stringify(value)}`)
    .join("\n");
}
