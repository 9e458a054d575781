import type { ContainerLimits } from "./cgroups.ts";
import type { Controller } from "./hierarchies.ts";

export interface Setting {
  file: string;
  value: string;
  /** Kernels without the feature lack the file. */
  optional?: boolean;
}

/** The kubelet's: shorter ones throttle smoother and cost more. */
const PERIOD_US = 100_000;
/** The kernel takes no smaller quota. */
const LEAST_QUOTA_US = 1_000;
/** More than any service needs, and few enough that a fork bomb leaves the machine alive; OpenShift's default. */
const MAX_PROCESSES = 4096;

/** What is written into a group of version 2 (Documentation/admin-guide/cgroup-v2.rst). */
export function unifiedSettings(controller: Controller, limits: ContainerLimits): Setting[] {
  if (controller === "pids") return [{ file: "pids.max", value: String(MAX_PROCESSES) }];
  if (controller === "cpu") {
    return [
      ...(limits.cpus === undefined ? [] : [{ file: "cpu.max", value: `${quota(limits.cpus)} ${PERIOD_US}` }]),
      ...(limits.cpuRequest === undefined ? [] : [{ file: "cpu.weight", value: String(weight(limits.cpuRequest)), optional: true }]),
    ];
  }
  if (limits.memory === undefined) return [];
  // Swap would make the limit soft, and a container with some of its processes killed is none that anybody asked for.
  return [
    { file: "memory.max", value: String(limits.memory) },
    { file: "memory.swap.max", value: "0", optional: true },
    { file: "memory.oom.group", value: "1", optional: true },
  ];
}

/** The same for version 1 (Documentation/admin-guide/cgroup-v1). */
export function legacySettings(controller: Controller, limits: ContainerLimits): Setting[] {
  if (controller === "pids") return unifiedSettings(controller, limits);
  if (controller === "cpu") {
    return [
      ...(limits.cpus === undefined
        ? []
        : [
            { file: "cpu.cfs_period_us", value: String(PERIOD_US) },
            { file: "cpu.cfs_quota_us", value: String(quota(limits.cpus)) },
          ]),
      ...(limits.cpuRequest === undefined ? [] : [{ file: "cpu.shares", value: String(shares(limits.cpuRequest)), optional: true }]),
    ];
  }
  if (limits.memory === undefined) return [];
  return [
    { file: "memory.limit_in_bytes", value: String(limits.memory) },
    // Memory and swap together.
    { file: "memory.memsw.limit_in_bytes", value: String(limits.memory), optional: true },
  ];
}

function quota(cpus: number): number {
  return Math.max(LEAST_QUOTA_US, Math.round(cpus * PERIOD_US));
}

/** 1024 a core, from 2 to 262144: the kernel's bounds. */
function shares(cpus: number): number {
  return Math.min(262_144, Math.max(2, Math.round(cpus * 1024)));
}

/** The kubelet's conversion of shares into weights from 1 to 10000. */
function weight(cpus: number): number {
  return Math.floor(1 + ((shares(cpus) - 2) * 9999) / 262_142);
}
