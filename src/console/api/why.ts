import { errorText } from "../../base/index.ts";
import { type PodView, ROOT_NAMESPACE, hasProxy, workloadOf } from "../server/mesh-view.ts";
import { type LogEntry, logEntry, parseAccessLog } from "./access-log.ts";
import { policiesOf } from "./authorization.ts";
import { type Decider, type Deciding, decidersOf, deciding } from "./deciders.ts";
import { type Explanation, explain } from "./explain.ts";
import { effectiveMode, portModes } from "./mtls.ts";
import { selectorOf } from "./preview.ts";
import { type ApiContext, ApiProblem } from "./router.ts";
import { servicesOf } from "./workload-routes.ts";

/** A decider and the proxy that carried its decision out. */
export type Decided = Decider & { proxy: string };

/** Why one workload or service refuses or fails a caller. */
export interface WhyAnswer {
  /** What decided, by the last lines of the proxies at both ends; the newest first. */
  decided: Decided[];
  mode: string | undefined;
  policy: { name: string; namespace: string; created: string } | undefined;
  ports: Record<string, string>;
  caller: { name: string; sidecar: boolean; known: boolean };
  /** The last lines of those proxies that are about this caller. */
  lines: { pod: string; timestamp: string; summary: string; message: string }[];
  /** What those lines say decided it, each once. */
  reasons: string[];
  authorization: { name: string; namespace: string; action: string }[];
  remedies: { title: string; text: string }[];
  gaps: string[];
}

/** What one access-log line comes down to. */
export interface LineAnswer {
  explanation: Explanation;
  decided: Decided[];
}

/** Logs are read pod by pod: enough to explain, little enough to answer within a second. */
const MAX_LOG_PODS = 12;
const LOG_LINES = 1_000;
/** Lines that explain one refusal. */
const SHOWN_LINES = 5;

type Line = { pod: PodView; entry: LogEntry };

export async function why(query: URLSearchParams, context: ApiContext): Promise<WhyAnswer> {
  const { mesh } = context;
  const [namespace, workload, service] = [query.get("namespace") ?? "", query.get("workload") ?? "", query.get("service") ?? ""];
  const [fromNamespace, fromWorkload] = [query.get("fromNamespace") ?? "", query.get("fromWorkload") ?? ""];
  const targets = workload ? mesh.pods(namespace).filter((pod) => workloadOf(pod).workload === workload) : [];
  const [target] = targets;
  if (!target && !service) throw new ApiProblem(404, `Workload "${workload}" not found in namespace ${namespace}`);
  const callers = mesh.pods(fromNamespace || undefined).filter((pod) => workloadOf(pod).workload === fromWorkload && pod.metadata.namespace === fromNamespace);
  const ips = new Set(callers.length > 0 ? callers.flatMap((pod) => pod.status?.podIP ?? []) : [fromWorkload]);
  const sidecar = callers.length > 0 && callers.every(hasProxy);
  const hosts = new Set(
    [...(service ? [service] : []), ...(target ? servicesOf(mesh, namespace, target.metadata.labels ?? {}).map(({ metadata }) => metadata.name) : [])].map(
      (name) => `${name}.${namespace}`,
    ),
  );
  const gaps: string[] = [];
  const read = (pods: PodView[], wanted: (entry: LogEntry) => boolean) =>
    badLines(pods.filter(hasProxy), wanted, context).catch((thrown: unknown) => {
      gaps.push(`the proxies' access logs could not be read: ${errorText(thrown)}`);
      return [];
    });
  const [objects, inbound, outbound] = await Promise.all([
    deciding(mesh),
    read(targets, ({ explanation, accessLog }) => explanation?.direction === "inbound" && ips.has(accessLog?.downstream_remote?.replace(/:\d+$/, "") ?? "")),
    // What the destination answered is told there.
    read(
      callers,
      ({ explanation, accessLog }) =>
        explanation?.direction === "outbound" &&
        accessLog?.response_code_details !== "via_upstream" &&
        (explanation.to !== undefined ? hosts.has(explanation.to) : [...hosts].some((host) => accessLog?.authority?.startsWith(host.split(".")[0]!) === true)),
    ),
  ]);
  const lines = [...inbound, ...outbound].sort((a, b) => (a.entry.timestamp < b.entry.timestamp ? 1 : -1)).slice(0, SHOWN_LINES);
  const { mode, policy } = target ? effectiveMode(target, objects.peerAuthentications) : { mode: undefined, policy: undefined };
  const object = objects.peerAuthentications.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === policy);
  const caller = { name: callers.length > 0 ? `${fromWorkload}.${fromNamespace}` : fromWorkload || "unknown", sidecar, known: callers.length > 0 };
  const port = query.get("port") ?? "";
  return {
    decided: once([
      ...lines.flatMap(({ pod, entry }) => decided(entry, pod, objects)),
      ...(lines.length === 0 && target ? unwritten(query.get("reason") ?? "", port, target, objects) : []),
    ]),
    mode,
    ports: target ? portModes(target, objects.peerAuthentications) : {},
    caller,
    gaps,
    lines: lines.map(({ pod, entry }) => ({
      pod: pod.metadata.name,
      timestamp: entry.timestamp,
      summary: entry.explanation?.summary ?? "",
      message: entry.message,
    })),
    reasons: [...new Set(lines.flatMap(({ entry }) => entry.explanation?.reasons ?? []))],
    policy: object && { name: object.metadata.name, namespace: object.metadata.namespace ?? "", created: object.metadata.creationTimestamp ?? "" },
    authorization: target
      ? policiesOf(objects.authorization, namespace, target.metadata.labels ?? {}, ROOT_NAMESPACE).map(({ metadata, spec }) => ({
          name: metadata.name,
          namespace: metadata.namespace ?? "",
          action: spec?.action ?? "ALLOW",
        }))
      : [],
    remedies: target
      ? remedies({
          namespace,
          workload,
          labels: selectorOf(target),
          port,
          mode: mode ?? "",
          caller,
          fromNamespace,
          fromWorkload,
          kind: callers[0] ? workloadOf(callers[0]).kind : "Deployment",
          refused:
            query.get("reason") === "filter_chain_not_found" || lines.some(({ entry }) => entry.accessLog?.response_code_details === "filter_chain_not_found"),
        })
      : [],
  };
}

