import type { Container, Volume } from "../../core.ts";
import { parseQuantity } from "../../defaults/quantity.ts";
import type { FieldError } from "../../types.ts";
import { duplicate, forbidden, invalid, invalids, notFound, notSupported, required } from "../field.ts";
import { dns1123Label, dns1123Subdomain } from "../names.ts";
import { descendingPath, fileMode, noClimbing, onlyOne, validateDownwardFile } from "./environment.ts";

interface KeyPath {
  key?: string;
  path?: string;
  mode?: number;
}

interface Files {
  name?: string;
  secretName?: string;
  defaultMode?: number;
  items?: KeyPath[];
}

type DownwardFile = Parameters<typeof validateDownwardFile>[0];

interface ProjectedSource {
  secret?: Files;
  configMap?: Files;
  downwardAPI?: { items?: DownwardFile[] };
  serviceAccountToken?: { path?: string; expirationSeconds?: number };
  clusterTrustBundle?: { path?: string };
}

/** Sources of volumes in the order in which the real server looks at them, by their check. */
type Check = (source: Record<string, unknown>, field: string) => FieldError[];

const HOST_PATH_TYPES = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const PROPAGATIONS = ["Bidirectional", "HostToContainer", "None"];
const text = (value: unknown) => (typeof value === "string" ? value : "");

const SOURCES: readonly [name: string, check: Check][] = [
  [
    "emptyDir",
    ({ sizeLimit }, field) =>
      (parseQuantity(String(sizeLimit ?? "0"))?.nanos ?? 0n) < 0n ? [forbidden(`${field}.sizeLimit`, "SizeLimit field must be a valid resource quantity")] : [],
  ],
  ["hostPath", (source, field) => hostPath(source, field)],
  ["gitRepo", ({ repository }, field) => (repository ? [] : [required(`${field}.repository`)])],
  ["gcePersistentDisk", ({ pdName }, field) => (pdName ? [] : [required(`${field}.pdName`)])],
  ["awsElasticBlockStore", ({ volumeID }, field) => (volumeID ? [] : [required(`${field}.volumeID`)])],
  ["secret", (source, field) => [...(text(source.secretName) ? [] : [required(`${field}.secretName`)]), ...files(source as Files, field)]],
  ["nfs", (source, field) => nfs(source, field)],
  ["iscsi", ({ targetPortal, iqn }, field) => [...(targetPortal ? [] : [required(`${field}.targetPortal`)]), ...(iqn ? [] : [required(`${field}.iqn`)])]],
  ["glusterfs", ({ endpoints, path }, field) => [...(endpoints ? [] : [required(`${field}.endpoints`)]), ...(path ? [] : [required(`${field}.path`)])]],
  ["flocker", () => []],
  ["persistentVolumeClaim", ({ claimName }, field) => (claimName ? [] : [required(`${field}.claimName`)])],
  [
    "rbd",
    ({ monitors, image }, field) => [
      ...(Array.isArray(monitors) && monitors.length > 0 ? [] : [required(`${field}.monitors`)]),
      ...(image ? [] : [required(`${field}.image`)]),
    ],
  ],
  ["cinder", ({ volumeID }, field) => (volumeID ? [] : [required(`${field}.volumeID`)])],
  ["cephfs", ({ monitors }, field) => (Array.isArray(monitors) && monitors.length > 0 ? [] : [required(`${field}.monitors`)])],
  ["quobyte", () => []],
  [
    "downwardAPI",
    ({ items, defaultMode }, field) => [
      ...fileMode(defaultMode as number | undefined, `${field}.defaultMode`),
      ...((items ?? []) as DownwardFile[]).flatMap((item) => validateDownwardFile(item, field)),
    ],
  ],
  ["fc", () => []],
  ["flexVolume", ({ driver }, field) => (driver ? [] : [required(`${field}.driver`)])],
  ["configMap", (source, field) => [...(text(source.name) ? [] : [required(`${field}.name`)]), ...files(source as Files, field)]],
  [
    "azureFile",
    ({ secretName, shareName }, field) => [...(secretName ? [] : [required(`${field}.secretName`)]), ...(shareName ? [] : [required(`${field}.shareName`)])],
  ],
  ["vsphereVolume", ({ volumePath }, field) => (volumePath ? [] : [required(`${field}.volumePath`)])],
  ["photonPersistentDisk", ({ pdID }, field) => (pdID ? [] : [required(`${field}.pdID`)])],
  ["portworxVolume", ({ volumeID }, field) => (volumeID ? [] : [required(`${field}.volumeID`)])],
  ["azureDisk", ({ diskName, diskURI }, field) => [...(diskName ? [] : [required(`${field}.diskName`)]), ...(diskURI ? [] : [required(`${field}.diskURI`)])]],
  ["storageos", () => []],
  ["projected", ({ sources, defaultMode }, field) => projected((sources ?? []) as ProjectedSource[], defaultMode as number | undefined, field)],
  ["scaleIO", ({ gateway }, field) => (gateway ? [] : [required(`${field}.gateway`)])],
  ["csi", ({ driver }, field) => csi(text(driver), field)],
  ["ephemeral", ({ volumeClaimTemplate }, field) => (volumeClaimTemplate ? [] : [required(`${field}.volumeClaimTemplate`)])],
  ["image", ({ reference }, field) => (reference ? [] : [required(`${field}.reference`)])],
];

