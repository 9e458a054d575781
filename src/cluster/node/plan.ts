import type { Pod } from "../../resources/index.ts";
import { containerOf, restarts, type ContainerRecord } from "./records.ts";

export type PlanStep =
  | { kind: "start"; name: string }
  /** Ended and not yet due again. */
  | { kind: "wait"; name: string; remainingMs: number }
  /** The pod's image for it has changed. */
  | { kind: "replace"; name: string };

export interface Plan {
  /** To be done in order; a start whose hook takes long holds up those after it, as holdApplicationUntilProxyStarts needs. */
  steps: PlanStep[];
  /** All init containers have done their work and sidecars have started. */
  initialized: boolean;
  /** No container will be started any more: what is left is stopped and the pod ends so. */
  outcome?: "Succeeded" | "Failed";
}

/**
 * What a pod needs next, by the kubelet's rules, from what its containers are doing. `remaining` is the back-off left
 * for a container that has ended. Pure: the same records give the same plan.
 */
export function planPod(pod: Pod, records: readonly ContainerRecord[], remaining: (record: ContainerRecord) => number): Plan {
  const policy = pod.spec?.restartPolicy ?? "Always";
  const steps: PlanStep[] = [];
  const again = (record: ContainerRecord) => {
    const remainingMs = remaining(record);
    steps.push(remainingMs > 0 ? { kind: "wait", name: record.name, remainingMs } : { kind: "start", name: record.name });
  };
  const replaceIfChanged = (record: ContainerRecord) => {
    if (record.phase.kind === "running" && containerOf(pod, record.name)?.image !== record.image) steps.push({ kind: "replace", name: record.name });
  };

  const apps = records.filter((r) => r.role === "app");
  const outcome = appOutcome(apps, policy);
  if (outcome) return { steps: [], initialized: true, outcome };

  let initialized = true;
  for (const record of records) {
    if (record.role === "app" || record.role === "ephemeral") break;
    const { phase } = record;
    if (record.role === "init") {
      if (phase.kind === "terminated" && phase.exit.exitCode === 0) continue;
      initialized = false;
      if (phase.kind === "terminated" && policy === "Never") return { steps: [], initialized, outcome: "Failed" };
      if (phase.kind !== "running") again(record);
    } else {
      replaceIfChanged(record);
      // A sidecar that has died is started again whatever the pod's policy says.
      if (phase.kind !== "running") again(record);
      if (phase.kind === "running" && phase.started) continue;
      // One that had started once does not hold up those after it any more.
      if (appsBegun(apps)) continue;
      initialized = false;
    }
    break;
  }
  if (!initialized) return { steps, initialized };

  for (const record of apps) {
    replaceIfChanged(record);
    if (record.phase.kind === "waiting") again(record);
    if (record.phase.kind === "terminated" && restarts(policy, record.phase.exit.exitCode)) again(record);
  }
  for (const record of records) if (record.role === "ephemeral" && record.phase.kind === "waiting") again(record);
  return { steps, initialized };
}

/** Defined once every app container has ended for good. */
function appOutcome(apps: readonly ContainerRecord[], policy: string): "Succeeded" | "Failed" | undefined {
  let failed = false;
  for (const { phase } of apps) {
    if (phase.kind !== "terminated" || restarts(policy, phase.exit.exitCode)) return undefined;
    failed ||= phase.exit.exitCode !== 0;
  }
  return failed ? "Failed" : "Succeeded";
}

function appsBegun(apps: readonly ContainerRecord[]): boolean {
  return apps.some((r) => r.begun);
}
