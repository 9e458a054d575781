import { isNotFound, PERSISTENT_VOLUMES } from "../../../kube/index.ts";
import type { PersistentVolume } from "../../../resources/index.ts";
import type { Context } from "../context.ts";
import { timestamp } from "../objects.ts";
import { PROVISIONED_BY, VOLUME_PROTECTION } from "./match.ts";
import { PROVISIONER } from "./provision.ts";

const COMPONENT = "persistentvolume-controller";

/** One step of a volume: free, bound, or released by a claim that is gone, and then kept or removed as it says. */
export async function syncVolume(context: Context, name: string): Promise<void> {
  const { informers, client, events } = context;
  await informers.claims.synced;
  const volume = informers.volumes.get(name);
  if (!volume) return;
  const finalizers = volume.metadata.finalizers ?? [];
  const phase = phaseOf(context, volume);
  if (volume.metadata.deletionTimestamp) {
    if (phase !== "Bound" && finalizers.includes(VOLUME_PROTECTION))
      await patch(context, volume, { metadata: { finalizers: finalizers.filter((one) => one !== VOLUME_PROTECTION) } });
    return;
  }
  if (!finalizers.includes(VOLUME_PROTECTION)) return patch(context, volume, { metadata: { finalizers: [...finalizers, VOLUME_PROTECTION] } });
  if (phase === "Released" && volume.spec?.persistentVolumeReclaimPolicy === "Delete") {
    // Its data goes with the object: see `removeData`.
    if (isOurs(volume)) return client.delete(PERSISTENT_VOLUMES, name, undefined, volume.metadata.uid ? { uid: volume.metadata.uid } : {});
    const message = `error getting deleter volume plugin for volume "${name}": no deletable volume plugin matched`;
    if (volume.status?.phase !== "Failed") {
      events.warning(COMPONENT, volume, "VolumeFailedDelete", message);
      await patch(context, volume, { status: { phase: "Failed", message, lastPhaseTransitionTime: timestamp(context.clock.now()) } }, "status");
    }
    return;
  }
  if (volume.status?.phase !== phase) await patch(context, volume, { status: { phase, lastPhaseTransitionTime: timestamp(context.clock.now()) } }, "status");
}

/** After a volume's object has gone: the folder goes too, unless it was to be kept. */
export async function removeData(context: Context, volume: PersistentVolume): Promise<void> {
  if (isOurs(volume) && volume.spec?.persistentVolumeReclaimPolicy === "Delete") await context.volumeFolders?.remove(volume.metadata.name);
}

function phaseOf({ informers }: Context, volume: PersistentVolume): "Available" | "Bound" | "Released" {
  const { claimRef } = volume.spec ?? {};
  if (!claimRef?.uid) return "Available";
  const claim = informers.claims.get(claimRef.name ?? "", claimRef.namespace);
  return claim?.metadata.uid === claimRef.uid ? "Bound" : "Released";
}

function isOurs(volume: PersistentVolume): boolean {
  return volume.metadata.annotations?.[PROVISIONED_BY] === PROVISIONER;
}

async function patch({ client }: Context, { metadata }: PersistentVolume, body: { metadata?: object; status?: object }, subresource?: string): Promise<void> {
  try {
    await client.patch(PERSISTENT_VOLUMES, metadata.name, undefined, { ...body, metadata: { ...body.metadata, uid: metadata.uid } }, subresource);
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown; // deleted meanwhile
  }
}
