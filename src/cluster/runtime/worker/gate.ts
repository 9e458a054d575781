import { chownSync } from "node:fs";
import { ChainmailError } from "../../../base/index.ts";
import { closeFd, createMemoryFile, createPipe, readBlocking, writeAll } from "../../../linux/index.ts";

/** Starting takes a few milliseconds; a machine that swaps may need seconds. */
const READY_TIMEOUT_MS = 10_000;

/**
 * Descriptors of a process that waits, its privileges dropped, until its root is the container's: it writes a byte when it
 * has come that far, and goes on at a line. Its environment comes in a file without a name (environment.ts says why).
 */
export class Gate {
  readonly #environment: number;
  readonly #ready = createPipe();
  readonly #go = createPipe();

  constructor(environment: string) {
    this.#environment = createMemoryFile("environment", Buffer.from(environment));
  }

  /** From descriptor 3 on, as GATE_FDS of environment.ts numbers them; the fifth is free for the wrapper. */
  get stdio(): (number | "ignore")[] {
    return [this.#ready.writeFd, this.#go.readFd, "ignore", this.#environment];
  }

  /** Blocks until the process waits. Call once it has been spawned. */
  awaitReady(): void {
    closeFd(this.#ready.writeFd);
    this.#ready.writeFd = -1;
    if (readBlocking(this.#ready.readFd, 1, READY_TIMEOUT_MS)?.length) return;
    throw new ChainmailError("PROCESS_START_FAILED", "the process did not come up; its output may say why");
  }

  open(): void {
    writeAll(this.#go.writeFd, Buffer.from("go\n"));
  }

  close(): void {
    for (const fd of [this.#environment, this.#ready.readFd, this.#ready.writeFd, this.#go.readFd, this.#go.writeFd]) if (fd >= 0) closeFd(fd);
  }
}

/** In the container's root: gives a process the device of its terminal, which programs open by name. */
export function ownTerminal(number: number, uid: number, gid: number): void {
  chownSync(`/dev/pts/${number}`, uid, gid);
}
