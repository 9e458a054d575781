import { chmodSync, lstatSync, mkdirSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ChainmailError } from "../../../base/index.ts";

/** The folders in which PersistentVolumes keep their data, side by side below one. */
export class LocalFolders {
  constructor(private readonly root: string) {}

  /** Makes the folder of a volume unless it is there; answers its path. Throws VOLUME_NAME. */
  async make(volume: string): Promise<string> {
    const path = this.#pathOf(volume);
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    mkdirSync(path, { recursive: true });
    // Any uid of the pods may write; the folders above are closed to the rest of the machine.
    chmodSync(path, 0o777);
    return path;
  }

  /** Removes the folder with what is in it. */
  async remove(volume: string): Promise<void> {
    await rm(this.#pathOf(volume), { recursive: true, force: true });
  }

  /** Whether `path` is one of these folders itself, and no link. */
  holds(path: string): boolean {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat?.isDirectory() === true && dirname(realpathSync(path)) === realpathSync(this.root);
  }

  #pathOf(volume: string): string {
    // Names of objects have no slashes; whoever calls this with something else must not get out.
    if (!/^[a-z0-9][a-z0-9.-]*$/.test(volume)) throw new ChainmailError("VOLUME_NAME", `${JSON.stringify(volume)} is no name of a volume`);
    return join(this.root, volume);
  }
}
