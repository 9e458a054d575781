import { renameSync, statSync } from "node:fs";
import type { RunningContainer } from "../../runtime/types.ts";

/** The kubelet's default: a container's log takes at most twice this on disk (the current file and the one before). */
export const MAX_LOG_BYTES = 10 << 20;
/** As the kubelet: a program would have to write 1 MB/s to overshoot by one file. */
export const ROTATION_CHECK_MS = 10_000;

/** Where the older part of a rotated log lies. */
export function rotatedPath(path: string): string {
  return `${path}.1`;
}

/** Moves a log aside when it has grown too big and lets the runtime go on in a new file. Answers whether it did. */
export function rotateLog(path: string, container: RunningContainer): boolean {
  if (!container.reopenLog) return false;
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size < MAX_LOG_BYTES) return false;
  renameSync(path, rotatedPath(path));
  container.reopenLog();
  return true;
}
