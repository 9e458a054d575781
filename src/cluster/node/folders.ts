import { randomUUID } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Pod } from "../../resources/index.ts";

/** Logs of this many attempts of a container are kept: the current one and the one that `logs --previous` shows. */
const KEPT_ATTEMPTS = 2;

/** Where one pod's files lie below the node's state folder. */
export class PodFolders {
  readonly volumes: string;
  readonly etc: string;
  readonly logs: string;
  readonly #base: string;
  readonly #stateDir: string;

  constructor(stateDir: string, pod: Pod) {
    this.#stateDir = stateDir;
    const { uid = "", name, namespace } = pod.metadata;
    this.#base = join(stateDir, "pods", uid);
    this.volumes = join(this.#base, "volumes");
    this.etc = join(this.#base, "etc");
    this.logs = join(stateDir, "logs", `${namespace}_${name}_${uid}`);
  }

  logPath(container: string, attempt: number): string {
    return join(this.logs, container, `${attempt}.log`);
  }

  /** A fresh file that the container may write its last words into. */
  makeTerminationLog(container: string, attempt: number): string {
    const path = join(this.#base, "termination", `${container}-${attempt}`);
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileSync(path, "");
    // Whatever uid the container has.
    chmodSync(path, 0o666);
    return path;
  }

  /** Makes the log's folder and removes logs of attempts that nobody can ask for any more. */
  prepareLog(container: string, attempt: number): string {
    const path = this.logPath(container, attempt);
    const folder = dirname(path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(folder)) {
      const number = /^(\d+)\.log/.exec(file)?.[1];
      if (number !== undefined && Number(number) <= attempt - KEPT_ATTEMPTS) rmSync(join(folder, file), { force: true });
    }
    return path;
  }

  /** An empty folder for what a container changes in its image's root; that of the attempt before, which has ended, goes. */
  makeRoot(container: string, attempt: number): string {
    const folder = join(this.#base, "roots", container);
    if (existsSync(folder)) this.#discard(folder);
    const path = join(folder, String(attempt));
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  }

  /** What an earlier sandbox of the same pod left, other than its logs. */
  removeState(): void {
    if (existsSync(this.#base)) this.#discard(this.#base);
  }

  removeAll(): void {
    this.removeState();
    rmSync(this.logs, { recursive: true, force: true });
  }

  /** Out of the way at once; deleted in the background, since a pod may have written any number of files. */
  #discard(path: string): void {
    const trash = trashOf(this.#stateDir);
    mkdirSync(trash, { recursive: true, mode: 0o700 });
    const gone = join(trash, randomUUID());
    renameSync(path, gone);
    // What cannot be deleted now goes when the node starts next.
    void rm(gone, { recursive: true, force: true }).catch(() => {});
  }
}

/** Where deleted pods' files wait for their end. */
export function trashOf(stateDir: string): string {
  return join(stateDir, "trash");
}
