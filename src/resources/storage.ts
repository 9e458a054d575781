/** Claims, volumes and kinds of storage, as plain data. */
import type { ObjectReference } from "./core.ts";
import type { KubeObject, LabelSelector } from "./types.ts";

export type AccessMode = "ReadWriteOnce" | "ReadOnlyMany" | "ReadWriteMany" | "ReadWriteOncePod";

export interface PersistentVolumeClaim extends KubeObject {
  spec?: {
    accessModes?: AccessMode[];
    resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
    selector?: LabelSelector;
    storageClassName?: string;
    volumeMode?: string;
    volumeName?: string;
  };
  status?: { phase?: "Pending" | "Bound" | "Lost"; accessModes?: AccessMode[]; capacity?: Record<string, string> };
}

export interface PersistentVolume extends KubeObject {
  spec?: {
    accessModes?: AccessMode[];
    capacity?: Record<string, string>;
    claimRef?: ObjectReference;
    hostPath?: { path: string; type?: string };
    local?: { path: string };
    nodeAffinity?: { required?: { nodeSelectorTerms: { matchExpressions?: { key: string; operator: string; values?: string[] }[] }[] } };
    persistentVolumeReclaimPolicy?: "Delete" | "Retain" | "Recycle";
    storageClassName?: string;
    volumeMode?: string;
  };
  status?: { phase?: "Pending" | "Available" | "Bound" | "Released" | "Failed"; message?: string; reason?: string; lastPhaseTransitionTime?: string };
}

export interface StorageClass extends KubeObject {
  provisioner?: string;
  reclaimPolicy?: "Delete" | "Retain";
  volumeBindingMode?: "Immediate" | "WaitForFirstConsumer";
  allowVolumeExpansion?: boolean;
  parameters?: Record<string, string>;
}
