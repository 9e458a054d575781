import type { QuerySample } from "../../telemetry/index.ts";
import { type MeshView, type PeerAuthenticationView, type PodView, ROOT_NAMESPACE, hasProxy, workloadOf } from "../server/mesh-view.ts";
import { effectiveMode, portModes } from "./mtls.ts";

/** Where a policy would stand. */
export interface PolicyScope {
  level: "mesh" | "namespace" | "workload";
  namespace: string;
  workload: string;
}

/** A workload whose mode the policy would change. */
export interface AffectedWorkload {
  namespace: string;
  workload: string;
  now: string;
  becomes: string;
  /** Ports that an own policy keeps open. */
  openPorts: string[];
}

/** A client that was seen in plaintext, or was refused already. */
export interface SeenClient {
  /** `workload.namespace`, an address, or undefined where nothing names it. */
  from: string | undefined;
  /** What is known of why it speaks plaintext. */
  because: "no-sidecar" | "sidecar-in-plaintext" | "unknown";
  to: { namespace: string; workload: string };
  requests: number;
  /** Where its name comes from. */
  source: "metrics" | "access log" | "refusals";
  lastSeen: string | undefined;
}

/** The policy as it would be applied; it counts as the oldest of its level, since it takes the place of the one there. */
export function withPolicy(
  policies: readonly PeerAuthenticationView[],
  scope: PolicyScope,
  mode: string,
  labels: Record<string, string>,
): PeerAuthenticationView[] {
  const namespace = scope.level === "mesh" ? ROOT_NAMESPACE : scope.namespace;
  const hasSelector = (policy: PeerAuthenticationView) => Object.keys(policy.spec?.selector?.matchLabels ?? {}).length > 0;
  const replaced = (policy: PeerAuthenticationView) => {
    if (policy.metadata.namespace !== namespace) return false;
    if (scope.level !== "workload") return !hasSelector(policy);
    return hasSelector(policy) && Object.entries(policy.spec?.selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value);
  };
  const wanted: PeerAuthenticationView = {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: scope.level === "workload" ? scope.workload : "default", namespace, creationTimestamp: "" },
    spec: { ...(scope.level === "workload" && { selector: { matchLabels: labels } }), mtls: { mode } },
  };
  return [...policies.filter((policy) => !replaced(policy)), wanted];
}

/** Labels by which a policy for one workload chooses it: its app, else all that is not a hash. */
export function selectorOf(pod: PodView): Record<string, string> {
  const labels = pod.metadata.labels ?? {};
  if (labels.app) return { app: labels.app };
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !/hash|istio\.io/.test(name)));
}

/** The workloads whose effective mode would be another. */
export function affectedBy(mesh: MeshView, scope: PolicyScope, mode: string): AffectedWorkload[] {
  const now = mesh.peerAuthentications();
  const chosen = mesh
    .pods(scope.namespace || undefined)
    .find((pod) => workloadOf(pod).workload === scope.workload && pod.metadata.namespace === scope.namespace);
  return differences(mesh, now, withPolicy(now, scope, mode, chosen ? selectorOf(chosen) : {}));
}

/** The same for a policy as it is written, in the place of the one of its name. */
export function affectedByPolicy(mesh: MeshView, policy: PeerAuthenticationView): AffectedWorkload[] {
  const now = mesh.peerAuthentications();
  const same = ({ metadata }: PeerAuthenticationView) => metadata.name === policy.metadata.name && metadata.namespace === policy.metadata.namespace;
  // What takes an object's place keeps its age; a new one is the youngest, and the oldest of a level counts.
  const created = now.find(same)?.metadata.creationTimestamp ?? "9999-12-31T23:59:59Z";
  return differences(mesh, now, [...now.filter((other) => !same(other)), { ...policy, metadata: { ...policy.metadata, creationTimestamp: created } }]);
}

function differences(mesh: MeshView, now: PeerAuthenticationView[], then: PeerAuthenticationView[]): AffectedWorkload[] {
  const found = new Map<string, AffectedWorkload>();
  for (const pod of mesh.pods()) {
    if (!hasProxy(pod) || pod.metadata.deletionTimestamp) continue;
    const [before, after] = [effectiveMode(pod, now), effectiveMode(pod, then)];
    const { namespace, workload } = workloadOf(pod);
    if (before.mode === after.mode) continue;
    const openPorts = Object.entries(portModes(pod, then))
      .filter(([, portMode]) => portMode === "PERMISSIVE" || portMode === "DISABLE")
      .map(([port]) => port);
    found.set(`${namespace}/${workload}`, { namespace, workload, now: before.mode, becomes: after.mode, openPorts });
  }
  return [...found.values()].sort((a, b) => (`${a.namespace}/${a.workload}` < `${b.namespace}/${b.workload}` ? -1 : 1));
}

