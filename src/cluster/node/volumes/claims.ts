import { ChainmailError } from "../../../base/index.ts";
import { isNotFound, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, type KubeClient } from "../../../kube/index.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../../../resources/index.ts";

/** The volume that a pod's claim is bound to. Throws CLAIM_MISSING, CLAIM_FOREIGN, CLAIM_UNBOUND, VOLUME_MISSING, VOLUME_MODE. */
export async function volumeOfClaim(client: KubeClient, pod: Pod, claimName: string, ephemeral: boolean): Promise<PersistentVolume> {
  const { namespace = "", uid } = pod.metadata;
  const claim = await client.find<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, claimName, namespace);
  if (!claim) throw new ChainmailError("CLAIM_MISSING", `persistentvolumeclaim ${JSON.stringify(claimName)} not found`);
  // A claim that was there before under the name of a pod's own is somebody else's data.
  if (ephemeral && !claim.metadata.ownerReferences?.some((owner) => owner.uid === uid)) {
    throw new ChainmailError("CLAIM_FOREIGN", `PVC ${namespace}/${claimName} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`);
  }
  const { volumeName, volumeMode } = claim.spec ?? {};
  if (!volumeName || claim.status?.phase !== "Bound")
    throw new ChainmailError("CLAIM_UNBOUND", `persistentvolumeclaim ${JSON.stringify(claimName)} is not bound to a volume yet`);
  if (volumeMode === "Block")
    throw new ChainmailError("VOLUME_MODE", `persistentvolumeclaim ${JSON.stringify(claimName)} has volumeMode Block, which this node has not`);
  try {
    const volume = await client.get<PersistentVolume>(PERSISTENT_VOLUMES, volumeName);
    if (volume.spec?.claimRef?.uid !== claim.metadata.uid)
      throw new ChainmailError("CLAIM_UNBOUND", `persistentvolume ${JSON.stringify(volumeName)} is bound to another claim`);
    return volume;
  } catch (thrown) {
    if (isNotFound(thrown)) throw new ChainmailError("VOLUME_MISSING", `persistentvolume ${JSON.stringify(volumeName)} not found`, { cause: thrown });
    throw thrown;
  }
}
