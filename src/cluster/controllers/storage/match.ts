import { parseQuantity, selectorMatches, type PersistentVolume, type PersistentVolumeClaim, type StorageClass } from "../../../resources/index.ts";

/** Annotations by which binders know each other's work; kubectl and charts look at some of them. */
export const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller";
export const BIND_COMPLETED = "pv.kubernetes.io/bind-completed";
export const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by";
export const STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner";
export const IS_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class";
export const CLAIM_PROTECTION = "kubernetes.io/pvc-protection";
export const VOLUME_PROTECTION = "kubernetes.io/pv-protection";

/** The smallest free volume that a claim without a volume can have; one that is kept for it comes first. */
export function findVolume(claim: PersistentVolumeClaim, volumes: readonly PersistentVolume[]): PersistentVolume | undefined {
  const fitting = volumes.filter((volume) => !volume.metadata.deletionTimestamp && fits(claim, volume));
  const kept = fitting.find((volume) => volume.spec?.claimRef);
  return kept ?? fitting.sort((a, b) => compare(sizeOf(a.spec?.capacity), sizeOf(b.spec?.capacity)))[0];
}

/** Whether a volume is reserved for this claim, by name or by uid. */
export function isFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { claimRef } = volume.spec ?? {};
  if (!claimRef) return false;
  return claimRef.namespace === claim.metadata.namespace && claimRef.name === claim.metadata.name && (!claimRef.uid || claimRef.uid === claim.metadata.uid);
}

/** The class for claims that name none: of several the newest, as Kubernetes chooses. */
export function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  return classes
    .filter(({ metadata }) => metadata.annotations?.[IS_DEFAULT_CLASS] === "true")
    .sort(
      (a, b) => (b.metadata.creationTimestamp ?? "").localeCompare(a.metadata.creationTimestamp ?? "") || a.metadata.name.localeCompare(b.metadata.name),
    )[0];
}

export function requestOf(claim: PersistentVolumeClaim): string {
  return claim.spec?.resources?.requests?.["storage"] ?? "0";
}

function fits(claim: PersistentVolumeClaim, volume: PersistentVolume): boolean {
  const [wanted, offered] = [claim.spec ?? {}, volume.spec ?? {}];
  if (offered.claimRef ? !isFor(volume, claim) : volume.status?.phase !== "Available") return false;
  if ((wanted.storageClassName ?? "") !== (offered.storageClassName ?? "")) return false;
  if ((wanted.volumeMode ?? "Filesystem") !== (offered.volumeMode ?? "Filesystem")) return false;
  if (!(wanted.accessModes ?? []).every((mode) => offered.accessModes?.includes(mode))) return false;
  if (wanted.selector && !selectorMatches(wanted.selector, volume.metadata.labels)) return false;
  return sizeOf(offered.capacity) >= sizeOf({ storage: requestOf(claim) });
}

function sizeOf(amounts: Record<string, string> | undefined): bigint {
  return parseQuantity(String(amounts?.["storage"] ?? "0"))?.nanos ?? 0n;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
