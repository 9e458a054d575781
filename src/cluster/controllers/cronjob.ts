import { errorText } from "../../base/index.ts";
import { CRON_JOBS, isAlreadyExists, isNotFound, JOBS } from "../../kube/index.ts";
import type { CronJob, Job } from "../../resources/index.ts";
import { BY_CONTROLLER, type Context, type Controller } from "./context.ts";
import { type CronSchedule, parseSchedule } from "./cron-schedule.ts";
import { controllerOf, controllerReference, keyOf, sameValue, splitKey, timestamp } from "./objects.ts";
import { stoppable } from "./work-queue.ts";

const COMPONENT = "cronjob-controller";
/** When the clock and the timer disagree by a moment, the run is not put off by a whole turn. */
const TIMER_SLACK_MS = 10;
const SEE_OWN_WRITES_MS = 5_000;
/** Runs that were missed while nobody looked are counted no further than this: only the last one matters. */
const MAX_MISSED = 100;

/** Starts a Job for each time of a CronJob's schedule. */
export function startCronJobs(context: Context): Controller {
  const { informers } = context;
  const queue = context.queue("cronjob", (key) => sync(context, key, (wait) => queue.addAfter(key, wait)));
  const stops = [
    informers.cronJobs.onChange(({ object }) => queue.add(keyOf(object))),
    informers.jobs.onChange(({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === "CronJob") queue.add(`${object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return stoppable(stops, queue);
}

type CronSpec = NonNullable<CronJob["spec"]> & { successfulJobsHistoryLimit?: number; failedJobsHistoryLimit?: number; startingDeadlineSeconds?: number };

async function sync(context: Context, key: string, again: (ms: number) => void): Promise<void> {
  const { informers, client, clock, events } = context;
  const [namespace, name] = splitKey(key);
  await informers.jobs.synced;
  const cronJob = informers.cronJobs.get(name, namespace);
  const spec = cronJob?.spec as CronSpec | undefined;
  if (!cronJob || !spec || cronJob.metadata.deletionTimestamp) return;
  let schedule: CronSchedule;
  try {
    schedule = parseSchedule(spec.schedule, spec.timeZone);
  } catch (thrown) {
    events.warning(COMPONENT, cronJob, "UnparseableSchedule", errorText(thrown));
    return; // until it is mended, which is an event
  }
  let jobs = informers.jobs.byIndex(BY_CONTROLLER, cronJob.metadata.uid ?? "");
  await trim(context, cronJob, jobs, spec);
  let lastScheduleTime = cronJob.status?.lastScheduleTime;
  const now = clock.now();
  const due = spec.suspend ? undefined : lastDue(schedule, Date.parse(lastScheduleTime ?? cronJob.metadata.creationTimestamp ?? ""), now);
  if (due !== undefined && inTime(context, cronJob, spec, due, now)) {
    const active = jobs.filter((job) => !isFinished(job));
    if (spec.concurrencyPolicy === "Forbid" && active.length > 0) {
      events.normal(COMPONENT, cronJob, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid");
    } else {
      if (spec.concurrencyPolicy === "Replace") for (const job of active) await remove(context, job);
      const started = await startJob(context, cronJob, due);
      jobs = [...jobs.filter((job) => spec.concurrencyPolicy !== "Replace" || isFinished(job)), started];
    }
    if (spec.concurrencyPolicy !== "Forbid" || active.length === 0) lastScheduleTime = timestamp(due);
  }
  const running = jobs.filter((job) => !isFinished(job) && !job.metadata.deletionTimestamp);
  const successes = jobs.map((job) => (isFinished(job) === "Complete" ? (job.status?.completionTime ?? "") : "")).filter((time) => time !== "");
  const lastSuccessfulTime = [cronJob.status?.lastSuccessfulTime ?? "", ...successes].sort().at(-1);
  const status: CronJob["status"] = {
    ...(running.length > 0
      ? {
          active: running.map(({ metadata }) => ({
            kind: "Job",
            apiVersion: "batch/v1",
            namespace,
            name: metadata.name,
            ...(metadata.uid ? { uid: metadata.uid } : {}),
          })),
        }
      : {}),
    ...(lastScheduleTime ? { lastScheduleTime } : {}),
    ...(lastSuccessfulTime ? { lastSuccessfulTime } : {}),
  };
  if (!sameValue(status, cronJob.status)) await client.updateStatus<CronJob>(CRON_JOBS, { ...cronJob, status });
  const next = spec.suspend ? undefined : schedule.next(now);
  if (next !== undefined) again(next - now + TIMER_SLACK_MS);
}

/** The latest time of the schedule between `since` and `now`. */
function lastDue(schedule: CronSchedule, since: number, now: number): number | undefined {
  let due: number | undefined;
  let at = Number.isNaN(since) ? now : since;
  for (let missed = 0; missed < MAX_MISSED; missed++) {
    const next = schedule.next(at);
    if (next === undefined || next > now) return due;
    due = at = next;
  }
  // So many were missed that only the nearest is looked for, backwards by doubling steps.
  for (let back = 60_000; back < now - since; back *= 2) {
    const near = lastDue(schedule, now - back, now);
    if (near !== undefined) return near;
  }
  return due;
}

function inTime(context: Context, cronJob: CronJob, { startingDeadlineSeconds }: CronSpec, due: number, now: number): boolean {
  if (startingDeadlineSeconds === undefined || now - due <= startingDeadlineSeconds * 1000) return true;
  context.events.warning(COMPONENT, cronJob, "MissSchedule", `Missed scheduled time to start a job: ${new Date(due).toUTCString()}`);
  return false;
}

/** Named by its time, so that one time never starts two Jobs. */
async function startJob(context: Context, cronJob: CronJob, due: number): Promise<Job> {
  const { client, informers, events } = context;
  const template = cronJob.spec?.jobTemplate;
  const { namespace } = cronJob.metadata;
  const job: Job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: `${cronJob.metadata.name}-${Math.floor(due / 60_000)}`,
      ...(namespace ? { namespace } : {}),
      ...(template?.metadata?.labels ? { labels: template.metadata.labels } : {}),
      annotations: { ...template?.metadata?.annotations, "batch.kubernetes.io/cronjob-scheduled-timestamp": timestamp(due) },
      ownerReferences: [controllerReference(cronJob)],
    },
    ...(template ? { spec: structuredClone(template.spec) } : {}),
  };
  try {
    const created = await client.create<Job>(JOBS, job);
    events.normal(COMPONENT, cronJob, "SuccessfulCreate", `Created job ${created.metadata.name}`);
    await informers.jobs.waitFor(() => informers.jobs.get(created.metadata.name, namespace) !== undefined, SEE_OWN_WRITES_MS);
    return created;
  } catch (thrown) {
    if (isAlreadyExists(thrown)) return client.get<Job>(JOBS, job.metadata.name, namespace);
    events.warning(COMPONENT, cronJob, "FailedCreate", `Error creating job: ${errorText(thrown)}`);
    throw thrown;
  }
}

/** Finished Jobs beyond the history that is kept go, the oldest first. */
async function trim(context: Context, cronJob: CronJob, jobs: Job[], spec: CronSpec): Promise<void> {
  for (const [type, keep] of [
    ["Complete", spec.successfulJobsHistoryLimit ?? 3],
    ["Failed", spec.failedJobsHistoryLimit ?? 1],
  ] as const) {
    const finished = jobs
      .filter((job) => isFinished(job) === type && !job.metadata.deletionTimestamp)
      .sort((a, b) => ((a.status?.startTime ?? "") < (b.status?.startTime ?? "") ? -1 : 1));
    for (const job of finished.slice(0, Math.max(0, finished.length - keep))) {
      await remove(context, job);
      context.events.normal(COMPONENT, cronJob, "SuccessfulDelete", `Deleted job ${job.metadata.name}`);
    }
  }
}

async function remove(context: Context, { metadata: { name, namespace, uid } }: Job): Promise<void> {
  try {
    await context.client.delete(JOBS, name, namespace, { propagationPolicy: "Background", ...(uid === undefined ? {} : { uid }) });
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown;
  }
}

function isFinished(job: Job): "Complete" | "Failed" | undefined {
  for (const type of ["Complete", "Failed"] as const)
    if (job.status?.conditions?.some((condition) => condition.type === type && condition.status === "True")) return type;
  return undefined;
}
