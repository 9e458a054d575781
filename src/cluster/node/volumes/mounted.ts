import { fstatSync } from "node:fs";
import { posix } from "node:path";
import { errorText } from "../../../base/index.ts";
import { closeFd, makeFolderBeneath, openBeneath, openFolder, SystemError } from "../../../linux/index.ts";
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
 * `subPath` in its shortest form, after a look at whether it is there, or after making it. The runtime follows it again
 * when it mounts: containers can write to the volume meanwhile. Throws CONTAINER_CONFIG when it leaves the volume or is
 * not there.
 */
export function prepareSubPath(volume: MountedVolume, subPath: string): string {
  if (subPath.startsWith("/") || subPath.split("/").includes(".."))
    throw configError(`subPath ${JSON.stringify(subPath)} must be relative and may not contain ".."`);
  const path = posix.normalize(subPath).replace(/\/$/, "");
  beneath(volume.hostPath, subPath, (folder) => {
    // As open as the volume itself, for the container may have any uid.
    if (volume.createSubPaths) makeFolderBeneath(folder, path, fstatSync(folder).mode & 0o7777);
    else closeFd(openBeneath(folder, path));
  });
  return path;
}

/** Makes a folder inside a volume, such as for another volume to be mounted on. Throws as prepareSubPath. */
export function makeMountPoint(hostPath: string, path: string): void {
  beneath(hostPath, path, (folder) => makeFolderBeneath(folder, path, 0o755));
}

function beneath(hostPath: string, path: string, work: (folder: number) => void): void {
  const folder = openFolder(hostPath);
  try {
    work(folder);
  } catch (thrown) {
    if (!(thrown instanceof SystemError)) throw thrown;
    const why =
      thrown.code === "ENOENT" ? "is not in the volume" : thrown.code === "EXDEV" ? "leads out of its volume" : `cannot be used: ${errorText(thrown)}`;
    throw configError(`subPath ${JSON.stringify(path)} ${why}`);
  } finally {
    closeFd(folder);
  }
}
