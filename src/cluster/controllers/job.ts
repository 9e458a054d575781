import { isNotFound, JOBS } from "../../kube/index.ts";
import type { Condition, Job, Pod } from "../../resources/index.ts";
import { BY_CONTROLLER, type Context, type Controller } from "./context.ts";
import { controllerOf, isPodActive, isPodReady, keyOf, podFromTemplate, sameValue, splitKey, timestamp } from "./objects.ts";
import { createPods, deletePods } from "./pod-control.ts";
import { positive } from "./replicaset.ts";
import { stoppable } from "./work-queue.ts";

const COMPONENT = "job-controller";
const INDEX = "batch.kubernetes.io/job-completion-index";
/** Failed pods are replaced after 10 s, doubling to 10 minutes, as Kubernetes does. */
const FIRST_RETRY_MS = 10_000;
const MAX_RETRY_MS = 600_000;

/** Runs the pods of each Job until enough have succeeded or too many have failed. */
export function startJobs(context: Context): Controller {
  const { informers } = context;
  const queue = context.queue("job", (key) => sync(context, key, (wait) => queue.addAfter(key, wait)));
  const stops = [
    informers.jobs.onChange(({ object }) => queue.add(keyOf(object))),
    informers.pods.onChange(({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === "Job") queue.add(`${object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return stoppable(stops, queue);
}

const isTrue = (job: Job, type: string) => job.status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;

async function sync(context: Context, key: string, again: (ms: number) => void): Promise<void> {
  const { informers } = context;
  const [namespace, name] = splitKey(key);
  await informers.pods.synced;
  const job = informers.jobs.get(name, namespace);
  if (!job?.spec || job.metadata.deletionTimestamp) return;
  if (isTrue(job, "Complete") || isTrue(job, "Failed")) return expire(context, job, again);
  const pods = informers.pods.byIndex(BY_CONTROLLER, job.metadata.uid ?? "");
  const run = new Run(context, job, pods);
  const outcome = run.outcome();
  if (outcome) {
    await deletePods(context, COMPONENT, job, run.active);
    await run.write(outcome);
    const [type, message] = outcome.type === "Complete" ? (["normal", "Job completed"] as const) : (["warning", outcome.message ?? ""] as const);
    context.events[type](COMPONENT, job, type === "normal" ? "Completed" : (outcome.reason ?? "Failed"), message);
    return;
  }
  if (job.spec.suspend) {
    await deletePods(context, COMPONENT, job, run.active);
    await run.write({ type: "Suspended", status: "True", reason: "JobSuspended", message: "Job suspended" });
    return;
  }
  const wait = await run.scale();
  await run.write(isTrue(job, "Suspended") ? { type: "Suspended", status: "False", reason: "JobResumed", message: "Job resumed" } : undefined);
  const waits = [wait, run.untilDeadline()].filter((ms): ms is number => ms !== undefined);
  if (waits.length > 0) again(Math.min(...waits));
}

/** A finished Job goes after its time to live. */
async function expire(context: Context, job: Job, again: (ms: number) => void): Promise<void> {
  const seconds = job.spec?.ttlSecondsAfterFinished;
  if (seconds === undefined) return;
  const finished = Date.parse(job.status?.completionTime ?? job.status?.conditions?.find((condition) => condition.type === "Failed")?.lastTransitionTime ?? "");
  const left = finished + seconds * 1000 - context.clock.now();
  if (left > 0) return again(left);
  const { name, namespace, uid } = job.metadata;
  try {
    await context.client.delete(JOBS, name, namespace, { propagationPolicy: "Foreground", ...(uid === undefined ? {} : { uid }) });
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown;
  }
}

/** One look at one Job. */
class Run {
  active: Pod[];
  readonly #succeeded: Pod[];
  readonly #failed: Pod[];
  readonly #now: number;

  constructor(
    private readonly context: Context,
    private readonly job: Job,
    pods: Pod[],
  ) {
    this.#now = context.clock.now();
    this.active = pods.filter(isPodActive);
    this.#succeeded = pods.filter((pod) => pod.status?.phase === "Succeeded");
    // A pod that was taken away before it ended has not done its work either.
    this.#failed = pods.filter((pod) => pod.status?.phase === "Failed");
  }

  /** The condition that ends the Job, if it is time. */
  outcome(): Pick<Condition, "type" | "status" | "reason" | "message"> | undefined {
    const { completions, backoffLimit = 6 } = this.job.spec ?? {};
    if (this.#done(completions))
      return { type: "Complete", status: "True", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
    const restarts = this.active.flatMap((pod) => pod.status?.containerStatuses ?? []).reduce((sum, status) => sum + status.restartCount, 0);
    const onFailure = this.job.spec?.template.spec.restartPolicy === "OnFailure";
    if (this.#failed.length > backoffLimit || (onFailure && restarts > backoffLimit)) {
      return { type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" };
    }
    const left = this.untilDeadline();
    if (left !== undefined && left <= 0)
      return { type: "Failed", status: "True", reason: "DeadlineExceeded", message: "Job was active longer than specified deadline" };
    return undefined;
  }

  untilDeadline(): number | undefined {
    const seconds = this.job.spec?.activeDeadlineSeconds;
    const start = this.job.status?.startTime;
    return seconds === undefined || !start || this.job.spec?.suspend ? undefined : Date.parse(start) + seconds * 1000 - this.#now;
  }

  /** Starts or stops pods; returns after how long a failed one may be replaced. */
  async scale(): Promise<number | undefined> {
    const { parallelism = 1, completions, template } = this.job.spec ?? {};
    // Without a number of completions the first success means that no new pods are needed.
    const remaining = completions === undefined ? (this.#succeeded.length > 0 ? this.active.length : parallelism) : completions - this.#doneCount();
    const wanted = Math.min(parallelism, Math.max(0, remaining));
    if (this.active.length > wanted) {
      const doomed = [...this.active].sort((a, b) => Number(isPodReady(a)) - Number(isPodReady(b))).slice(0, this.active.length - wanted);
      await deletePods(this.context, COMPONENT, this.job, doomed);
      this.active = this.active.filter((pod) => !doomed.includes(pod));
      return undefined;
    }
    const missing = wanted - this.active.length;
    if (missing <= 0 || !template) return undefined;
    const wait = this.#backoff();
    if (wait > 0) return wait;
    const free = this.#indexed() ? this.#freeIndexes(completions ?? 0).slice(0, missing) : Array.from({ length: missing }, () => undefined);
    this.active = [
      ...this.active,
      ...(await createPods(
        this.context,
        COMPONENT,
        this.job,
        free.map((index) => this.#pod(index)),
      )),
    ];
    return undefined;
  }

  async write(news: Pick<Condition, "type" | "status" | "reason" | "message"> | undefined): Promise<void> {
    const before = this.job.status ?? {};
    const time = timestamp(this.#now);
    const known = (before.conditions ?? []).find((condition) => condition.type === news?.type);
    const changed = news && (known?.status !== news.status || known.reason !== news.reason);
    const conditions = changed
      ? [...(before.conditions ?? []).filter((condition) => condition !== known), { ...news, lastProbeTime: time, lastTransitionTime: time }]
      : before.conditions;
    const ended = news?.type === "Complete" || news?.type === "Failed";
    const startTime = this.job.spec?.suspend ? undefined : (before.startTime ?? time);
    const status: Job["status"] = {
      ...(conditions ? { conditions } : {}),
      ...(startTime ? { startTime } : {}),
      ...(news?.type === "Complete" ? { completionTime: time } : {}),
      ...positive({ active: ended || this.job.spec?.suspend ? 0 : this.active.length, succeeded: this.#doneCount(), failed: this.#failed.length }),
      ready: ended ? 0 : this.active.filter(isPodReady).length,
      terminating: 0,
      uncountedTerminatedPods: {},
    };
    if (!sameValue(status, this.job.status)) await this.context.client.updateStatus<Job>(JOBS, { ...this.job, status });
  }

  #indexed(): boolean {
    return this.job.spec?.completionMode === "Indexed";
  }

  #done(completions: number | undefined): boolean {
    if (completions === undefined) return this.#succeeded.length > 0 && this.active.length === 0;
    return this.#doneCount() >= completions;
  }

  #doneCount(): number {
    return this.#indexed() ? new Set(this.#succeeded.map(indexOf)).size : this.#succeeded.length;
  }

  #freeIndexes(completions: number): number[] {
    const taken = new Set([...this.#succeeded, ...this.active].map(indexOf));
    return Array.from({ length: completions }, (_, index) => index).filter((index) => !taken.has(index));
  }

  #pod(index: number | undefined): Pod {
    const pod = podFromTemplate(this.job.spec?.template ?? { spec: { containers: [] } }, this.job);
    if (index === undefined || !pod.spec) return pod;
    pod.metadata.generateName = `${this.job.metadata.name}-${index}-`;
    pod.metadata.annotations = { ...pod.metadata.annotations, [INDEX]: String(index) };
    pod.metadata.labels = { ...pod.metadata.labels, [INDEX]: String(index) };
    pod.spec.hostname = `${this.job.metadata.name}-${index}`;
    for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
      container.env = [...(container.env ?? []), { name: "JOB_COMPLETION_INDEX", value: String(index) }];
    }
    return pod;
  }

  #backoff(): number {
    if (this.#failed.length === 0) return 0;
    const last = Math.max(...this.#failed.map(finishedAt));
    const pause = Math.min(FIRST_RETRY_MS * 2 ** (this.#failed.length - 1), MAX_RETRY_MS);
    return Math.max(0, last + pause - this.#now);
  }
}

function indexOf(pod: Pod): number {
  return Number(pod.metadata.annotations?.[INDEX] ?? -1);
}

function finishedAt(pod: Pod): number {
  const times = (pod.status?.containerStatuses ?? [])
    .map((status) => Date.parse(status.state?.terminated?.finishedAt ?? ""))
    .filter((time) => !Number.isNaN(time));
  return times.length > 0 ? Math.max(...times) : Date.parse(pod.metadata.creationTimestamp ?? "") || 0;
}
