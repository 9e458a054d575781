import { isNotFound, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from "../../../kube/index.ts";
import { claimNames, type PersistentVolume, type PersistentVolumeClaim, type StorageClass } from "../../../resources/index.ts";
import type { Context } from "../context.ts";
import { isPodFinished, sameValue, splitKey } from "../objects.ts";
import { BIND_COMPLETED, BOUND_BY_CONTROLLER, CLAIM_PROTECTION, defaultClass, findVolume, isFor, requestOf, STORAGE_PROVISIONER } from "./match.ts";
import { PROVISIONER, provision } from "./provision.ts";

const COMPONENT = "persistentvolume-controller";

/** One step of a claim: protected, given a volume that is there or one that is made for it, grown, let go. */
export async function syncClaim(context: Context, key: string): Promise<void> {
  const { informers, client, events } = context;
  await Promise.all([informers.volumes.synced, informers.storageClasses.synced, informers.pods.synced]);
  const [namespace, name] = splitKey(key);
  const claim = informers.claims.get(name, namespace);
  if (!claim) return;
  const finalizers = claim.metadata.finalizers ?? [];
  if (claim.metadata.deletionTimestamp) {
    if (finalizers.includes(CLAIM_PROTECTION) && !isMounted(context, claim))
      await patchClaim(context, claim, { metadata: { finalizers: finalizers.filter((one) => one !== CLAIM_PROTECTION) } });
    return;
  }
  if (!finalizers.includes(CLAIM_PROTECTION)) return patchClaim(context, claim, { metadata: { finalizers: [...finalizers, CLAIM_PROTECTION] } });
  const { volumeName } = claim.spec ?? {};
  if (volumeName) {
    const volume = informers.volumes.get(volumeName);
    if (volume)
      return isFor(volume, claim) || !volume.spec?.claimRef
        ? bind(context, claim, volume)
        : void events.warning(COMPONENT, claim, "FailedBinding", `volume "${volumeName}" already bound to a different claim.`);
    if (claim.metadata.annotations?.[BIND_COMPLETED] && claim.status?.phase !== "Lost") {
      events.warning(COMPONENT, claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
      await client.patch(PERSISTENT_VOLUME_CLAIMS, name, namespace, { status: { phase: "Lost" } }, "status");
    }
    return;
  }
  const className = claim.spec?.storageClassName;
  if (className === undefined) {
    const standard = defaultClass(informers.storageClasses.list());
    if (standard) return patchClaim(context, claim, { spec: { storageClassName: standard.metadata.name } });
  }
  const free = findVolume(claim, informers.volumes.list());
  if (free) return bind(context, claim, free);
  if (!className) return void events.normal(COMPONENT, claim, "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
  const kind = informers.storageClasses.get(className);
  if (!kind) return void events.warning(COMPONENT, claim, "ProvisioningFailed", `storageclass.storage.k8s.io "${className}" not found`);
  await makeVolume(context, claim, kind);
}

/** Whether a pod that has not ended names the claim. */
export function isMounted({ informers }: Context, { metadata }: PersistentVolumeClaim): boolean {
  return informers.pods.list(metadata.namespace).some((pod) => !isPodFinished(pod) && claimNames(pod).includes(metadata.name));
}

async function makeVolume(context: Context, claim: PersistentVolumeClaim, kind: StorageClass): Promise<void> {
  const { events } = context;
  if (kind.volumeBindingMode === "WaitForFirstConsumer" && !isMounted(context, claim)) {
    return void events.normal(COMPONENT, claim, "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
  }
  if (kind.provisioner !== PROVISIONER || !context.volumeFolders) {
    const message = `Waiting for a volume to be created either by the external provisioner '${kind.provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
    return void events.normal(COMPONENT, claim, "ExternalProvisioning", message);
  }
  if (claim.spec?.volumeMode === "Block")
    return void events.warning(COMPONENT, claim, "ProvisioningFailed", `${PROVISIONER} makes folders: volumeMode Block is not supported`);
  const volume = await provision(context, claim, kind, context.volumeFolders);
  events.normal(COMPONENT, claim, "ProvisioningSucceeded", `Successfully provisioned volume ${volume.metadata.name}`);
  await bind(context, claim, volume);
}

/** Writes the bond into both objects, the volume first: a claim that says Bound has a volume that says so too. */
async function bind(context: Context, claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
  const { client } = context;
  const { name, namespace, uid } = claim.metadata;
  const kept = volume.spec?.claimRef;
  if (!kept?.uid) {
    const claimRef = { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name, uid };
    await client.patch(PERSISTENT_VOLUMES, volume.metadata.name, undefined, {
      metadata: { uid: volume.metadata.uid, ...(kept ? {} : { annotations: { [BOUND_BY_CONTROLLER]: "yes" } }) },
      spec: { claimRef },
    });
  }
  if (claim.spec?.volumeName !== volume.metadata.name || !claim.metadata.annotations?.[BIND_COMPLETED]) {
    const annotations = {
      [BIND_COMPLETED]: "yes",
      ...(claim.spec?.volumeName ? {} : { [BOUND_BY_CONTROLLER]: "yes" }),
      ...(volume.spec?.local && volume.spec.storageClassName ? { [STORAGE_PROVISIONER]: PROVISIONER } : {}),
    };
    await patchClaim(context, claim, { metadata: { annotations }, spec: { volumeName: volume.metadata.name } });
  }
  const capacity = await grow(context, claim, volume);
  const status = { phase: "Bound", accessModes: volume.spec?.accessModes ?? [], capacity };
  if (!sameValue(status, claim.status)) await client.patch(PERSISTENT_VOLUME_CLAIMS, name, namespace, { metadata: { uid }, status }, "status");
}

/** A folder is as large as its disk: a claim that asks for more has it at once. */
async function grow({ client, informers }: Context, claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<Record<string, string>> {
  const capacity = volume.spec?.capacity ?? {};
  const kind = informers.storageClasses.get(volume.spec?.storageClassName ?? "");
  const wanted = requestOf(claim);
  if (claim.status?.phase !== "Bound" || !kind?.allowVolumeExpansion || kind.provisioner !== PROVISIONER || capacity["storage"] === wanted) return capacity;
  await client.patch(PERSISTENT_VOLUMES, volume.metadata.name, undefined, { metadata: { uid: volume.metadata.uid }, spec: { capacity: { storage: wanted } } });
  return { storage: wanted };
}

async function patchClaim({ client }: Context, { metadata }: PersistentVolumeClaim, body: { metadata?: object; spec?: object }): Promise<void> {
  try {
    await client.patch(PERSISTENT_VOLUME_CLAIMS, metadata.name, metadata.namespace, { ...body, metadata: { ...body.metadata, uid: metadata.uid } });
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown; // deleted meanwhile
  }
}
