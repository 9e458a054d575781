import type { Container, ContainerState, ContainerStatus, EphemeralContainer, Pod } from "../../resources/index.ts";

/** How an attempt ended. Times are milliseconds since the epoch. */
export interface Exit {
  exitCode: number;
  reason: string;
  message?: string;
  /** Absent when the process never started. */
  startedAt?: number;
  finishedAt: number;
  containerId?: string;
}

export type ContainerPhase =
  | { kind: "waiting"; reason: string; message?: string }
  | { kind: "running"; startedAt: number; containerId: string; started: boolean; ready: boolean }
  | { kind: "terminated"; exit: Exit };

/**
 * init: runs to its end before the next; sidecar: an init container that stays; app: the pod's purpose; ephemeral: joined
 * a running pod, is started once, and does not count.
 */
export type ContainerRole = "init" | "sidecar" | "app" | "ephemeral";

/** What the node knows of one container of a pod; changed only by the pod's worker. */
export interface ContainerRecord {
  readonly name: string;
  readonly role: ContainerRole;
  phase: ContainerPhase;
  /** The attempt before the current one. */
  last?: Exit;
  /** How often it was started, also before the cluster was restarted; the restart count is one less. */
  starts: number;
  /** Whether it was started in this sandbox. */
  begun: boolean;
  /** What is running, to notice a change of the pod's image. */
  image: string;
  imageId: string;
}

export const CREATING = "ContainerCreating";
export const INITIALIZING = "PodInitializing";

/** What a container that was running when the node died is said to have ended with, as the kubelet says after a reboot. */
const LOST_EXIT = { exitCode: 255, reason: "Unknown" } as const;

/** Records for all containers in the order in which they start; picks up counts from a status that an earlier run wrote. */
export function createRecords(pod: Pod, now: number): ContainerRecord[] {
  const spec = pod.spec;
  const init = (spec?.initContainers ?? []).map((c) => record(c, c.restartPolicy === "Always" ? "sidecar" : "init", pod.status?.initContainerStatuses, now));
  const apps = (spec?.containers ?? []).map((c) => record(c, "app", pod.status?.containerStatuses, now));
  const all = [...init, ...apps];
  for (const entry of all) if (entry.phase.kind === "waiting") entry.phase.reason = init.length > 0 && entry.role === "app" ? INITIALIZING : CREATING;
  const policy = spec?.restartPolicy ?? "Always";
  // The sandbox is new, so init work is done again; an app container keeps an end that its restart policy calls final.
  for (const entry of all) {
    const isFinal = entry.role === "app" && entry.last !== undefined && !restarts(policy, entry.last.exitCode);
    if (isFinal) finish(entry);
  }
  return [...all, ...newEphemeral(pod, [], now)];
}

/** Records for ephemeral containers that are in the pod, but not among `known`. One that an earlier run started is over. */
export function newEphemeral(pod: Pod, known: readonly ContainerRecord[], now: number): ContainerRecord[] {
  const fresh = (pod.spec?.ephemeralContainers ?? []).filter((c) => !known.some((r) => r.name === c.name));
  const records = fresh.map((c) => record(c, "ephemeral", pod.status?.ephemeralContainerStatuses, now));
  for (const entry of records) finish(entry);
  return records;
}

function finish(entry: ContainerRecord): void {
  if (!entry.last) return;
  entry.phase = { kind: "terminated", exit: entry.last };
  delete entry.last;
}

/** Whether the policy starts an app container again after this exit code. */
export function restarts(policy: string, exitCode: number): boolean {
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

export function containerOf(pod: Pod, name: string): EphemeralContainer | undefined {
  return (
    pod.spec?.containers.find((c) => c.name === name) ??
    pod.spec?.initContainers?.find((c) => c.name === name) ??
    pod.spec?.ephemeralContainers?.find((c) => c.name === name)
  );
}

function record(container: Container, role: ContainerRole, statuses: ContainerStatus[] | undefined, now: number): ContainerRecord {
  const status = statuses?.find((s) => s.name === container.name);
  const base: ContainerRecord = {
    name: container.name,
    role,
    phase: { kind: "waiting", reason: CREATING },
    starts: 0,
    begun: false,
    image: container.image ?? "",
    imageId: "",
  };
  if (!status) return base;
  const last = exitOf(status.state, now) ?? exitOf(status.lastState, now);
  if (!last) return base;
  return { ...base, starts: status.restartCount + 1, last };
}

function exitOf(state: ContainerState | undefined, now: number): Exit | undefined {
  if (state?.terminated) {
    const { exitCode, reason = "Error", message, startedAt, finishedAt, containerID } = state.terminated;
    return {
      exitCode,
      reason,
      ...(message === undefined ? {} : { message }),
      ...(startedAt ? { startedAt: Date.parse(startedAt) } : {}),
      finishedAt: finishedAt ? Date.parse(finishedAt) : now,
      ...(containerID ? { containerId: containerID } : {}),
    };
  }
  if (state?.running) return { ...LOST_EXIT, ...(state.running.startedAt ? { startedAt: Date.parse(state.running.startedAt) } : {}), finishedAt: now };
  return undefined;
}
