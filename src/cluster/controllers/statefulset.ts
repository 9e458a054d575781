import { isAlreadyExists, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from "../../kube/index.ts";
import { selectorMatches, type ControllerRevision, type KubeObject, type Pod, type StatefulSet } from "../../resources/index.ts";
import { claim } from "./adoption.ts";
import type { Context, Controller } from "./context.ts";
import { controllerOf, controllerReference, isPodFinished, isPodReady, keyOf, podFromTemplate, sameValue, splitKey, untilAvailable } from "./objects.ts";
import { createPods, deletePods } from "./pod-control.ts";
import { positive } from "./replicaset.ts";
import { hashOf, REVISION_HASH, syncHistory, templateOf, trimHistory } from "./revisions.ts";
import { stoppable } from "./work-queue.ts";

const COMPONENT = "statefulset-controller";

/** Keeps the numbered pods of each StatefulSet: made in order, gone in reverse, renewed from the last. */
export function startStatefulSets(context: Context): Controller {
  const { informers } = context;
  const queue = context.queue("statefulset", (key) => sync(context, key, (wait) => queue.addAfter(key, wait)));
  const stops = [
    informers.statefulSets.onChange(({ object }) => queue.add(keyOf(object))),
    informers.pods.onChange(({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === "StatefulSet") queue.add(`${object.metadata.namespace}/${owner.name}`);
      else if (!owner) for (const set of informers.statefulSets.list(object.metadata.namespace)) queue.add(keyOf(set));
    }),
  ];
  return stoppable(stops, queue);
}

async function sync(context: Context, key: string, again: (ms: number) => void): Promise<void> {
  const { informers, client } = context;
  const [namespace, name] = splitKey(key);
  await Promise.all([informers.pods.synced, informers.revisions.synced]);
  const set = informers.statefulSets.get(name, namespace);
  const spec = set?.spec;
  if (!set || !spec || set.metadata.deletionTimestamp) return;
  const pods = (await claim(client, PODS, set, spec.selector, informers.pods.list(namespace))).filter((pod) => ordinalOf(set, pod) !== undefined);
  const { current: update, all } = await syncHistory(context, set, spec.template, spec.selector.matchLabels ?? {});
  const known = all.find((revision) => revision.metadata.name === set.status?.currentRevision) ?? update;
  await step(context, set, pods, known, update);
  await settleClaims(context, set);
  const wait = await writeStatus(context, set, known, update);
  const used = new Set([known, update].map((revision) => revision.metadata.name));
  for (const pod of pods) used.add(`${name}-${pod.metadata.labels?.[REVISION_HASH]}`);
  await trimHistory(context, all, used, spec.revisionHistoryLimit ?? 10);
  if (wait !== undefined) again(wait);
}

/** The next change, or all changes at once where the pods need no order. */
async function step(context: Context, set: StatefulSet, pods: Pod[], current: ControllerRevision, update: ControllerRevision): Promise<void> {
  const spec = set.spec;
  if (!spec) return;
  const ordered = spec.podManagementPolicy !== "Parallel";
  const first = spec.ordinals?.start ?? 0;
  const end = first + (spec.replicas ?? 1);
  const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod) ?? -1, pod]));
  for (let ordinal = first; ordinal < end; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (pod && isPodFinished(pod) && !pod.metadata.deletionTimestamp) {
      await deletePods(context, COMPONENT, set, [pod]);
      if (ordered) return;
    } else if (!pod) {
      // While an update is under way, pods that it has not reached come back as they were.
      const revision = ordinal - first < partition ? current : update;
      await createMember(context, set, ordinal, revision);
      if (ordered) return;
    } else if (ordered && (pod.metadata.deletionTimestamp || !isPodReady(pod))) return;
  }
  const condemned = pods
    .filter((pod) => (ordinalOf(set, pod) ?? 0) >= end || (ordinalOf(set, pod) ?? 0) < first)
    .sort((a, b) => (ordinalOf(set, b) ?? 0) - (ordinalOf(set, a) ?? 0));
  if (condemned.length > 0) {
    if (ordered && condemned.some((pod) => pod.metadata.deletionTimestamp)) return;
    const doomed = condemned.filter((pod) => !pod.metadata.deletionTimestamp);
    await deletePods(context, COMPONENT, set, ordered ? doomed.slice(0, 1) : doomed);
    return;
  }
  if (spec.updateStrategy?.type === "OnDelete") return;
  for (let ordinal = end - 1; ordinal >= first + partition; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) return;
    if (pod.metadata.labels?.[REVISION_HASH] !== hashOf(update)) {
      if (!pod.metadata.deletionTimestamp) await deletePods(context, COMPONENT, set, [pod]);
      return;
    }
    if (!isPodReady(pod)) return;
  }
}

