import { parseQuantity } from "../defaults/quantity.ts";
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "../storage.ts";
import type { FieldError } from "../types.ts";
import { forbidden, immutable, invalid, invalids, notSupported, required, sameJson } from "./field.ts";
import { validateSelector } from "./metadata.ts";
import { dns1123Subdomain } from "./names.ts";

const ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES = ["Block", "Filesystem"];
/** Fields of a volume that say what it is; every other field names a kind of storage. */
const NOT_SOURCES = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

const RECLAIM_POLICIES = ["Delete", "Recycle", "Retain"];

export function validateClaim(claim: PersistentVolumeClaim): FieldError[] {
  const { spec = {} } = claim;
  const errors = accessModes(spec.accessModes, "at least 1 access mode is required");
  if (spec.selector) errors.push(...validateSelector(spec.selector, "spec.selector"));
  const storage = spec.resources?.requests?.["storage"];
  if (storage === undefined) errors.push(required("spec.resources[storage]"));
  else errors.push(...positive(storage, "spec.resources[storage]"));
  if (spec.storageClassName) errors.push(...invalids("spec.storageClassName", spec.storageClassName, dns1123Subdomain(spec.storageClassName)));
  return [...errors, ...volumeMode(spec.volumeMode)];
}

/** What is asked for is settled at creation, but for the size, which may grow once there is a volume; a binder fills in names. */
export function validateClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const fixed = ({ spec }: PersistentVolumeClaim, before: PersistentVolumeClaim): unknown => ({
    ...spec,
    volumeAttributesClassName: undefined,
    volumeName: before.spec?.volumeName ? spec?.volumeName : undefined,
    storageClassName: before.spec?.storageClassName === undefined ? undefined : spec?.storageClassName,
    resources: { ...spec?.resources, requests: { ...spec?.resources?.requests, storage: undefined } },
  });
  if (!sameJson(fixed(claim, old), fixed(old, old))) {
    return [forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims")];
  }
  const [now, before] = [claim, old].map(({ spec }) => parseQuantity(String(spec?.resources?.requests?.["storage"] ?? "")));
  if (!now || !before || now.nanos === before.nanos) return [];
  if (old.status?.phase !== "Bound")
    return [forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims")];
  return now.nanos < before.nanos ? [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")] : [];
}

export function validateVolume(volume: PersistentVolume): FieldError[] {
  const { spec = {} } = volume;
  const errors = accessModes(spec.accessModes, "");
  const capacity = spec.capacity ?? {};
  const storage = capacity["storage"];
  if (Object.keys(capacity).length === 0) errors.push(required("spec.capacity"));
  if (storage === undefined || Object.keys(capacity).length > 1) errors.push(notSupported("spec.capacity", capacity, ["storage"]));
  if (storage !== undefined) errors.push(...positive(storage, "spec.capacity[storage]"));
  const reclaim = spec.persistentVolumeReclaimPolicy;
  if (reclaim !== undefined && !RECLAIM_POLICIES.includes(reclaim)) errors.push(notSupported("spec.persistentVolumeReclaimPolicy", reclaim, RECLAIM_POLICIES));
  const sources = Object.entries(spec).filter(([name, value]) => !NOT_SOURCES.has(name) && value !== undefined && value !== null);
  if (sources.length === 0) errors.push(required("spec", "must specify a volume type"));
  for (const [name] of sources.slice(1)) errors.push(forbidden(`spec.${name}`, "may not specify more than 1 volume type"));
  if (spec.hostPath?.path.split("/").includes("..")) errors.push(invalid("spec.hostPath.path", spec.hostPath.path, "must not contain '..'"));
  if (spec.local && !spec.nodeAffinity?.required) errors.push(required("spec.nodeAffinity", "Local volume requires node affinity"));
  if (spec.hostPath && /^\/+$/.test(spec.hostPath.path) && reclaim === "Recycle")
    errors.push(forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"));
  return [...errors, ...volumeMode(spec.volumeMode)];
}

export function validateVolumeUpdate(volume: PersistentVolume, old: PersistentVolume): FieldError[] {
  const source = ({ spec = {} }: PersistentVolume): unknown => Object.fromEntries(Object.entries(spec).filter(([name]) => !NOT_SOURCES.has(name)));
  const errors: FieldError[] = sameJson(source(volume), source(old))
    ? []
    : [forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")];
  if (volume.spec?.volumeMode !== old.spec?.volumeMode) errors.push(immutable("volumeMode", volume.spec?.volumeMode));
  return errors;
}

export function validateStorageClass({ provisioner, reclaimPolicy, volumeBindingMode: mode }: StorageClass): FieldError[] {
  const errors = provisioner ? [] : [required("provisioner")];
  if (reclaimPolicy !== "Delete" && reclaimPolicy !== "Retain") errors.push(notSupported("reclaimPolicy", reclaimPolicy ?? "", ["Delete", "Retain"]));
  if (mode !== "Immediate" && mode !== "WaitForFirstConsumer")
    errors.push(notSupported("volumeBindingMode", mode ?? "", ["Immediate", "WaitForFirstConsumer"]));
  return errors;
}

export function validateStorageClassUpdate(storageClass: StorageClass, old: StorageClass): FieldError[] {
  const errors: FieldError[] = [];
  if (!sameJson(storageClass.parameters, old.parameters)) errors.push(forbidden("parameters", "updates to parameters are forbidden."));
  if (storageClass.provisioner !== old.provisioner) errors.push(forbidden("provisioner", "updates to provisioner are forbidden."));
  if (storageClass.reclaimPolicy !== old.reclaimPolicy) errors.push(forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden."));
  if (storageClass.volumeBindingMode !== old.volumeBindingMode) errors.push(immutable("volumeBindingMode", storageClass.volumeBindingMode));
  return errors;
}

function accessModes(modes: string[] | undefined, missing: string): FieldError[] {
  if (!modes?.length) return [required("spec.accessModes", missing)];
  const errors = modes.filter((mode) => !ACCESS_MODES.includes(mode)).map((mode) => notSupported("spec.accessModes", mode, ACCESS_MODES));
  if (modes.includes("ReadWriteOncePod") && modes.length > 1)
    errors.push(forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes"));
  return errors;
}

function positive(amount: unknown, field: string): FieldError[] {
  const quantity = parseQuantity(String(amount));
  return quantity && quantity.nanos > 0n ? [] : [invalid(field, String(amount), "must be greater than zero")];
}

function volumeMode(mode: string | undefined): FieldError[] {
  return mode === undefined || VOLUME_MODES.includes(mode) ? [] : [notSupported("spec.volumeMode", mode, VOLUME_MODES)];
}
