import type { KubeObject } from "../types.ts";
import { canonicalQuantity } from "./quantity.ts";

export function defaultCsiDriver(driver: KubeObject): void {
  const spec = (driver.spec ??= {}) as Record<string, unknown>;
  spec.attachRequired ??= true;
  spec.podInfoOnMount ??= false;
  spec.storageCapacity ??= false;
  spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
  if (!(spec.volumeLifecycleModes as unknown[] | undefined)?.length) spec.volumeLifecycleModes = ["Persistent"];
  spec.requiresRepublish ??= false;
  spec.seLinuxMount ??= false;
}

export function defaultStorageCapacity(capacity: KubeObject): void {
  for (const field of ["capacity", "maximumVolumeSize"]) if (capacity[field] !== undefined) capacity[field] = canonicalQuantity(capacity[field]);
}

export function defaultVolumeAttachment(attachment: KubeObject): void {
  attachment.status ??= { attached: false };
}

export function defaultServiceCidr(range: KubeObject): void {
  range.status ??= {};
}

interface Pool {
  generation?: number;
}

export function defaultResourceSlice(slice: KubeObject): void {
  const { pool, devices } = (slice.spec ?? {}) as { pool?: Pool; devices?: { capacity?: Record<string, { value?: unknown }> }[] };
  if (pool) pool.generation ??= 0;
  for (const { capacity = {} } of devices ?? [])
    for (const amount of Object.values(capacity)) if (amount.value !== undefined) amount.value = canonicalQuantity(amount.value);
}

/** As many as a request for devices means that names no number. */
const ONE_DEVICE = 1;

export function defaultResourceClaim(claim: KubeObject): void {
  defaultDevices((claim.spec as { devices?: Devices } | undefined)?.devices);
  claim.status ??= {};
}

export function defaultResourceClaimTemplate(template: KubeObject): void {
  const spec = template.spec as { metadata?: object; spec?: { devices?: Devices } } | undefined;
  if (!spec) return;
  spec.metadata ??= {};
  defaultDevices(spec.spec?.devices);
}

interface Request {
  allocationMode?: string;
  count?: number;
}
interface Devices {
  requests?: { exactly?: Request; firstAvailable?: Request[] }[];
}

function defaultDevices(devices: Devices | undefined): void {
  for (const { exactly, firstAvailable = [] } of devices?.requests ?? []) {
    for (const request of [...(exactly ? [exactly] : []), ...firstAvailable]) {
      request.allocationMode ??= "ExactCount";
      if (request.allocationMode === "ExactCount") request.count ??= ONE_DEVICE;
    }
  }
}

const MATCHING_PRECEDENCE = 1000;
const QUEUING = { queues: 64, handSize: 8, queueLengthLimit: 50 };
const CONCURRENCY_SHARES = 30;

export function defaultFlowSchema(flow: KubeObject): void {
  const spec = (flow.spec ??= {}) as { matchingPrecedence?: number };
  spec.matchingPrecedence ||= MATCHING_PRECEDENCE;
  flow.status ??= {};
}

export function defaultPriorityLevel(level: KubeObject): void {
  const { exempt, limited } = (level.spec ?? {}) as Record<string, Record<string, unknown> | undefined>;
  if (exempt) {
    exempt.nominalConcurrencyShares ??= 0;
    exempt.lendablePercent ??= 0;
  }
  if (limited) {
    limited.nominalConcurrencyShares ??= CONCURRENCY_SHARES;
    limited.lendablePercent ??= 0;
    const queuing = (limited.limitResponse as { queuing?: Record<string, unknown> } | undefined)?.queuing;
    if (queuing) for (const [name, value] of Object.entries(QUEUING)) queuing[name] ||= value;
  }
  level.status ??= {};
}
