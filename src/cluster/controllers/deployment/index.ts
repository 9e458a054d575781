import { DEPLOYMENTS, isAlreadyExists, isNotFound, REPLICA_SETS } from "../../../kube/index.ts";
import type { Deployment, ReplicaSet } from "../../../resources/index.ts";
import { claim } from "../adoption.ts";
import type { Context, Controller } from "../context.ts";
import { controllerOf, controllerReference, isPodFinished, keyOf, sameValue, splitKey } from "../objects.ts";
import { isScalingEvent, newReplicas, proportionalScaling, recreateStep, rollingStep, type Scaling } from "./plan.ts";
import {
  bareTemplate,
  byCreation,
  findNew,
  isRolling,
  newSetAnnotations,
  REVISION,
  revisionOf,
  scaleAnnotations,
  TEMPLATE_HASH,
  templateHash,
} from "./replica-sets.ts";
import { deploymentStatus, isComplete, type Progress } from "./status.ts";
import { stoppable } from "../work-queue.ts";

const COMPONENT = "deployment-controller";
/** The shared copy must show a new or scaled set before the next step is planned. */
const SEE_OWN_WRITES_MS = 5_000;

/** Rolls Deployments out: one ReplicaSet for each template they have had, scaled up and down by the strategy. */
export function startDeployments(context: Context): Controller {
  const { informers } = context;
  const queue = context.queue("deployment", (key) => sync(context, key, (wait) => queue.addAfter(key, wait)));
  const stops = [
    informers.deployments.onChange(({ object }) => queue.add(keyOf(object))),
    informers.replicaSets.onChange(({ object, old }) => {
      for (const set of [object, old]) {
        const owner = set && controllerOf(set);
        if (owner?.kind === "Deployment") queue.add(`${object.metadata.namespace}/${owner.name}`);
      }
    }),
    // Recreate waits for the last old pod.
    informers.pods.onChange(({ type, object, old }) => {
      if (type !== "DELETED" && !(isPodFinished(object) && old && !isPodFinished(old))) return;
      const owner = controllerOf(object);
      const set = owner?.kind === "ReplicaSet" ? informers.replicaSets.get(owner.name, object.metadata.namespace) : undefined;
      const deployment = set && controllerOf(set);
      if (deployment?.kind === "Deployment") queue.add(`${object.metadata.namespace}/${deployment.name}`);
    }),
  ];
  return stoppable(stops, queue);
}

async function sync(context: Context, key: string, again: (ms: number) => void): Promise<void> {
  const { informers, client } = context;
  const [namespace, name] = splitKey(key);
  await Promise.all([informers.replicaSets.synced, informers.pods.synced]);
  const deployment = informers.deployments.get(name, namespace);
  if (!deployment?.spec) return;
  const sets = await claim(client, REPLICA_SETS, deployment, deployment.spec.selector, informers.replicaSets.list(namespace));
  const rollout = new Rollout(context, deployment, sets);
  if (!deployment.metadata.deletionTimestamp) await rollout.advance();
  const deadlineIn = await rollout.writeStatus();
  if (deadlineIn !== undefined) again(deadlineIn + 1000);
}

/** One look at one Deployment. */
class Rollout {
  readonly #old: ReplicaSet[];
  #new: ReplicaSet | undefined;
  #progress: Progress | undefined;
  #collisions: number | undefined;

  constructor(
    private readonly context: Context,
    private deployment: Deployment,
    sets: ReplicaSet[],
  ) {
    this.#new = findNew(deployment, sets);
    this.#old = sets.filter((set) => set !== this.#new);
    this.#collisions = deployment.status?.collisionCount;
  }

