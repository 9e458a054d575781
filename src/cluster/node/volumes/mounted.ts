import { lstatSync, mkdirSync, realpathSync } from "node:fs";
import { join, posix, sep } from "node:path";
import { configError } from "../env.ts";

/** A volume that is ready to be mounted. */
export interface MountedVolume {
  hostPath: string;
  /** Content that comes from the API cannot be written to by containers. */
  readOnly: boolean;
  /** Whether a missing subPath is made: an emptyDir's and a host folder's is, that of a ConfigMap is an error. */
  createSubPaths: boolean;
}

/**
 * The host path of `subPath` inside a volume, its links resolved, so that a container which planted a link cannot make
 * the next one mount another part of the machine. Throws CONTAINER_CONFIG when it leaves the volume or is not there.
 */
export function resolveSubPath(volume: MountedVolume, subPath: string): string {
  const parts = subPath.split("/");
  if (subPath.startsWith("/") || parts.includes("..")) throw configError(`subPath ${JSON.stringify(subPath)} must be relative and may not contain ".."`);
  const root = realpathSync(volume.hostPath);
  const path = join(root, posix.normalize(subPath));
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
    if (!volume.createSubPaths) throw configError(`subPath ${JSON.stringify(subPath)} is not in the volume`);
    createBelow(root, parts);
  }
  const real = realpathSync(path);
  if (real !== root && !real.startsWith(root + sep)) throw configError(`subPath ${JSON.stringify(subPath)} leads out of its volume`);
  return real;
}

/** Makes the folders one by one, refusing to walk through a link that leads out. */
function createBelow(root: string, parts: string[]): void {
  let path = root;
  for (const part of parts.filter((p) => p !== "" && p !== ".")) {
    path = join(path, part);
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o755 });
    const real = realpathSync(path);
    if (real !== root && !real.startsWith(root + sep)) throw configError("subPath leads out of its volume");
    path = real;
  }
}
