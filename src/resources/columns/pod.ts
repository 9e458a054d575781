import type { Container, ContainerStatus, Pod } from "../core.ts";
import type { Column, KubeObject } from "../types.ts";
import { ageColumn, column, nameColumn, since } from "./format.ts";

/** What kubectl prints of a pod in READY, STATUS and RESTARTS. */
export interface PodSummary {
  ready: number;
  total: number;
  status: string;
  restarts: number;
  /** RFC 3339; undefined where nothing restarted. */
  lastRestart: string | undefined;
}

/** Column rules of Kubernetes' own printer, native sidecars included. */
export function summarizePod(pod: Pod): PodSummary {
  const spec = pod.spec;
  const status = pod.status ?? {};
  const initContainers = new Map((spec?.initContainers ?? []).map((container) => [container.name, container]));
  const total = (spec?.containers?.length ?? 0) + [...initContainers.values()].filter(isSidecar).length;

  let text = status.reason || status.phase || "";
  if (status.conditions?.some((c) => c.type === "PodScheduled" && c.reason === "SchedulingGated")) text = "SchedulingGated";

  let ready = 0;
  const initial = new Restarts();
  const sidecars = new Restarts();
  let initializing = false;
  for (const [index, container] of (status.initContainerStatuses ?? []).entries()) {
    initial.add(container);
    const sidecar = isSidecar(initContainers.get(container.name));
    if (sidecar) sidecars.add(container);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecar && container.started) {
      if (container.ready) ready++;
      continue;
    }
    if (terminated) text = `Init:${terminationText(terminated)}`;
    else if (waiting?.reason && waiting.reason !== "PodInitializing") text = `Init:${waiting.reason}`;
    else text = `Init:${index}/${initContainers.size}`;
    initializing = true;
    break;
  }

  let restarts = initial;
  if (!initializing || isTrue(pod, "Initialized")) {
    restarts = sidecars;
    let running = false;
    for (const container of [...(status.containerStatuses ?? [])].reverse()) {
      restarts.add(container);
      const { waiting, terminated } = container.state ?? {};
      if (waiting?.reason) text = waiting.reason;
      else if (terminated) text = terminationText(terminated);
      else if (container.ready && container.state?.running) {
        running = true;
        ready++;
      }
    }
    if (text === "Completed" && running) text = isTrue(pod, "Ready") ? "Running" : "NotReady";
  }

  if (pod.metadata.deletionTimestamp) {
    if (status.reason === "NodeLost") text = "Unknown";
    else if (status.phase !== "Succeeded" && status.phase !== "Failed") text = "Terminating";
  }
  return { ready, total, status: text, restarts: restarts.count, lastRestart: restarts.last };
}

const of = (object: KubeObject) => summarizePod(object as Pod);
const orNone = (text: string | undefined) => text || "<none>";

export const podColumns: Column[] = [
  nameColumn,
  column("Ready", "string", "containers that are ready, of all", (o) => {
    const { ready, total } = of(o);
    return `${ready}/${total}`;
  }),
  column("Status", "string", "what the pod's containers are at", (o) => of(o).status),
  column("Restarts", "string", "restarts of its containers, and when the last was", (o, now) => {
    const { restarts, lastRestart } = of(o);
    return restarts > 0 && lastRestart ? `${restarts} (${since(lastRestart, now)} ago)` : String(restarts);
  }),
  ageColumn,
  column("IP", "string", "the pod's address", (o) => orNone((o as Pod).status?.podIPs?.[0]?.ip), 1),
  column("Node", "string", "the node it runs on", (o) => orNone((o as Pod).spec?.nodeName), 1),
  column("Nominated Node", "string", "the node kept for it by preemption", (o) => orNone((o as Pod).status?.nominatedNodeName), 1),
  column("Readiness Gates", "string", "readiness gates that are true, of all", (o) => readinessGates(o as Pod), 1),
];

class Restarts {
  count = 0;
  last: string | undefined;
  add(container: ContainerStatus): void {
    this.count += container.restartCount;
    const finished = container.lastState?.terminated?.finishedAt;
    if (finished && (this.last === undefined || Date.parse(finished) > Date.parse(this.last))) this.last = finished;
  }
}

function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === "Always";
}

function isTrue(pod: Pod, type: string): boolean {
  return pod.status?.conditions?.some((c) => c.type === type && c.status === "True") ?? false;
}

function terminationText(terminated: { exitCode: number; signal?: number; reason?: string }): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  return `${gates.filter((gate) => isTrue(pod, gate.conditionType)).length}/${gates.length}`;
}