  async advance(): Promise<void> {
    const all = [...(this.#new ? [this.#new] : []), ...this.#old];
    if (this.deployment.spec?.paused) {
      this.#notePause();
      return this.#scaleAll(proportionalScaling(this.deployment, this.#new, this.#old));
    }
    if (this.#progressReason() === "DeploymentPaused") this.#progress = { reason: "DeploymentResumed", message: "Deployment is resumed" };
    if (isScalingEvent(this.deployment, all)) return this.#rescale(all);
    if (isRolling(this.deployment)) {
      const newSet = await this.#ensureNewSet();
      await this.#scaleAll(rollingStep(this.deployment, newSet, this.#old));
    } else if (this.#old.some((set) => (set.spec?.replicas ?? 0) > 0)) {
      return this.#scaleAll(recreateStep(this.#old));
    } else if (this.#new || !this.#oldPodsRun()) {
      const newSet = await this.#ensureNewSet();
      await this.#scaleAll(rollingStep(this.deployment, newSet, this.#old));
    }
    if (isComplete({ deployment: this.deployment, newSet: this.#new, oldSets: this.#old })) await this.#cleanUp();
  }

  async writeStatus(): Promise<number | undefined> {
    const view = { deployment: this.deployment, newSet: this.#new, oldSets: this.#old };
    const { status, deadlineIn } = deploymentStatus(view, this.#progress, this.context.clock.now());
    if (this.#collisions !== undefined) status.collisionCount = this.#collisions;
    if (!sameValue(status, this.deployment.status)) await this.context.client.updateStatus<Deployment>(DEPLOYMENTS, { ...this.deployment, status });
    return deadlineIn;
  }

  /** The set of the present template, made or brought up to date. */
  async #ensureNewSet(): Promise<ReplicaSet> {
    const revision = Math.max(0, ...this.#old.map(revisionOf)) + 1;
    const known = this.#new;
    const set = known ? await this.#refresh(known, revision) : await this.#create(revision);
    this.#new = set;
    const current = set.metadata.annotations?.[REVISION];
    if (current !== undefined && this.deployment.metadata.annotations?.[REVISION] !== current) {
      const { name, namespace } = this.deployment.metadata;
      this.deployment = await this.context.client.patch<Deployment>(DEPLOYMENTS, name, namespace, { metadata: { annotations: { [REVISION]: current } } });
    }
    return set;
  }

  async #refresh(set: ReplicaSet, revision: number): Promise<ReplicaSet> {
    const annotations = newSetAnnotations(this.deployment, set, revision);
    if (!this.deployment.status?.conditions?.some((condition) => condition.type === "Progressing")) {
      this.#progress = { reason: "FoundNewReplicaSet", message: `Found new replica set "${set.metadata.name}"` };
    } else if (annotations?.[REVISION] !== undefined && annotations[REVISION] !== set.metadata.annotations?.[REVISION]) {
      this.#progress = { reason: "FoundNewReplicaSet", message: `Found new replica set "${set.metadata.name}"` };
    }
    if (!annotations) return set;
    return this.context.client.patch<ReplicaSet>(REPLICA_SETS, set.metadata.name, set.metadata.namespace, { metadata: { annotations } });
  }

  async #create(revision: number): Promise<ReplicaSet> {
    const { deployment, context } = this;
    const spec = deployment.spec;
    if (!spec) throw new Error("a Deployment without a spec was not stored"); // the API server refuses it
    const hash = templateHash(spec.template, this.#collisions ?? 0);
    const hashed = { [TEMPLATE_HASH]: hash };
    const replicas = newReplicas(deployment, this.#old, undefined);
    const wanted: ReplicaSet = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `${deployment.metadata.name}-${hash}`,
        ...(deployment.metadata.namespace ? { namespace: deployment.metadata.namespace } : {}),
        labels: { ...spec.template.metadata?.labels, ...hashed },
        annotations: newSetAnnotations(deployment, undefined, revision) ?? {},
        ownerReferences: [controllerReference(deployment)],
      },
      spec: {
        replicas,
        ...(spec.minReadySeconds ? { minReadySeconds: spec.minReadySeconds } : {}),
        selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, ...hashed } },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels: { ...spec.template.metadata?.labels, ...hashed } } },
      },
    };
    let created: ReplicaSet;
    try {
      created = await context.client.create<ReplicaSet>(REPLICA_SETS, wanted);
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown;
      return this.#takeExisting(wanted, thrown);
    }
    await context.informers.replicaSets.waitFor(
      () => context.informers.replicaSets.get(created.metadata.name, created.metadata.namespace) !== undefined,
      SEE_OWN_WRITES_MS,
    );
    if (replicas > 0) context.events.normal(COMPONENT, deployment, "ScalingReplicaSet", `Scaled up replica set ${created.metadata.name} from 0 to ${replicas}`);
    this.#progress = { reason: "NewReplicaSetCreated", message: `Created new replica set "${created.metadata.name}"` };
    return created;
  }

  /** The name is taken: by our own set that the copy does not show yet, or by another template with the same hash. */
  async #takeExisting(wanted: ReplicaSet, cause: unknown): Promise<ReplicaSet> {
    const existing = await this.context.client.find<ReplicaSet>(REPLICA_SETS, wanted.metadata.name, wanted.metadata.namespace);
    const ours = existing && controllerOf(existing)?.uid === this.deployment.metadata.uid;
    if (existing && ours && bareTemplate(existing.spec?.template) === bareTemplate(wanted.spec?.template)) return existing;
    this.#collisions = (this.#collisions ?? 0) + 1;
    await this.writeStatus();
    throw cause; // tried again with the next hash
  }

  /** Also where no set changes its size: each must know for which size it was scaled, or this would come for ever. */
  async #rescale(all: ReplicaSet[]): Promise<void> {
    const scaling = proportionalScaling(this.deployment, this.#new, this.#old);
    const unchanged = all.filter((set) => (set.spec?.replicas ?? 0) > 0 && !scaling.some((one) => one.set === set));
    await this.#scaleAll(scaling);
    for (const { metadata } of unchanged) {
      await this.context.client.patch(REPLICA_SETS, metadata.name, metadata.namespace, { metadata: { annotations: scaleAnnotations(this.deployment) } });
    }
  }

  async #scaleAll(scaling: Scaling): Promise<void> {
    for (const { set, to } of scaling) {
      const from = set.spec?.replicas ?? 0;
      const { name, namespace } = set.metadata;
      const scaled = await this.context.client.patch<ReplicaSet>(REPLICA_SETS, name, namespace, {
        metadata: { annotations: scaleAnnotations(this.deployment) },
        spec: { replicas: to },
      });
      const { replicaSets } = this.context.informers;
      await replicaSets.waitFor(() => replicaSets.get(name, namespace)?.spec?.replicas === to, SEE_OWN_WRITES_MS);
      this.context.events.normal(
        COMPONENT,
        this.deployment,
        "ScalingReplicaSet",
        `Scaled ${to > from ? "up" : "down"} replica set ${name} from ${from} to ${to}`,
      );
      if (set === this.#new) this.#new = scaled;
      else this.#old[this.#old.indexOf(set)] = scaled;
      this.#progress ??= { reason: "ReplicaSetUpdated", message: `ReplicaSet "${this.#new?.metadata.name ?? name}" is progressing.` };
    }
  }

  /** Old empty sets beyond the history that is kept. */
  async #cleanUp(): Promise<void> {
    const keep = this.deployment.spec?.revisionHistoryLimit ?? 10;
    const empty = this.#old.filter((set) => (set.spec?.replicas ?? 0) === 0 && (set.status?.replicas ?? 0) === 0 && !set.metadata.deletionTimestamp);
    const excess = [...empty].sort((a, b) => revisionOf(a) - revisionOf(b) || byCreation(a, b)).slice(0, Math.max(0, empty.length - keep));
    for (const { metadata } of excess) {
      try {
        await this.context.client.delete(REPLICA_SETS, metadata.name, metadata.namespace, metadata.uid === undefined ? {} : { uid: metadata.uid });
      } catch (thrown) {
        if (!isNotFound(thrown)) throw thrown;
      }
    }
  }

  #oldPodsRun(): boolean {
    const uids = new Set(this.#old.map((set) => set.metadata.uid));
    return this.context.informers.pods.list(this.deployment.metadata.namespace).some((pod) => uids.has(controllerOf(pod)?.uid) && !isPodFinished(pod));
  }

  #notePause(): void {
    if (this.#progressReason() !== "DeploymentPaused") this.#progress = { reason: "DeploymentPaused", message: "Deployment is paused" };
  }

  #progressReason(): string | undefined {
    return this.deployment.status?.conditions?.find((condition) => condition.type === "Progressing")?.reason;
  }
}
