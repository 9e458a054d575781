import { chmodSync, existsSync, mkdirSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { ChainmailError, errorText, type Clock } from "../../../base/index.ts";
import type { KubeClient } from "../../../kube/index.ts";
import { claimNameOf, type Pod, type Volume } from "../../../resources/index.ts";
import type { ConfigSource } from "../env.ts";
import type { ContainerRuntime } from "../../runtime/types.ts";
import type { NodeCapacity } from "../field-ref.ts";
import { parseQuantity } from "../quantity.ts";
import { AtomicFolder } from "./atomic-folder.ts";
import { volumeOfClaim } from "./claims.ts";
import type { LocalFolders } from "./local-folders.ts";
import { giveToGroup } from "./group.ts";
import { makeMountPoint, type MountedVolume } from "./mounted.ts";
import { volumeFiles, volumeReferences } from "./payload.ts";
import { PodTokens } from "./tokens.ts";

export interface PodVolumesOptions {
  client: KubeClient;
  runtime: Pick<ContainerRuntime, "mountMemory" | "releaseMemory">;
  /** Whether files can be given to that group. */
  mapsGroup(gid: number): boolean;
  clock: Clock;
  source: ConfigSource;
  capacity: NodeCapacity;
  hostIP: string;
  /** The pod's own folder for volumes. */
  folder: string;
  /** Host folders that no hostPath volume may show: the cluster's keys and database. */
  protectedPaths: string[];
  /** Where volumes of claims are, though it lies in a protected folder. */
  localFolders?: LocalFolders | undefined;
}

export interface VolumeFailure {
  volume: string;
  message: string;
}

/** One pod's volumes as folders on the host: made, kept current with the API's objects. */
export class PodVolumes {
  readonly mounted = new Map<string, MountedVolume>();
  readonly #folders = new Map<string, AtomicFolder>();
  readonly #tokens: PodTokens;
  readonly #inMemory: string[] = [];

  constructor(readonly options: PodVolumesOptions) {
    this.#tokens = new PodTokens(options.client, options.clock);
  }

  /**
   * Makes every volume that is not there yet and rewrites those whose content has changed. Answers what failed; a
   * volume that was ready before keeps its old content then.
   */
  async prepare(pod: Pod): Promise<VolumeFailure[]> {
    const failures: VolumeFailure[] = [];
    for (const volume of pod.spec?.volumes ?? []) {
      try {
        await this.#prepareOne(pod, volume);
      } catch (thrown) {
        failures.push({ volume: volume.name, message: errorText(thrown) });
      }
    }
    if (failures.length === 0) this.#makeMountPoints(pod);
    return failures;
  }

  /** Gives back what is not on the disk. Nothing runs in the pod any more. */
  async release(): Promise<void> {
    for (let path = this.#inMemory.shift(); path !== undefined; path = this.#inMemory.shift()) await this.options.runtime.releaseMemory(path);
  }

  /** fsGroup, where this machine has groups to give files to. */
  #groupOf(pod: Pod): number | undefined {
    const gid = pod.spec?.securityContext?.fsGroup;
    return gid !== undefined && this.options.mapsGroup(gid) ? gid : undefined;
  }

  /** When tokens are due next, in milliseconds since the epoch. */
  get refreshAt(): number | undefined {
    return this.#tokens.refreshAt;
  }

  /** Whether a change of that object concerns the pod's files. */
  uses(pod: Pod, kind: "ConfigMap" | "Secret", name: string): boolean {
    return (pod.spec?.volumes ?? []).some((volume) => {
      const references = volumeReferences(volume);
      return (kind === "ConfigMap" ? references.configMaps : references.secrets).includes(name);
    });
  }

  async #prepareOne(pod: Pod, volume: Volume): Promise<void> {
    if (volume.emptyDir) return this.#prepareEmptyDir(pod, volume.name, volume.emptyDir);
    if (volume.hostPath) return this.#prepareHostPath(volume.name, volume.hostPath);
    const claimName = claimNameOf(pod, volume);
    if (claimName !== undefined) return this.#prepareClaim(pod, volume, claimName);
    const { source, capacity, hostIP, clock } = this.options;
    const tokens = await this.#tokens.forVolume(pod, volume);
    const files = volumeFiles(volume, { pod, source, addresses: { podIP: pod.status?.podIP ?? "", hostIP }, capacity, tokens });
    if (!files) throw new ChainmailError("VOLUME_TYPE", `volume type ${volumeType(volume)} is not supported by this node`);
    let folder = this.#folders.get(volume.name);
    if (!folder) this.#folders.set(volume.name, (folder = new AtomicFolder(join(this.options.folder, volume.name))));
    folder.write(files, clock.now(), this.#groupOf(pod));
    this.mounted.set(volume.name, { hostPath: folder.path, readOnly: true, createSubPaths: false });
  }

  async #prepareEmptyDir(pod: Pod, name: string, { medium, sizeLimit }: NonNullable<Volume["emptyDir"]>): Promise<void> {
    if (this.mounted.has(name)) return;
    const hostPath = join(this.options.folder, name);
    mkdirSync(hostPath, { recursive: true });
    if (medium === "Memory") {
      const bytes = sizeLimit === undefined ? undefined : parseQuantity(sizeLimit);
      await this.options.runtime.mountMemory(hostPath, bytes === undefined ? undefined : Math.ceil(bytes));
      this.#inMemory.push(hostPath);
    }
    // Any uid of the pod may write; the folders above are closed to the rest of the machine.
    chmodSync(hostPath, 0o777);
    const gid = this.#groupOf(pod);
    if (gid !== undefined) giveToGroup(hostPath, gid, false);
    this.mounted.set(name, { hostPath, readOnly: false, createSubPaths: true });
  }

  #prepareHostPath(name: string, { path, type = "" }: { path: string; type?: string }): void {
    if (this.mounted.has(name)) return;
    // Links are followed first: one that leads to a protected folder is no way in.
    const hostPath = existsSync(path) ? realpathSync(path) : resolve("/", path);
    for (const secret of this.options.protectedPaths) {
      if (within(hostPath, secret) || within(secret, hostPath)) {
        throw new ChainmailError("HOST_PATH_PROTECTED", `hostPath ${path} would show ${secret}, which holds the cluster's keys; mount a narrower folder`);
      }
    }
    if (!existsSync(hostPath)) {
      if (type === "DirectoryOrCreate") mkdirSync(hostPath, { recursive: true, mode: 0o755 });
      else if (type === "FileOrCreate") writeFileSync(hostPath, "", { mode: 0o644 });
      else throw new ChainmailError("HOST_PATH_MISSING", `hostPath type check failed: ${path} does not exist on this machine`);
    }
    const isDirectory = statSync(hostPath).isDirectory();
    if (type.startsWith("Directory") && !isDirectory) throw new ChainmailError("HOST_PATH_TYPE", `hostPath type check failed: ${path} is not a directory`);
    if (type.startsWith("File") && isDirectory) throw new ChainmailError("HOST_PATH_TYPE", `hostPath type check failed: ${path} is not a file`);
    this.mounted.set(name, { hostPath, readOnly: false, createSubPaths: true });
  }

  async #prepareClaim(pod: Pod, volume: Volume, claimName: string): Promise<void> {
    if (this.mounted.has(volume.name)) return;
    const { spec = {}, metadata } = await volumeOfClaim(this.options.client, pod, claimName, volume.ephemeral !== undefined);
    const { local, hostPath } = spec;
    if (local && this.options.localFolders?.holds(local.path)) this.mounted.set(volume.name, { hostPath: local.path, readOnly: false, createSubPaths: true });
    else if (local) this.#prepareHostPath(volume.name, { path: local.path });
    else if (hostPath) this.#prepareHostPath(volume.name, hostPath);
    else throw new ChainmailError("VOLUME_TYPE", `persistentvolume ${metadata.name} is of a type that this node has not; it has local and hostPath`);
    const mounted = this.mounted.get(volume.name);
    const readOnly = volume.persistentVolumeClaim?.readOnly === true || (spec.accessModes?.every((mode) => mode === "ReadOnlyMany") ?? false);
    const gid = this.#groupOf(pod);
    // A host folder's files are not ours to give away.
    if (mounted && gid !== undefined && !readOnly && local)
      giveToGroup(mounted.hostPath, gid, pod.spec?.securityContext?.fsGroupChangePolicy === "OnRootMismatch");
    if (mounted && readOnly) this.mounted.set(volume.name, { ...mounted, readOnly: true });
  }

  /** A volume mounted inside another one needs a folder there, which the outer one, read-only to the pod, cannot grow later. */
  #makeMountPoints(pod: Pod): void {
    for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
      const mounts = container.volumeMounts ?? [];
      for (const outer of mounts) {
        const volume = this.mounted.get(outer.name);
        if (!volume || outer.subPath || outer.subPathExpr || !within(volume.hostPath, this.options.folder)) continue;
        for (const inner of mounts) {
          const relative =
            inner === outer || !within(inner.mountPath, outer.mountPath) ? "" : inner.mountPath.slice(outer.mountPath.length).replace(/^\/+/, "");
          if (relative === "" || inner.subPath || inner.subPathExpr) continue;
          makeMountPoint(volume.hostPath, relative);
        }
      }
    }
  }
}

function volumeType(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== "name") ?? "(none)";
}

/** Whether `path` is `folder` or lies below it. */
function within(path: string, folder: string): boolean {
  const base = folder.endsWith(sep) ? folder : folder + sep;
  return path === folder.replace(/\/+$/, "") || path.startsWith(base);
}
