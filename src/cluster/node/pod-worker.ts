import { errorText } from "../../base/index.ts";
import { isConflict, isNotFound, PODS } from "../../kube/index.ts";
import type { Pod } from "../../resources/index.ts";
import type { Sandbox } from "../runtime/types.ts";
import type { NodeContext } from "./context.ts";
import type { ContainerUnit } from "./container-unit.ts";
import { ContainerStarter } from "./container-starter.ts";
import { containerFieldPath, type PodEvent } from "./events.ts";
import { PodFolders } from "./folders.ts";
import { planPod } from "./plan.ts";
import { podHostname, writePodFiles } from "./pod-files.ts";
import { createRecords, newEphemeral, type ContainerRecord, type Exit } from "./records.ts";
import { StatusWriter } from "./status-writer.ts";
import { podStatus } from "./status.ts";
import { Deadline, stopAll } from "./termination.ts";
import { PodVolumes } from "./volumes/pod-volumes.ts";

/** Waits between attempts at what failed (volumes, sandbox, requests), doubling; a change that may help cuts them short. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 120_000;
const DEFAULT_GRACE_SECONDS = 30;

/**
 * Runs one pod from its first sight to its end. Everything happens in one loop, woken by changes of the pod, ends of
 * processes, probes and timers: look at what there is, do what the plan says, write the status.
 */
export class PodWorker {
  readonly records: ContainerRecord[];
  readonly folders: PodFolders;
  readonly units = new Map<string, ContainerUnit>();
  #pod: Pod;
  #sandbox: Sandbox | undefined;
  readonly #volumes: PodVolumes;
  readonly #starter: ContainerStarter;
  readonly #writer: StatusWriter;
  readonly #startTime: number;
  /** Cuts hooks short once the pod is to end. */
  readonly #ending = new AbortController();
  #loop: Promise<void> | undefined;
  #dirty = false;
  #volumesDirty = true;
  #volumesReady = false;
  /** When what failed is tried again, should nothing that may help happen before. */
  #retryAt: number | undefined;
  #initialized = false;
  #outcome: "Succeeded" | "Failed" | undefined;
  #failure: { reason: string; message: string } | undefined;
  /** Stopped for good: what is left is to be deleted when the API says so. */
  #ended: boolean;
  /** The API still shows the pod as an earlier run of the node left it. */
  #isStale: boolean;
  #vanished = false;
  #finished = false;
  #deadline: Deadline | undefined;
  #retryMs = FIRST_RETRY_MS;
  #timerAt = Number.POSITIVE_INFINITY;
  #cancelTimer = () => {};