async function createMember(context: Context, set: StatefulSet, ordinal: number, revision: ControllerRevision): Promise<void> {
  const { spec } = set;
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podFromTemplate(templateOf(revision), set, name);
  pod.metadata.labels = {
    ...pod.metadata.labels,
    "apps.kubernetes.io/pod-index": String(ordinal),
    [REVISION_HASH]: hashOf(revision),
    "statefulset.kubernetes.io/pod-name": name,
  };
  if (!pod.spec) return;
  pod.spec.hostname = name;
  if (spec?.serviceName) pod.spec.subdomain = spec.serviceName;
  for (const template of spec?.volumeClaimTemplates ?? []) {
    const claimName = `${template.metadata.name}-${name}`;
    await createClaim(context, set, template, claimName);
    const others = (pod.spec.volumes ?? []).filter((volume) => volume.name !== template.metadata.name);
    pod.spec.volumes = [...others, { name: template.metadata.name, persistentVolumeClaim: { claimName } }];
  }
  await createPods(context, COMPONENT, set, [pod]);
}

/** Claims outlive their pod: the next pod of the number finds its data again. */
async function createClaim(context: Context, set: StatefulSet, template: KubeObject, name: string): Promise<void> {
  const { namespace } = set.metadata;
  const labels = { ...template.metadata.labels, ...set.spec?.selector.matchLabels };
  const object: KubeObject = { ...template, apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name, ...(namespace ? { namespace } : {}), labels } };
  try {
    await context.client.create(PERSISTENT_VOLUME_CLAIMS, object);
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) throw thrown;
  }
}

/** What becomes of claims, by the set's retention policy: they go with the set, or with a pod that is not wanted any more, or stay. */
async function settleClaims({ informers, client }: Context, set: StatefulSet): Promise<void> {
  const { spec, metadata } = set;
  const templates = spec?.volumeClaimTemplates ?? [];
  if (!spec || templates.length === 0) return;
  const { whenDeleted, whenScaled } = spec.persistentVolumeClaimRetentionPolicy ?? {};
  const first = spec.ordinals?.start ?? 0;
  await informers.claims.synced;
  for (const held of informers.claims.list(metadata.namespace)) {
    const ordinal = templates
      .map((template) => ordinalBehind(`${template.metadata.name}-${metadata.name}-`, held.metadata.name))
      .find((found) => found !== undefined);
    if (ordinal === undefined || held.metadata.deletionTimestamp || !selectorMatches(spec.selector, held.metadata.labels)) continue;
    const unwanted = ordinal < first || ordinal >= first + (spec.replicas ?? 1);
    const pod = informers.pods.get(`${metadata.name}-${ordinal}`, metadata.namespace);
    if (unwanted && whenScaled === "Delete" && !pod) {
      await client.delete(PERSISTENT_VOLUME_CLAIMS, held.metadata.name, metadata.namespace, held.metadata.uid ? { uid: held.metadata.uid } : {});
      continue;
    }
    const others = (held.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== metadata.uid);
    const owners = whenDeleted === "Delete" ? [...others, { ...controllerReference(set), controller: false, blockOwnerDeletion: false }] : others;
    if (owners.length !== (held.metadata.ownerReferences ?? []).length)
      await client.patch(PERSISTENT_VOLUME_CLAIMS, held.metadata.name, metadata.namespace, { metadata: { uid: held.metadata.uid, ownerReferences: owners } });
  }
}

async function writeStatus(context: Context, set: StatefulSet, current: ControllerRevision, update: ControllerRevision): Promise<number | undefined> {
  const { informers, client, clock } = context;
  const now = clock.now();
  const pods = informers.pods.list(set.metadata.namespace).filter((pod) => controllerOf(pod)?.uid === set.metadata.uid && ordinalOf(set, pod) !== undefined);
  const alive = pods.filter((pod) => !pod.metadata.deletionTimestamp && !isPodFinished(pod));
  const waits = alive.map((pod) => untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now));
  const of = (revision: ControllerRevision) => alive.filter((pod) => pod.metadata.labels?.[REVISION_HASH] === hashOf(revision)).length;
  const updated = of(update);
  const ready = alive.filter(isPodReady).length;
  const wanted = set.spec?.replicas ?? 1;
  const finished = updated === wanted && ready === wanted && pods.length === wanted;
  const status: StatefulSet["status"] = {
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    replicas: pods.length,
    availableReplicas: waits.filter((wait) => wait === 0).length,
    ...positive({ readyReplicas: ready, currentReplicas: finished ? updated : of(current), updatedReplicas: updated }),
    currentRevision: (finished ? update : current).metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: set.status?.collisionCount ?? 0,
  };
  if (!sameValue(status, set.status)) await client.updateStatus<StatefulSet>(STATEFUL_SETS, { ...set, status });
  const pending = waits.filter((wait): wait is number => wait !== undefined && wait > 0);
  return pending.length > 0 ? Math.min(...pending) : undefined;
}

function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  return ordinalBehind(`${set.metadata.name}-`, pod.metadata.name);
}

function ordinalBehind(prefix: string, name: string): number | undefined {
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^\d+$/.test(rest) ? Number(rest) : undefined;
}