/** The volumes that are right, by name: only those can be mounted. */
export function validateVolumes(volumes: readonly Volume[], field: string): { errors: FieldError[]; valid: Map<string, Volume> } {
  const errors: FieldError[] = [];
  const valid = new Map<string, Volume>();
  for (const [index, volume] of volumes.entries()) {
    const at = `${field}[${index}]`;
    const own = validateSource(volume as unknown as Record<string, unknown>, at);
    if (!volume.name) own.push(required(`${at}.name`));
    else own.push(...invalids(`${at}.name`, volume.name, dns1123Label(volume.name)));
    if (valid.has(volume.name)) own.push(duplicate(`${at}.name`, volume.name));
    if (own.length === 0) valid.set(volume.name, volume);
    errors.push(...own);
  }
  return { errors, valid };
}

export function validateMounts(container: Container, field: string, volumes: ReadonlyMap<string, Volume>): FieldError[] {
  const errors: FieldError[] = [];
  const devices = (container as Container & { volumeDevices?: { name?: string; devicePath?: string }[] }).volumeDevices ?? [];
  const paths = new Set<string>();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${field}.volumeMounts[${index}]`;
    const own = mount as typeof mount & { subPathExpr?: string; mountPropagation?: string; recursiveReadOnly?: string; readOnly?: boolean };
    const { name = "", mountPath = "", subPath, subPathExpr, mountPropagation, recursiveReadOnly } = own;
    if (name === "") errors.push(required(`${at}.name`));
    if (!volumes.has(name)) errors.push(notFound(`${at}.name`, name));
    if (mountPath === "") errors.push(required(`${at}.mountPath`));
    if (paths.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, "must be unique"));
    paths.add(mountPath);
    if (devices.some((device) => device.name === name)) errors.push(invalid(`${at}.name`, name, "must not already exist in volumeDevices"));
    if (devices.some((device) => device.devicePath === mountPath))
      errors.push(invalid(`${at}.mountPath`, mountPath, "must not already exist as a path in volumeDevices"));
    // The real server leaves the index out here.
    const list = `${field}.volumeMounts`;
    if (subPath) errors.push(...descendingPath(subPath, `${list}.subPath`));
    if (subPathExpr) {
      if (subPath) errors.push(invalid(`${at}.subPathExpr`, subPathExpr, "subPathExpr and subPath are mutually exclusive"));
      errors.push(...descendingPath(subPathExpr, `${list}.subPathExpr`));
    }
    if (mountPropagation !== undefined) {
      if (!PROPAGATIONS.includes(mountPropagation)) errors.push(notSupported(`${list}.mountPropagation`, mountPropagation, PROPAGATIONS));
      const { privileged } = (container.securityContext ?? {}) as { privileged?: boolean };
      if (mountPropagation === "Bidirectional" && !privileged)
        errors.push(forbidden(`${list}.mountPropagation`, "Bidirectional mount propagation is available only to privileged containers"));
    }
    if (recursiveReadOnly !== undefined && recursiveReadOnly !== "Disabled") {
      if (recursiveReadOnly !== "Enabled" && recursiveReadOnly !== "IfPossible")
        errors.push(notSupported(`${list}.recursiveReadOnly`, recursiveReadOnly, ["Disabled", "Enabled", "IfPossible"]));
      else if (!own.readOnly) errors.push(forbidden(`${list}.recursiveReadOnly`, "may only be specified when readOnly is true"));
      else if (mountPropagation && mountPropagation !== "None")
        errors.push(forbidden(`${list}.recursiveReadOnly`, "may only be specified when mountPropagation is None or not specified"));
    }
  }
  return [...errors, ...validateDevices(devices, `${field}.volumeDevices`, volumes)];
}

function validateDevices(devices: readonly { name?: string; devicePath?: string }[], field: string, volumes: ReadonlyMap<string, Volume>): FieldError[] {
  const paths = new Set<string>();
  return devices.flatMap(({ name = "", devicePath = "" }, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    const volume = volumes.get(name) as (Volume & { ephemeral?: unknown }) | undefined;
    if (name === "") errors.push(required(`${at}.name`));
    if (volume && !volume.persistentVolumeClaim && !volume.ephemeral)
      errors.push(invalid(`${at}.name`, name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"));
    if (!volume) errors.push(notFound(`${at}.name`, name));
    if (devicePath === "") errors.push(required(`${at}.devicePath`));
    if (paths.has(devicePath)) errors.push(invalid(`${at}.devicePath`, devicePath, "must be unique"));
    if (devicePath !== "") errors.push(...noClimbing(devicePath, `${at}.devicePath`));
    paths.add(devicePath);
    return errors;
  });
}

function validateSource(volume: Record<string, unknown>, field: string): FieldError[] {
  const errors: FieldError[] = [];
  let count = 0;
  for (const [name, check] of SOURCES) {
    const source = volume[name];
    if (source === undefined || source === null) continue;
    if (count++ > 0) errors.push(onlyOne(`${field}.${name}`));
    else errors.push(...check(source as Record<string, unknown>, `${field}.${name}`));
  }
  return count === 0 ? [required(field, "must specify a volume type")] : errors;
}

function hostPath({ path, type }: Record<string, unknown>, field: string): FieldError[] {
  if (!path) return [required(`${field}.path`)];
  const errors = noClimbing(text(path), `${field}.path`);
  return type === undefined || HOST_PATH_TYPES.includes(text(type)) ? errors : [...errors, notSupported(`${field}.type`, type, HOST_PATH_TYPES)];
}

function nfs({ server, path }: Record<string, unknown>, field: string): FieldError[] {
  return [
    ...(server ? [] : [required(`${field}.server`)]),
    ...(path ? [] : [required(`${field}.path`)]),
    ...(text(path).startsWith("/") ? [] : [invalid(`${field}.path`, text(path), "must be an absolute path")]),
  ];
}

function csi(driver: string, field: string): FieldError[] {
  const errors = driver === "" ? [required(`${field}.driver`)] : [];
  if (driver.length > 63) errors.push({ type: "FieldValueTooLong", field: `${field}.driver`, message: "Too long: may not be more than 63 bytes" });
  return [...errors, ...invalids(`${field}.driver`, driver, dns1123Subdomain(driver.toLowerCase()))];
}

function files({ defaultMode, items = [] }: Files, field: string): FieldError[] {
  return [...fileMode(defaultMode, `${field}.defaultMode`), ...items.flatMap((item, index) => keyPath(item, `${field}.items[${index}]`))];
}

function keyPath({ key, path, mode }: KeyPath, field: string): FieldError[] {
  const errors = key ? [] : [required(`${field}.key`)];
  errors.push(...(path ? descendingPath(path, `${field}.path`) : [required(`${field}.path`)]));
  return [...errors, ...fileMode(mode, `${field}.mode`)];
}

function projected(sources: readonly ProjectedSource[], defaultMode: number | undefined, field: string): FieldError[] {
  const errors = fileMode(defaultMode, `${field}.defaultMode`);
  const paths = new Set<string>();
  const place = (path: string | undefined, value: string | undefined) => {
    if (path === undefined || path === "") return;
    if (paths.has(path)) errors.push(invalid(field, value ?? path, "conflicting duplicate paths"));
    paths.add(path);
  };
  for (const [index, { secret, configMap, downwardAPI, serviceAccountToken }] of sources.entries()) {
    const at = `${field}.sources[${index}]`;
    let count = 0;
    const taken = () => count++ > 0 && errors.push(forbidden(at, "may not specify more than 1 volume type per source"));
    for (const [kind, source] of [
      ["secret", secret],
      ["configMap", configMap],
    ] as const) {
      if (!source || taken()) continue;
      if (!source.name) errors.push(required(`${at}.${kind}.name`));
      for (const [item, one] of (source.items ?? []).entries()) {
        errors.push(...keyPath(one, `${at}.${kind}.items[${item}]`));
        place(one.path, source.name);
      }
    }
    if (downwardAPI && !taken()) {
      for (const file of downwardAPI.items ?? []) {
        errors.push(...validateDownwardFile(file, `${at}.downwardAPI`));
        place(file.path, file.path);
      }
    }
    if (serviceAccountToken && !taken()) {
      const { path, expirationSeconds: seconds } = serviceAccountToken;
      const own = `${at}.serviceAccountToken`;
      if (seconds !== undefined && seconds < 600) errors.push(invalid(`${own}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"));
      if (seconds !== undefined && seconds > 2 ** 32)
        errors.push(invalid(`${own}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"));
      // The real server leaves the source out here.
      if (!path) errors.push(required(`${field}.path`));
    }
  }
  return errors;
}
