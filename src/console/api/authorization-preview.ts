import { errorText } from "../../base/index.ts";
import { AUTHORIZATION_POLICIES } from "../../kube/index.ts";
import { type PodView, ROOT_NAMESPACE, hasProxy, workloadOf } from "../server/mesh-view.ts";
import { logEntry } from "./access-log.ts";
import { type AuthorizationPolicy, type SeenRequest, decide, policiesOf } from "./authorization.ts";
import { trustDomain } from "./mtls.ts";
import type { ApiContext } from "./router.ts";

/** A kind of request that was seen, and what would become of it. */
export interface JudgedRequest {
  from: string;
  to: { namespace: string; workload: string };
  what: string;
  requests: number;
  lastSeen: string;
  /** The policy that would decide, where one does by itself. */
  policy: string | undefined;
}

/** What an AuthorizationPolicy would change for the requests seen in a window. */
export interface AuthorizationPreview {
  windowSeconds: number;
  /** Workloads that it chooses. */
  chooses: { namespace: string; workload: string }[];
  seen: number;
  /** Let in now, refused then. */
  refused: JudgedRequest[];
  /** Refused now, let in then. */
  admitted: JudgedRequest[];
  /** Hangs on what access logs do not tell. */
  unknown: JudgedRequest[];
  gaps: string[];
}

/** Logs are read pod by pod: enough to see who calls, little enough to answer within a second or two. */
const MAX_LOG_PODS = 24;
const LOG_LINES = 2_000;
/** Kinds of requests told of each outcome. */
const MAX_ROWS = 100;

/** Judges what the proxies of the chosen workloads wrote down, by the policies as they are and as they would be. */
export async function previewAuthorization(policy: AuthorizationPolicy, windowSeconds: number, context: ApiContext): Promise<AuthorizationPreview> {
  const { mesh, clock } = context;
  const now = await mesh.objects<AuthorizationPolicy>(AUTHORIZATION_POLICIES);
  const same = ({ metadata }: AuthorizationPolicy) => metadata.namespace === policy.metadata.namespace && metadata.name === policy.metadata.name;
  const then = [...now.filter((other) => !same(other)), policy];
  const gaps: string[] = [];
  if (policy.spec?.targetRef !== undefined || (policy.spec?.targetRefs?.length ?? 0) > 0)
    gaps.push("it names what it is for by targetRefs: whom that chooses is not worked out here");
  const old = now.filter(same);
  // A policy that stops choosing a workload changes that one too.
  const pods = mesh
    .pods()
    .filter((pod) => hasProxy(pod) && policiesOf([policy, ...old], pod.metadata.namespace ?? "", pod.metadata.labels ?? {}, ROOT_NAMESPACE).length > 0);
  if (pods.length > MAX_LOG_PODS) gaps.push(`it chooses ${pods.length} pods: the logs of ${MAX_LOG_PODS} were read`);
  const since = new Date(clock.now() - windowSeconds * 1000).toISOString();
  const outcome: Record<"refused" | "admitted" | "unknown", Map<string, JudgedRequest>> = { refused: new Map(), admitted: new Map(), unknown: new Map() };
  let seen = 0;
  await Promise.all(
    pods.slice(0, MAX_LOG_PODS).map(async (pod) => {
      const { namespace, workload } = workloadOf(pod);
      const apply = (policies: readonly AuthorizationPolicy[]) => policiesOf(policies, namespace, pod.metadata.labels ?? {}, ROOT_NAMESPACE);
      const [before, after] = [apply(now), apply(then)];
      try {
        for await (const line of context.logs.lines({ namespace, pod: pod.metadata.name, container: "istio-proxy", sinceTime: since, tailLines: LOG_LINES })) {
          const request = requestOf(line, context);
          if (!request) continue;
          seen++;
          const [was, becomes] = [decide(before, request.request).decision, decide(after, request.request)];
          const kind =
            becomes.decision === was
              ? undefined
              : becomes.decision === "unknown"
                ? "unknown"
                : becomes.decision === "denied"
                  ? "refused"
                  : was === "denied"
                    ? "admitted"
                    : undefined;
          if (!kind || (kind === "refused" && request.refused)) continue;
          count(outcome[kind], {
            from: request.from,
            to: { namespace, workload },
            what: request.what,
            requests: 1,
            lastSeen: request.timestamp,
            policy: becomes.policy,
          });
        }
      } catch (thrown) {
        gaps.push(`the log of ${pod.metadata.name} could not be read: ${errorText(thrown)}`);
      }
    }),
  );
  const chosen = new Map(chosenBy(policy, pods).map((row) => [`${row.namespace}/${row.workload}`, row]));
  const rows = (map: ReadonlyMap<string, JudgedRequest>) => [...map.values()].sort((a, b) => b.requests - a.requests).slice(0, MAX_ROWS);
  return {
    windowSeconds,
    chooses: [...chosen.values()],
    seen,
    refused: rows(outcome.refused),
    admitted: rows(outcome.admitted),
    unknown: rows(outcome.unknown),
    gaps,
  };
}

function chosenBy(policy: AuthorizationPolicy, pods: readonly PodView[]): { namespace: string; workload: string }[] {
  return pods
    .filter((pod) => policiesOf([policy], pod.metadata.namespace ?? "", pod.metadata.labels ?? {}, ROOT_NAMESPACE).length > 0)
    .map((pod) => ({ namespace: workloadOf(pod).namespace, workload: workloadOf(pod).workload }));
}

function count(map: Map<string, JudgedRequest>, row: JudgedRequest): void {
  const key = `${row.from} ${row.to.namespace}/${row.to.workload} ${row.what}`;
  const known = map.get(key);
  if (!known) map.set(key, row);
  else {
    known.requests++;
    if (row.lastSeen > known.lastSeen) known.lastSeen = row.lastSeen;
  }
}

/** A line about a request that came in, with its caller named by the address that it came from. */
function requestOf(line: string, { mesh }: ApiContext): { request: SeenRequest; from: string; what: string; refused: boolean; timestamp: string } | undefined {
  const entry = logEntry(line, "istio-proxy", mesh);
  const { accessLog, explanation } = entry ?? {};
  if (!entry || !accessLog?.downstream_remote || explanation?.direction !== "inbound") return undefined;
  const ip = accessLog.downstream_remote.replace(/:\d+$/, "");
  const caller = mesh.workloadByIp(ip);
  const pod = mesh.pods().find((candidate) => candidate.status?.podIP === ip);
  const principal =
    explanation.transport === "plaintext" || !caller
      ? ""
      : `${trustDomain(mesh.meshConfig())}/ns/${caller.namespace}/sa/${pod?.spec?.serviceAccountName ?? "default"}`;
  const path = accessLog.uri_path ?? "";
  return {
    request: { principal, ip, method: accessLog.method, path, host: accessLog.authority ?? "", port: accessLog.downstream_local?.replace(/^.*:/, "") ?? "" },
    from: caller ? `${caller.workload}.${caller.namespace}` : ip,
    what: accessLog.method ? `${accessLog.method} ${path.replace(/[?#].*$/s, "")}` : `TCP to port ${accessLog.downstream_local?.replace(/^.*:/, "") ?? "?"}`,
    refused: explanation.verdict === "refused",
    timestamp: entry.timestamp,
  };
}