export interface Observations {
  /** What destinations saw come in plaintext: requests, and connections of TCP, in the window. */
  plaintext: readonly QuerySample[];
  /** What sources with a sidecar say they sent to each destination, and what destinations say came from them over mutual TLS. */
  sent: readonly QuerySample[];
  mutual: readonly QuerySample[];
  /** Connections that destinations let in without TLS, by the address that called: open now, or opened in the window. */
  connections: readonly { ip: string; to: { namespace: string; workload: string }; count: number }[];
  /** Lines of destinations' access logs for plaintext, by the address that called. */
  logged: readonly { ip: string; to: { namespace: string; workload: string }; count: number; lastSeen: string }[];
}

/** Who would be refused by the workloads that become strict, named as far as anything names them. Pure. */
export function clientsRefused(affected: readonly AffectedWorkload[], seen: Observations, mesh: Pick<MeshView, "workloadByIp" | "pods">): SeenClient[] {
  const strict = new Set(affected.filter(({ becomes }) => becomes === "STRICT").map(({ namespace, workload }) => `${namespace}/${workload}`));
  const clients = new Map<string, SeenClient>();
  const add = (client: SeenClient) => {
    if (!strict.has(`${client.to.namespace}/${client.to.workload}`) || client.requests <= 0) return;
    const key = `${client.from} ${client.to.namespace}/${client.to.workload}`;
    const known = clients.get(key);
    // The same client by two ways is one client.
    const lastSeen = client.lastSeen ?? known?.lastSeen;
    clients.set(key, { ...(!known || known.requests < client.requests ? client : known), lastSeen });
  };
  const sidecars = new Set(
    mesh
      .pods()
      .filter(hasProxy)
      .map((pod) => nameOf(workloadOf(pod))),
  );
  const because = (name: string) => (sidecars.has(name) ? ("sidecar-in-plaintext" as const) : ("no-sidecar" as const));
  const unnamed = new Map<string, number>();
  for (const { labels, value } of seen.plaintext) {
    const to = { namespace: labels.destination_workload_namespace ?? "", workload: labels.destination_workload ?? "" };
    if (labels.source_workload && labels.source_workload !== "unknown") {
      const from = `${labels.source_workload}.${labels.source_workload_namespace}`;
      add({ from, because: because(from), to, requests: Math.round(value), source: "metrics", lastSeen: undefined });
    } else unnamed.set(`${to.namespace}/${to.workload}`, (unnamed.get(`${to.namespace}/${to.workload}`) ?? 0) + value);
  }
  // Requests are not counted by address: those of one destination are shared out by their callers' connections.
  const all = new Map<string, number>();
  for (const { to, count } of seen.connections) all.set(`${to.namespace}/${to.workload}`, (all.get(`${to.namespace}/${to.workload}`) ?? 0) + count);
  for (const { ip, to, count } of seen.connections) {
    const workload = mesh.workloadByIp(ip);
    const from = workload ? nameOf(workload) : ip;
    const key = `${to.namespace}/${to.workload}`;
    const requests = Math.max(1, Math.round(((unnamed.get(key) ?? 0) * count) / all.get(key)!));
    add({ from, because: workload ? because(from) : "unknown", to, requests, source: "metrics", lastSeen: undefined });
  }
  for (const { ip, to, count, lastSeen } of seen.logged) {
    const workload = mesh.workloadByIp(ip);
    const from = workload ? nameOf(workload) : ip;
    add({ from, because: workload ? because(from) : "unknown", to, requests: count, source: "access log", lastSeen });
  }
  // A sidecar that says it sent what no destination saw over mutual TLS spoke plaintext, as a DestinationRule can make it.
  const pair = (l: QuerySample["labels"]) =>
    `${l.source_workload}.${l.source_workload_namespace} ${l.destination_workload_namespace}/${l.destination_workload}`;
  const mutual = new Map(seen.mutual.map(({ labels, value }) => [pair(labels), value]));
  for (const { labels, value } of seen.sent) {
    const [from = "", to = ""] = pair(labels).split(" ");
    if ((unnamed.get(to) ?? 0) === 0 || (mutual.get(pair(labels)) ?? 0) > value / 2) continue;
    const [namespace = "", workload = ""] = to.split("/");
    add({ from, because: "sidecar-in-plaintext", to: { namespace, workload }, requests: Math.round(value), source: "metrics", lastSeen: undefined });
  }
  // What nothing has named is still somebody.
  for (const [to, value] of unnamed) {
    const [namespace = "", workload = ""] = to.split("/");
    const named = [...clients.values()].filter((c) => c.to.namespace === namespace && c.to.workload === workload).reduce((sum, c) => sum + c.requests, 0);
    const left = Math.round(value) - named;
    if (left > 0 && (named === 0 || left > value / 4))
      add({ from: undefined, because: "unknown", to: { namespace, workload }, requests: left, source: "metrics", lastSeen: undefined });
  }
  return [...clients.values()].sort((a, b) => b.requests - a.requests || ((a.from ?? "") < (b.from ?? "") ? -1 : 1));
}

function nameOf({ workload, namespace }: { workload: string; namespace: string }): string {
  return `${workload}.${namespace}`;
}
