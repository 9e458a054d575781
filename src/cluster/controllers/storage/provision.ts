import { isAlreadyExists, PERSISTENT_VOLUMES } from "../../../kube/index.ts";
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "../../../resources/index.ts";
import type { Context } from "../context.ts";
import { PROVISIONED_BY, requestOf } from "./match.ts";

/** Who makes the volumes of the standard class. */
export const PROVISIONER = "chainmail/local-folder";

/** Folders on this machine in which volumes keep their data. */
export interface VolumeFolders {
  /** Makes the folder of a volume unless it is there; answers where it is. */
  make(volume: string): Promise<string>;
  /** Removes the folder and what is in it. */
  remove(volume: string): Promise<void>;
}

/** Makes a folder for a claim and the volume that stands for it. The name comes from the claim: a second try finds the first. */
export async function provision(context: Context, claim: PersistentVolumeClaim, kind: StorageClass, folders: VolumeFolders): Promise<PersistentVolume> {
  const { client, informers } = context;
  const { namespace, name: claimName, uid } = claim.metadata;
  const name = `pvc-${uid}`;
  const path = await folders.make(name);
  const nodes = informers.nodes.list().map((node) => node.metadata.name);
  const volume: PersistentVolume = {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, annotations: { [PROVISIONED_BY]: PROVISIONER } },
    spec: {
      capacity: { storage: requestOf(claim) },
      accessModes: claim.spec?.accessModes ?? ["ReadWriteOnce"],
      claimRef: { kind: "PersistentVolumeClaim", apiVersion: "v1", ...(namespace ? { namespace } : {}), name: claimName, ...(uid ? { uid } : {}) },
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: nodes }] }] } },
      persistentVolumeReclaimPolicy: kind.reclaimPolicy ?? "Delete",
      storageClassName: kind.metadata.name,
      volumeMode: "Filesystem",
    },
  };
  try {
    return await client.create(PERSISTENT_VOLUMES, volume);
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) throw thrown;
    return client.get<PersistentVolume>(PERSISTENT_VOLUMES, name);
  }
}
