import type { Condition, ContainerState, ContainerStatus, Pod, PodStatus } from "../../resources/index.ts";
import { qosClass } from "./qos.ts";
import { containerOf, type ContainerRecord, type Exit } from "./records.ts";

export interface StatusInput {
  pod: Pod;
  records: readonly ContainerRecord[];
  hostIP: string;
  /** Undefined until the sandbox stands. */
  podIP: string | undefined;
  initialized: boolean;
  outcome: "Succeeded" | "Failed" | undefined;
  /** Why the node ended the pod, where it did. */
  failure?: { reason: string; message: string };
  /** When the node first saw the pod. */
  startTime: number;
  now: number;
  /** Conditions as last written, for their transition times. */
  previous: Condition[];
}

type Phase = NonNullable<PodStatus["phase"]>;

/** Conditions that the node owns; those of others (readiness gates) are kept as they are. */
export const OWN_CONDITIONS = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/** The pod's status as a kubelet writes it, from what its containers are doing. */
export function podStatus(input: StatusInput): PodStatus {
  const { pod, records, hostIP, podIP } = input;
  const phase = podPhase(input);
  const of = (...roles: ContainerRecord["role"][]) => records.filter((r) => roles.includes(r.role)).map((r) => containerStatus(pod, r));
  const init = of("init", "sidecar");
  const ephemeral = of("ephemeral");
  return {
    phase,
    ...(input.failure === undefined ? {} : input.failure),
    conditions: conditions(input, phase),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] }),
    startTime: rfc3339(input.startTime),
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: of("app"),
    ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: ephemeral } : {}),
    qosClass: pod.status?.qosClass ?? qosClass(pod.spec ?? { containers: [] }),
  };
}

function podPhase({ pod, records, initialized, outcome }: StatusInput): Phase {
  // The end of a pod shows once nothing runs in it any more.
  if (outcome) return records.some((r) => r.phase.kind === "running") ? "Running" : outcome;
  const apps = records.filter((r) => r.role === "app");
  const neverStarted = apps.some((r) => r.phase.kind === "waiting" && r.last === undefined);
  if (!initialized || neverStarted) return "Pending";
  // A pod that is being deleted and has stopped ends by its exit codes, whatever its restart policy.
  if (pod.metadata.deletionTimestamp && records.every((r) => r.phase.kind !== "running")) {
    return apps.every((r) => exitOf(r)?.exitCode === 0) ? "Succeeded" : "Failed";
  }
  return "Running";
}

function conditions(input: StatusInput, phase: Phase): Condition[] {
  const { pod, records, podIP, initialized } = input;
  const done = phase === "Succeeded" ? "PodCompleted" : phase === "Failed" ? "PodFailed" : undefined;
  const unready = records.filter((r) => (r.role === "app" || r.role === "sidecar") && !isReady(r)).map((r) => r.name);
  const incomplete = records.filter((r) => (r.role === "init" || r.role === "sidecar") && !isInitDone(r)).map((r) => r.name);

  const containersReady: Verdict =
    done !== undefined
      ? { status: "False", reason: done }
      : unready.length > 0
        ? { status: "False", reason: "ContainersNotReady", message: `containers with unready status: [${unready.join(" ")}]` }
        : { status: "True" };
  const missingGate = (pod.spec?.readinessGates ?? []).find((gate) => !input.previous.some((c) => c.type === gate.conditionType && c.status === "True"));
  const ready: Verdict =
    containersReady.status === "True" && missingGate
      ? {
          status: "False",
          reason: "ReadinessGatesNotReady",
          message: `corresponding condition of pod readiness gate "${missingGate.conditionType}" does not exist or is not "True".`,
        }
      : containersReady;
  const init: Verdict =
    phase === "Succeeded"
      ? { status: "True", reason: "PodCompleted" }
      : initialized
        ? { status: "True" }
        : { status: "False", reason: "ContainersNotInitialized", message: `containers with incomplete status: [${incomplete.join(" ")}]` };
  const sandbox: Verdict = { status: podIP !== undefined && done === undefined ? "True" : "False" };

  const condition = (type: string, verdict: Verdict): Condition => {
    const before = input.previous.find((c) => c.type === type);
    const since = before?.status === verdict.status ? before.lastTransitionTime : undefined;
    return { type, ...verdict, lastProbeTime: null, lastTransitionTime: since ?? rfc3339(input.now) };
  };
  return [
    condition("PodReadyToStartContainers", sandbox),
    condition("Initialized", init),
    condition("Ready", ready),
    condition("ContainersReady", containersReady),
    condition("PodScheduled", { status: "True" }),
    ...input.previous.filter((c) => !OWN_CONDITIONS.includes(c.type)),
  ];
}

type Verdict = Pick<Condition, "status" | "reason" | "message">;

function containerStatus(pod: Pod, record: ContainerRecord): ContainerStatus {
  const { phase } = record;
  const containerID = phase.kind === "running" ? phase.containerId : exitOf(record)?.containerId;
  return {
    name: record.name,
    state: stateOf(record),
    lastState: record.last ? { terminated: terminated(record.last) } : {},
    ready: record.role === "init" ? phase.kind === "terminated" && phase.exit.exitCode === 0 : isReady(record),
    restartCount: Math.max(0, record.starts - 1),
    image: record.image || (containerOf(pod, record.name)?.image ?? ""),
    imageID: record.imageId,
    ...(containerID ? { containerID } : {}),
    started: phase.kind === "running" && phase.started,
  };
}

function stateOf({ phase }: ContainerRecord): ContainerState {
  switch (phase.kind) {
    case "waiting":
      return { waiting: { reason: phase.reason, ...(phase.message === undefined ? {} : { message: phase.message }) } };
    case "running":
      return { running: { startedAt: rfc3339(phase.startedAt) } };
    case "terminated":
      return { terminated: terminated(phase.exit) };
  }
}

function terminated(exit: Exit): NonNullable<ContainerState["terminated"]> {
  return {
    exitCode: exit.exitCode,
    reason: exit.reason,
    ...(exit.message ? { message: exit.message } : {}),
    ...(exit.startedAt === undefined ? {} : { startedAt: rfc3339(exit.startedAt) }),
    finishedAt: rfc3339(exit.finishedAt),
    ...(exit.containerId ? { containerID: exit.containerId } : {}),
  };
}

function isReady({ phase }: ContainerRecord): boolean {
  return phase.kind === "running" && phase.started && phase.ready;
}

function isInitDone({ role, phase }: ContainerRecord): boolean {
  if (role === "sidecar") return phase.kind === "running" && phase.started;
  return phase.kind === "terminated" && phase.exit.exitCode === 0;
}

function exitOf({ phase, last }: ContainerRecord): Exit | undefined {
  return phase.kind === "terminated" ? phase.exit : last;
}

/** Whole seconds, as Kubernetes' metav1.Time prints. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
