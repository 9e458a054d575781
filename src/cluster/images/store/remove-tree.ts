import { chmodSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** Deletes a file or folder, also where folders in it, or the one around it, forbid their owner to write. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    const around = dirname(path);
    const mode = lstatSync(around).mode & 0o7777;
    chmodSync(around, mode | 0o700);
    open(path);
    rmSync(path, { recursive: true, force: true });
    chmodSync(around, mode);
  }
}

function open(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return;
  chmodSync(path, 0o700);
  for (const name of readdirSync(path)) open(join(path, name));
}
