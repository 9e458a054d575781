/**
 * storage gives claims their volumes: ones that somebody made, or folders on this machine that it makes and removes itself.
 * It is Kubernetes' binder for one node: a claim is bound at once, protected while a pod mounts it, and grows when asked.
 * Only what may make and remove folders is handed in; everything else goes through the API.
 */
import { isAlreadyExists, PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES } from "../../../kube/index.ts";
import { claimNameOf, claimNames, type PersistentVolumeClaim, type Pod, type StorageClass } from "../../../resources/index.ts";
import type { Context, Controller } from "../context.ts";
import { controllerReference, isPodFinished, keyOf } from "../objects.ts";
import { syncClaim } from "./claims.ts";
import { IS_DEFAULT_CLASS } from "./match.ts";
import { PROVISIONER } from "./provision.ts";
import { removeData, syncVolume } from "./volumes.ts";
import { stoppable } from "../work-queue.ts";

export type { VolumeFolders } from "./provision.ts";

const STANDARD: StorageClass = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "standard", annotations: { [IS_DEFAULT_CLASS]: "true" } },
  provisioner: PROVISIONER,
  reclaimPolicy: "Delete",
  volumeBindingMode: "Immediate",
  allowVolumeExpansion: true,
};

/** Binds, makes and removes volumes. */
export function startStorage(context: Context): Controller {
  const { informers, log } = context;
  const claims = context.queue("claims", (key) => syncClaim(context, key));
  const volumes = context.queue("volumes", (name) => syncVolume(context, name));
  const ephemeral = context.queue("ephemeral-volumes", async (key) => makeClaims(context, key));
  const allClaims = (): void => {
    for (const claim of informers.claims.list()) if (claim.status?.phase !== "Bound") claims.add(keyOf(claim));
  };
  const stops = [
    informers.claims.onChange(({ object }) => {
      claims.add(keyOf(object));
      const name = object.spec?.volumeName;
      if (name) volumes.add(name);
    }),
    informers.volumes.onChange(({ type, object }) => {
      volumes.add(object.metadata.name);
      const { claimRef } = object.spec ?? {};
      if (claimRef?.name) claims.add(`${claimRef.namespace}/${claimRef.name}`);
      if (!claimRef || type === "DELETED") allClaims();
      if (type === "DELETED")
        void removeData(context, object).catch((error: unknown) =>
          log.warn("folder of a volume not removed", { volume: object.metadata.name, error: String(error) }),
        );
    }),
    informers.storageClasses.onChange(allClaims),
    informers.pods.onChange(({ type, object, old }) => {
      // A first pod makes volumes that wait for one; the last one lets claims go.
      const turned = type !== "MODIFIED" || (isPodFinished(object) && old !== undefined && !isPodFinished(old));
      if (turned) for (const name of claimNames(object)) claims.add(`${object.metadata.namespace}/${name}`);
      if (type === "ADDED" && object.spec?.volumes?.some((volume) => volume.ephemeral)) ephemeral.add(keyOf(object));
    }),
  ];
  void informers.storageClasses.synced.then(() => (informers.storageClasses.list().length === 0 && context.volumeFolders ? standardClass(context) : undefined));
  return stoppable(stops, claims, volumes, ephemeral);
}

/** A cluster without any class of storage gets one; who wants none deletes its default mark. */
async function standardClass({ client, log }: Context): Promise<void> {
  try {
    await client.create(STORAGE_CLASSES, STANDARD);
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) log.warn("no standard StorageClass", { error: String(thrown) });
  }
}

/** The claims of a pod's own, which go with it. */
async function makeClaims({ informers, client }: Context, key: string): Promise<void> {
  const pod: Pod | undefined = informers.pods.get(key.slice(key.indexOf("/") + 1), key.slice(0, key.indexOf("/")));
  if (!pod || pod.metadata.deletionTimestamp) return;
  for (const volume of pod.spec?.volumes ?? []) {
    const template = volume.ephemeral?.volumeClaimTemplate;
    const name = claimNameOf(pod, volume);
    if (!template || name === undefined) continue;
    const claim: PersistentVolumeClaim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        ...template.metadata,
        name,
        ...(pod.metadata.namespace ? { namespace: pod.metadata.namespace } : {}),
        ownerReferences: [controllerReference(pod)],
      },
      ...(template.spec ? { spec: template.spec } : {}),
    };
    try {
      await client.create(PERSISTENT_VOLUME_CLAIMS, claim);
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown;
    }
  }
}
