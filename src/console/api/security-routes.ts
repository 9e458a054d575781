import { errorText } from "../../base/index.ts";
import { AUTHORIZATION_POLICIES } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { type PeerAuthenticationView, ROOT_NAMESPACE, hasProxy, workloadOf } from "../server/mesh-view.ts";
import { logEntry } from "./access-log.ts";
import type { AuthorizationPolicy } from "./authorization.ts";
import { type AuthorizationPreview, previewAuthorization } from "./authorization-preview.ts";
import { refusalText } from "./flags.ts";
import { durationSeconds } from "./graph-request.ts";
import { effectiveMode, portModes } from "./mtls.ts";
import { type AffectedWorkload, type PolicyScope, type SeenClient, affectedBy, affectedByPolicy, clientsRefused, selectorOf } from "./preview.ts";
import { type ApiContext, ApiProblem, type Route } from "./router.ts";

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

/** Why one workload refuses a caller. */
export interface WhyAnswer {
  mode: string;
  policy: { name: string; namespace: string; created: string; manifest: string } | undefined;
  ports: Record<string, string>;
  caller: { name: string; sidecar: boolean; known: boolean };
  /** The last lines of the refusing proxies that are about this caller. */
  lines: { pod: string; timestamp: string; summary: string; message: string }[];
  /** What those lines say decided it, each once. */
  reasons: string[];
  authorization: { name: string; namespace: string; action: string }[];
  remedies: { title: string; text: string }[];
  gaps: string[];
}

/** How far back a preview looks unless asked otherwise: a client that calls every few minutes is seen. */
const WINDOW_SECONDS = 600;
/** Logs are read pod by pod: enough to name clients, little enough to answer within a second. */
const MAX_LOG_PODS = 12;
const LOG_LINES = 1_000;
/** Lines that explain one refusal. */
const SHOWN_LINES = 5;

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
export async function previewManifest(object: KubeObject, query: URLSearchParams, context: ApiContext): Promise<Omit<PreviewAnswer, "manifest"> | AuthorizationPreview> {
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
  const counted = (selector: string) => ["istio_requests_total", "istio_tcp_connections_opened_total"].map((metric) => `sum(increase(${metric}{${selector}}[${windowSeconds}s])) by (${pair}) > 0`).join(" or ");
  const [plaintext, sent, mutual, refusals, logged] = await Promise.all([
    strict.length === 0 ? [] : queries.instant(counted('reporter="destination",connection_security_policy="none"')).catch(failed("metrics")),
    strict.length === 0 ? [] : queries.instant(counted('reporter="source",destination_workload!="unknown"')).catch(() => []),
    strict.length === 0 ? [] : queries.instant(counted('reporter="destination",connection_security_policy="mutual_tls"')).catch(() => []),
    queries.instant(`sum(increase(chainmail_refused_connections_total[${windowSeconds}s])) by (namespace,pod,source_ip,reason) > 0`).catch(() => []),
    strict.length === 0 ? [] : plaintextInLogs(strict, windowSeconds, context).catch(failed("access logs")),
  ]);
  const already = refusals.flatMap(({ labels, value }) => {
    const to = mesh.workloadByPod(labels.namespace ?? "", labels.pod ?? "");
    if (!to) return [];
    const from = mesh.workloadByIp(labels.source_ip ?? "");
    return [{ from: from ? `${from.workload}.${from.namespace}` : labels.source_ip, because: "unknown" as const, to: { namespace: to.namespace, workload: to.workload }, requests: Math.round(value), source: "refusals" as const, lastSeen: undefined, reason: refusalText(labels.reason ?? "") }];
  });
  return { windowSeconds, affected, refused: clientsRefused(affected, { plaintext, sent, mutual, logged }, mesh), already, gaps };
}

/** A workload's callers in plaintext, by name: metrics call them all unknown. */
async function plaintextCallers(query: URLSearchParams, context: ApiContext): Promise<{ callers: { name: string; known: boolean; requests: number; lastSeen: string }[] }> {
  const [namespace, workload] = [query.get("namespace") ?? "", query.get("workload") ?? ""];
  const logged = await plaintextInLogs([{ namespace, workload, now: "", becomes: "", openPorts: [] }], durationSeconds(query.get("duration"), WINDOW_SECONDS), context);
  return {
    callers: logged.map(({ ip, count, lastSeen }) => {
      const from = context.mesh.workloadByIp(ip);
      return { name: from ? `${from.workload}.${from.namespace}` : ip, known: from !== undefined, requests: count, lastSeen };
    }),
  };
}