  constructor(
    readonly context: NodeContext,
    pod: Pod,
    readonly onFinished: () => void,
  ) {
    this.#pod = pod;
    const now = context.clock.now();
    this.records = createRecords(pod, now);
    this.folders = new PodFolders(context.stateDir, pod);
    this.#startTime = pod.status?.startTime ? Date.parse(pod.status.startTime) : now;
    this.#ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    this.#isStale = pod.status?.podIP !== undefined;
    this.#volumes = new PodVolumes({ ...context, folder: this.folders.volumes });
    this.#writer = new StatusWriter(context.client, context.clock, context.log, pod);
    this.#starter = new ContainerStarter(context, {
      event: (event) => this.#event(event),
      onChange: () => this.#changed(),
      onExit: (record, exit) => this.#exited(record, exit),
      onKill: (record, graceSeconds) => this.#restart(record, graceSeconds),
    });
    if (!this.#ended) this.#tidy(() => this.folders.removeState());
  }

  get pod(): Pod {
    return this.#pod;
  }

  get sandboxId(): string | undefined {
    return this.#sandbox?.id;
  }

  /** The pod's newest state in the API. */
  update(pod: Pod): void {
    const { metadata } = this.#pod;
    // Only labels and annotations can show in volumes; our own status writes must not make files be compared.
    if (!sameMap(metadata.labels, pod.metadata.labels) || !sameMap(metadata.annotations, pod.metadata.annotations)) this.#volumesDirty = true;
    this.#pod = pod;
    this.records.push(...newEphemeral(pod, this.records, this.context.clock.now()));
    if (pod.metadata.deletionTimestamp) {
      this.#ending.abort();
      this.#deadline?.shorten(this.#graceMs());
    }
    this.wake();
  }

  /** A ConfigMap or Secret of the pod's namespace has changed. */
  configChanged(kind: "ConfigMap" | "Secret", name: string): void {
    const used = this.#volumes.uses(this.#pod, kind, name);
    if (used) this.#volumesDirty = true;
    if (this.#starter.releaseConfigHolds() || used) this.wake();
  }

  /** There are new images. */
  imagesChanged(): void {
    if (this.#starter.releaseImageHolds(this.#pod)) this.wake();
  }

  /** The object is gone from the API without having waited for us (force delete): nothing may run on. */
  vanished(): void {
    this.#vanished = true;
    this.#writer.stop();
    this.#ending.abort();
    this.#deadline?.shorten(0);
    this.wake();
  }

  wake(): void {
    this.#dirty = true;
    if (!this.#finished) this.#loop ??= this.#run();
  }

  /** Ends the loop without touching what runs: the machine's side is torn down as a whole. */
  abandon(): void {
    this.#finished = true;
    this.#cancelTimer();
    this.#writer.stop();
    this.#ending.abort();
    for (const unit of this.units.values()) unit.stopProbes();
  }

  async #run(): Promise<void> {
    while (this.#dirty && !this.#finished) {
      this.#dirty = false;
      try {
        await this.#sync();
      } catch (thrown) {
        this.context.log.warn("pod sync failed, trying again", { pod: this.#pod.metadata.name, error: errorText(thrown) });
        this.#retryLater();
      }
      if (this.#retryAt !== undefined) this.#wakeAt(this.#retryAt);
    }
    this.#loop = undefined;
  }

  async #sync(): Promise<void> {
    this.#cancelTimer();
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (this.#mustEnd()) return this.#terminate();
    if (this.#ended) return;
    if (this.#pastDeadline()) return this.#complete("Failed");
    if (this.#isStale) {
      // What an earlier run wrote is no longer so: nobody may send traffic to an address that is another pod's by now.
      this.#isStale = false;
      this.#publish();
    }
    if (!(await this.#prepare())) return this.#publish();

    for (;;) {
      const plan = planPod(this.#pod, this.records, (record) => this.#starter.remaining(record));
      this.#initialized ||= plan.initialized;
      if (plan.outcome) return this.#complete(plan.outcome);
      let startedAny = false;
      let nextMs = Number.POSITIVE_INFINITY;
      for (const step of plan.steps) {
        if (this.#mustEnd()) break;
        const record = this.#record(step.name);
        if (step.kind === "wait") {
          this.#starter.showWaiting(this.#pod, record);
          nextMs = Math.min(nextMs, step.remainingMs);
        } else if (step.kind === "replace") {
          if (this.units.get(record.name)?.stopping) continue;
          this.#event({
            type: "Normal",
            reason: "Killing",
            message: `Container ${record.name} definition changed, will be restarted`,
            ...containerFieldPath(record),
          });
          this.#restart(record);
        } else if (await this.#start(record)) startedAny = true;
        else nextMs = Math.min(nextMs, this.#starter.remaining(record));
      }
      if (this.#mustEnd()) {
        this.#dirty = true;
        return;
      }
      if (startedAny) continue;
      this.#publish();
      this.#wakeAt(Math.min(this.context.clock.now() + nextMs, this.#volumes.refreshAt ?? Number.POSITIVE_INFINITY));
      return;
    }
  }

  /** Whether the pod has been active for longer than it may; sees to it that the moment is not missed. */
  #pastDeadline(): boolean {
    const seconds = this.#pod.spec?.activeDeadlineSeconds;
    if (seconds === undefined) return false;
    const at = this.#startTime + seconds * 1000;
    if (this.context.clock.now() < at) {
      this.#wakeAt(at);
      return false;
    }
    this.#failure = { reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" };
    this.#event({ type: "Normal", ...this.#failure });
    return true;
  }

  /** Volumes and sandbox. False when they are not there yet; a retry is set then. */
  async #prepare(): Promise<boolean> {
    const now = this.context.clock.now();
    const retryDue = this.#retryAt !== undefined && now >= this.#retryAt;
    if (retryDue) this.#retryAt = undefined;
    if (this.#volumesDirty || retryDue || now >= (this.#volumes.refreshAt ?? Number.POSITIVE_INFINITY)) {
      this.#volumesDirty = false;
      const failures = await this.#volumes.prepare(this.#pod);
      for (const { volume, message } of failures) {
        this.#event({ type: "Warning", reason: "FailedMount", message: `MountVolume.SetUp failed for volume "${volume}" : ${message}` });
      }
      if (failures.length > 0) this.#retryLater();
      else {
        this.#volumesReady = true;
        this.#retriesDone();
      }
    }
    if (!this.#volumesReady || this.#mustEnd()) return false;
    if (this.#sandbox) return true;
    // A sandbox that failed waits for its turn; the volumes above may have been due for other reasons.
    if (this.#retryAt !== undefined) return false;
    const { spec, metadata } = this.#pod;
    const sysctls = spec?.securityContext?.sysctls;
    this.#tellRefused();
    try {
      this.#sandbox = await this.context.runtime.createSandbox({
        id: metadata.uid ?? "",
        hostname: podHostname(this.#pod),
        hostNetwork: spec?.hostNetwork ?? false,
        sharedPids: spec?.shareProcessNamespace ?? false,
        ...(sysctls ? { sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name, value])) } : {}),
      });
    } catch (thrown) {
      this.#event({ type: "Warning", reason: "FailedCreatePodSandBox", message: `Failed to create pod sandbox: ${errorText(thrown)}` });
      this.#retryLater();
      return false;
    }
    this.#retriesDone();
    return true;
  }

  async #start(record: ContainerRecord): Promise<boolean> {
    const sandbox = this.#sandbox;
    if (!sandbox) return false;
    const podFiles = writePodFiles(this.folders.etc, this.#pod, sandbox.ip, this.context.dns);
    const unit = await this.#starter.start({
      pod: this.#pod,
      record,
      sandbox,
      volumes: this.#volumes.mounted,
      podFiles,
      folders: this.folders,
      runningId: (name) => this.#runningId(name),
    });
    if (!unit) return false;
    if (unit.alive) this.units.set(record.name, unit);
    if (unit.container.lifecycle?.postStart) this.#publish();
    if (await unit.postStart(this.#ending.signal)) unit.startProbes();
    else this.#restart(record);
    return true;
  }

  #tellRefused(): void {
    const refused = (["hostPID", "hostIPC"] as const).filter((field) => this.#pod.spec?.[field]);
    if (refused.length === 0) return;
    this.#event({
      type: "Warning",
      reason: "RightsNotGranted",
      message: `The pod runs without ${refused.join(" and ")}: pods on this node do not see the machine's processes`,
    });
  }

  #runningId(name: string): string | undefined {
    const unit = this.units.get(name);
    return unit?.alive ? unit.spec.id : undefined;
  }

  #exited(record: ContainerRecord, exit: Exit): void {
    this.units.delete(record.name);
    record.phase = { kind: "terminated", exit };
    this.#changed();
  }

  /** Probes and exits come at any time; the loop may be waiting for a hook or a grace period, so show them at once. */
  #changed(): void {
    if (this.#finished) return;
    if (this.#loop) this.#publish();
    this.wake();
  }

  /** Stops one container; its end wakes the loop, which starts it again by the pod's policy. */
  #restart(record: ContainerRecord, graceSeconds?: number): void {
    const unit = this.units.get(record.name);
    if (!unit || unit.stopping) return;
    unit.stopping = true;
    unit.stopProbes();
    const deadline = new Deadline(this.context.clock, graceSeconds === undefined ? this.#graceMs() : graceSeconds * 1000);
    void stopAll([unit.stoppable(0)], deadline).finally(() => deadline.dispose());
  }

  /** Nothing will be started any more: stop sidecars, free the sandbox, keep the object and the logs. */
  async #complete(outcome: "Succeeded" | "Failed"): Promise<void> {
    this.#outcome = outcome;
    await this.#stopUnits(this.#graceMs());
    if (this.#mustEnd()) {
      this.#dirty = true;
      return;
    }
    await this.#removeSandbox();
    await this.#volumes.release();
    this.#ended = true;
    this.#publish();
  }

  async #terminate(): Promise<void> {
    await this.#stopUnits(this.#vanished ? 0 : this.#graceMs());
    if (!this.#ended) this.#publish();
    await this.#writer.flush();
    await this.#removeSandbox();
    await this.#volumes.release();
    this.#tidy(() => this.folders.removeAll());
    const { name, namespace, uid } = this.#pod.metadata;
    if (!this.#vanished) {
      try {
        await this.context.client.delete(PODS, name, namespace, { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { uid }) });
      } catch (thrown) {
        if (!isNotFound(thrown) && !isConflict(thrown)) throw thrown;
      }
    }
    this.#finished = true;
    this.#writer.stop();
    this.context.events.forget(uid ?? "");
    this.onFinished();
  }

  async #stopUnits(graceMs: number): Promise<void> {
    const units = [...this.units.values()].filter((unit) => unit.alive);
    if (units.length === 0) return;
    for (const unit of units) {
      unit.stopProbes();
      this.#event({ type: "Normal", reason: "Killing", message: `Stopping container ${unit.record.name}`, ...containerFieldPath(unit.record) });
    }
    this.#deadline = new Deadline(this.context.clock, graceMs);
    if (this.#vanished) this.#deadline.shorten(0);
    try {
      await stopAll(
        units.map((unit) => unit.stoppable(this.records.indexOf(unit.record))),
        this.#deadline,
      );
    } finally {
      this.#deadline.dispose();
      this.#deadline = undefined;
    }
  }

  async #removeSandbox(): Promise<void> {
    if (!this.#sandbox) return;
    await this.context.runtime.removeSandbox(this.#sandbox.id);
    this.#sandbox = undefined;
  }

  #publish(): void {
    if (this.#finished || this.#vanished) return;
    this.#writer.write(
      podStatus({
        pod: this.#pod,
        records: this.records,
        hostIP: this.context.hostIP,
        // A pod that has ended keeps the address it had, as on a real node.
        podIP: this.#sandbox?.ip ?? (this.#outcome || this.#pod.metadata.deletionTimestamp ? this.#pod.status?.podIP : undefined),
        initialized: this.#initialized,
        outcome: this.#outcome,
        ...(this.#failure === undefined ? {} : { failure: this.#failure }),
        startTime: this.#startTime,
        now: this.context.clock.now(),
        previous: this.#writer.conditions(this.#pod),
      }),
    );
  }

  /** What cannot be removed now goes when the node starts next; it must not hold up the pod's end. */
  #tidy(remove: () => void): void {
    try {
      remove();
    } catch (thrown) {
      this.context.log.warn("files of a pod not removed", { pod: this.#pod.metadata.name, error: errorText(thrown) });
    }
  }

  #record(name: string): ContainerRecord {
    const record = this.records.find((r) => r.name === name);
    if (!record) throw new Error(`the plan names container ${name}, which the pod does not have`);
    return record;
  }

  #mustEnd(): boolean {
    return this.#vanished || this.#pod.metadata.deletionTimestamp !== undefined;
  }

  #graceMs(): number {
    const { metadata, spec } = this.#pod;
    return (metadata.deletionGracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000;
  }

  #retryLater(): void {
    this.#retryAt = this.context.clock.now() + this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }

  #retriesDone(): void {
    this.#retryAt = undefined;
    this.#retryMs = FIRST_RETRY_MS;
  }

  /** The earliest of the times asked for since the last look wins. */
  #wakeAt(time: number): void {
    if (!Number.isFinite(time) || time >= this.#timerAt) return;
    this.#cancelTimer();
    this.#timerAt = time;
    this.#cancelTimer = this.context.clock.after(Math.max(0, time - this.context.clock.now()), () => this.wake());
  }

  #event(event: PodEvent): void {
    this.context.events.record(this.#pod, event);
  }
}

function sameMap(a: Record<string, string> = {}, b: Record<string, string> = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