/** From one line of a proxy's access log to what decided. Throws 400 for a line that is none. */
export async function whyLine(message: string, query: URLSearchParams, { mesh }: ApiContext): Promise<LineAnswer> {
  const [namespace, name] = [query.get("namespace") ?? "", query.get("pod") ?? ""];
  const pod = mesh.pods(namespace).find(({ metadata }) => metadata.name === name);
  if (!pod) throw new ApiProblem(404, `Pod "${name}" not found in namespace ${namespace}`);
  const log = parseAccessLog(message);
  if (!log) throw new ApiProblem(400, "this is no line of an access log");
  return { explanation: explain(log, mesh), decided: decidersOf(log, pod, await deciding(mesh)).map((decider) => ({ ...decider, proxy: name })) };
}

function decided({ accessLog }: LogEntry, pod: PodView, objects: Deciding): Decided[] {
  return accessLog ? decidersOf(accessLog, pod, objects).map((decider) => ({ ...decider, proxy: pod.metadata.name })) : [];
}

/** Where no access log is written the metric of the refusal still says what kind it was. */
function unwritten(reason: string, port: string, pod: PodView, objects: Deciding): Decided[] {
  return reason
    ? decidersOf({ response_code_details: reason, downstream_local: `:${port}` }, pod, objects).map((decider) => ({ ...decider, proxy: pod.metadata.name }))
    : [];
}

function once(list: Decided[]): Decided[] {
  return [...new Map(list.map((one) => [`${one.kind}/${one.namespace}/${one.name}/${one.rule ?? ""}/${one.proxy}`, one])).values()];
}

async function badLines(pods: PodView[], wanted: (entry: LogEntry) => boolean, { logs, mesh }: ApiContext): Promise<Line[]> {
  const found: Line[] = [];
  await Promise.all(
    pods.slice(0, MAX_LOG_PODS).map(async (pod) => {
      for await (const line of logs.lines({
        namespace: pod.metadata.namespace ?? "",
        pod: pod.metadata.name,
        container: "istio-proxy",
        tailLines: LOG_LINES,
      })) {
        const entry = logEntry(line, "istio-proxy", mesh);
        if (entry?.explanation && entry.explanation.verdict !== "ok" && wanted(entry)) found.push({ pod, entry });
      }
    }),
  );
  return found;
}

function remedies(about: {
  namespace: string;
  workload: string;
  labels: Record<string, string>;
  port: string;
  mode: string;
  caller: WhyAnswer["caller"];
  fromNamespace: string;
  fromWorkload: string;
  kind: string;
  refused: boolean;
}): WhyAnswer["remedies"] {
  const list: WhyAnswer["remedies"] = [];
  if (about.caller.known && !about.caller.sidecar) {
    list.push({
      title: "Bring the caller into the mesh: with a sidecar it speaks mutual TLS by itself",
      text: `kubectl label namespace ${about.fromNamespace} istio-injection=enabled\nkubectl rollout restart ${about.kind.toLowerCase()}/${about.fromWorkload} -n ${about.fromNamespace}`,
    });
  }
  if (about.mode === "STRICT" && about.port && about.refused) {
    const labels = Object.entries(about.labels)
      .map(([name, value]) => `      ${name}: ${JSON.stringify(value)}`)
      .join("\n");
    list.push({
      title: `Accept plaintext on port ${about.port} alone, for as long as the caller needs it`,
      text: `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: ${about.workload}-plaintext-port\n  namespace: ${about.namespace}\nspec:\n  selector:\n    matchLabels:\n${labels}\n  portLevelMtls:\n    ${about.port}:\n      mode: PERMISSIVE\n`,
    });
  }
  return list;
}