/** Plaintext that came in, by the address it came from, as the proxies of workloads wrote it down. */
async function plaintextInLogs(workloads: AffectedWorkload[], windowSeconds: number, context: ApiContext): Promise<{ ip: string; to: { namespace: string; workload: string }; count: number; lastSeen: string }[]> {
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
        if (!entry || !accessLog?.downstream_remote || explanation?.direction !== "inbound" || explanation.transport !== "plaintext" || explanation.verdict === "refused") continue;
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

async function why(query: URLSearchParams, context: ApiContext): Promise<WhyAnswer> {
  const { mesh } = context;
  const [namespace, workload] = [query.get("namespace") ?? "", query.get("workload") ?? ""];
  const [fromNamespace, fromWorkload] = [query.get("fromNamespace") ?? "", query.get("fromWorkload") ?? ""];
  const pods = mesh.pods(namespace).filter((pod) => workloadOf(pod).workload === workload);
  const [target] = pods;
  if (!target) throw new ApiProblem(404, `Workload "${workload}" not found in namespace ${namespace}`);
  const callers = mesh.pods(fromNamespace || undefined).filter((pod) => workloadOf(pod).workload === fromWorkload && pod.metadata.namespace === fromNamespace);
  const ips = new Set(callers.length > 0 ? callers.flatMap((pod) => pod.status?.podIP ?? []) : [fromWorkload]);
  const sidecar = callers.length > 0 && callers.every(hasProxy);
  const policies = mesh.peerAuthentications();
  const { mode, policy } = effectiveMode(target, policies);
  const object = policies.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === policy);
  const gaps: string[] = [];
  const [refusals, authorization] = await Promise.all([
    refusedLines(pods.map((pod) => pod.metadata.name), namespace, ips, context).catch((thrown: unknown) => {
      gaps.push(`the proxies' access logs could not be read: ${errorText(thrown)}`);
      return [];
    }),
    mesh.objects<KubeObject<{ action?: string; selector?: { matchLabels?: Record<string, string> } }>>(AUTHORIZATION_POLICIES),
  ]);
  const inForce = authorization.filter(({ metadata, spec }) => (metadata.namespace === namespace || metadata.namespace === ROOT_NAMESPACE) && Object.entries(spec?.selector?.matchLabels ?? {}).every(([name, value]) => target.metadata.labels?.[name] === value));
  const caller = { name: callers.length > 0 ? `${fromWorkload}.${fromNamespace}` : fromWorkload || "unknown", sidecar, known: callers.length > 0 };
  return {
    mode, ports: portModes(target, policies), caller, lines: refusals.map(({ pod, timestamp, summary, message }) => ({ pod, timestamp, summary, message })), reasons: [...new Set(refusals.flatMap(({ reasons }) => reasons))], gaps,
    policy: object && { name: object.metadata.name, namespace: object.metadata.namespace ?? "", created: object.metadata.creationTimestamp ?? "", manifest: policyText(object.metadata.name, object.metadata.namespace ?? "", object.spec?.selector?.matchLabels, object.spec?.mtls?.mode ?? "UNSET") },
    authorization: inForce.map(({ metadata, spec }) => ({ name: metadata.name, namespace: metadata.namespace ?? "", action: spec?.action ?? "ALLOW" })),
    remedies: remedies({ namespace, workload, labels: selectorOf(target), port: query.get("port") ?? "", mode, sidecar, known: caller.known, fromNamespace, fromWorkload, kind: callers[0] ? workloadOf(callers[0]).kind : "Deployment" }),
  };
}

async function refusedLines(pods: string[], namespace: string, ips: ReadonlySet<string>, { logs, mesh }: ApiContext): Promise<(WhyAnswer["lines"][number] & { reasons: string[] })[]> {
  const found: (WhyAnswer["lines"][number] & { reasons: string[] })[] = [];
  await Promise.all(
    pods.slice(0, MAX_LOG_PODS).map(async (pod) => {
      for await (const line of logs.lines({ namespace, pod, container: "istio-proxy", tailLines: LOG_LINES })) {
        const entry = logEntry(line, "istio-proxy", mesh);
        if (entry?.explanation?.verdict === "refused" && ips.has(entry.accessLog?.downstream_remote?.replace(/:\d+$/, "") ?? "")) found.push({ pod, timestamp: entry.timestamp, summary: entry.explanation.summary, message: entry.message, reasons: entry.explanation.reasons });
      }
    }),
  );
  return found.sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1)).slice(0, SHOWN_LINES);
}

function remedies(about: { namespace: string; workload: string; labels: Record<string, string>; port: string; mode: string; sidecar: boolean; known: boolean; fromNamespace: string; fromWorkload: string; kind: string }): WhyAnswer["remedies"] {
  const list: WhyAnswer["remedies"] = [];
  if (about.known && !about.sidecar) {
    list.push({
      title: "Bring the caller into the mesh: with a sidecar it speaks mutual TLS by itself",
      text: `kubectl label namespace ${about.fromNamespace} istio-injection=enabled\nkubectl rollout restart ${about.kind.toLowerCase()}/${about.fromWorkload} -n ${about.fromNamespace}`,
    });
  }
  if (about.mode === "STRICT" && about.port) {
    list.push({
      title: `Accept plaintext on port ${about.port} alone, for as long as the caller needs it`,
      text: `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: ${about.workload}-plaintext-port\n  namespace: ${about.namespace}\nspec:\n  selector:\n    matchLabels:\n${labelLines(about.labels, 6)}\n  portLevelMtls:\n    ${about.port}:\n      mode: PERMISSIVE\n`,
    });
  }
  return list;
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
  return Object.entries(labels).map(([name, value]) => `${" ".repeat(indent)}${name}: ${JSON.stringify(value)}`).join("\n");
}
