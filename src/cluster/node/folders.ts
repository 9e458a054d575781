import { mkdirSync, readdirSync, rmSync, writeFileSync, chmodSync } from "node:fs";
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

  constructor(stateDir: string, pod: Pod) {
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

  /** What an earlier sandbox of the same pod left, other than its logs. */
  removeState(): void {
    rmSync(this.#base, { recursive: true, force: true });
  }

  removeAll(): void {
    this.removeState();
    rmSync(this.logs, { recursive: true, force: true });
  }
}
