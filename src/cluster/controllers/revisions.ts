import { CONTROLLER_REVISIONS, isAlreadyExists, isNotFound } from "../../kube/index.ts";
import type { ControllerRevision, KubeObject, PodTemplate } from "../../resources/index.ts";
import { BY_CONTROLLER, type Context } from "./context.ts";
import { templateHash } from "./deployment/replica-sets.ts";
import { controllerReference, sameValue } from "./objects.ts";

/** On pods and revisions: which template they were made from. */
export const REVISION_HASH = "controller-revision-hash";
const SEE_OWN_WRITES_MS = 5_000;

/** A StatefulSet's or DaemonSet's templates, past and present. */
export interface History {
  /** The revision of the present template. */
  current: ControllerRevision;
  /** All, oldest first. */
  all: ControllerRevision[];
}

/** Finds or makes the revision of the owner's template; a template that comes back gets the highest number again. */
export async function syncHistory(context: Context, owner: KubeObject, template: PodTemplate, selectorLabels: Record<string, string>): Promise<History> {
  const { client, informers } = context;
  const known = informers.revisions.byIndex(BY_CONTROLLER, owner.metadata.uid ?? "").sort((a, b) => a.revision - b.revision);
  const data = { spec: { template: { ...template, $patch: "replace" } } };
  const highest = known.at(-1)?.revision ?? 0;
  const same = known.findLast((revision) => sameValue(revision.data, data));
  if (same) {
    if (same.revision === highest) return { current: same, all: known };
    const { name, namespace } = same.metadata;
    const raised = await client.patch<ControllerRevision>(CONTROLLER_REVISIONS, name, namespace, { revision: highest + 1 });
    await informers.revisions.waitFor(() => informers.revisions.get(name, namespace)?.revision === highest + 1, SEE_OWN_WRITES_MS);
    return { current: raised, all: [...known.filter((revision) => revision !== same), raised] };
  }
  const hash = templateHash(template, 0);
  const revision: ControllerRevision = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      ...(owner.metadata.namespace ? { namespace: owner.metadata.namespace } : {}),
      labels: { ...selectorLabels, [REVISION_HASH]: hash },
      ownerReferences: [controllerReference(owner)],
    },
    data,
    revision: highest + 1,
  };
  const created = await client.create<ControllerRevision>(CONTROLLER_REVISIONS, revision).catch((thrown: unknown) => {
    if (!isAlreadyExists(thrown)) throw thrown;
    return client.get<ControllerRevision>(CONTROLLER_REVISIONS, revision.metadata.name, owner.metadata.namespace);
  });
  await informers.revisions.waitFor(() => informers.revisions.get(created.metadata.name, created.metadata.namespace) !== undefined, SEE_OWN_WRITES_MS);
  return { current: created, all: [...known, created] };
}

export function hashOf(revision: ControllerRevision): string {
  return revision.metadata.labels?.[REVISION_HASH] ?? "";
}

/** The template that a revision keeps. */
export function templateOf(revision: ControllerRevision): PodTemplate {
  const { $patch: _, ...template } = (revision.data as { spec: { template: PodTemplate & { $patch?: string } } }).spec.template;
  return template;
}

/** Deletes the oldest revisions that nobody uses, beyond `keep`. */
export async function trimHistory(context: Context, all: ControllerRevision[], used: Set<string>, keep: number): Promise<void> {
  const idle = all.filter((revision) => !used.has(revision.metadata.name));
  for (const { metadata } of idle.slice(0, Math.max(0, idle.length - keep))) {
    try {
      await context.client.delete(CONTROLLER_REVISIONS, metadata.name, metadata.namespace);
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  }
}
