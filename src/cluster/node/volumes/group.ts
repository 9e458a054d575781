import { chmodSync, chownSync, fstatSync, readdirSync } from "node:fs";
import { closeFd, openBeneath, openFolder } from "../../../linux/index.ts";

const SETGID = 0o2000;
const GROUP_WRITES = 0o660;
const GROUP_ENTERS = 0o110;

/**
 * Gives a volume and all in it to a group, as fsGroup asks: its members may read and write, and what they add is the
 * group's too. By descriptors and never through a link, for another pod may be writing to the volume. With
 * `onlyOnMismatch`, a volume whose folder is the group's already is left as it is.
 */
export function giveToGroup(path: string, gid: number, onlyOnMismatch: boolean): void {
  const root = openFolder(path);
  try {
    const stat = fstatSync(root);
    if (onlyOnMismatch && stat.gid === gid && (stat.mode & SETGID) !== 0) return;
    give(root, gid);
  } finally {
    closeFd(root);
  }
}

function give(fd: number, gid: number): void {
  const stat = fstatSync(fd);
  if (!stat.isDirectory() && !stat.isFile()) return;
  // The descriptor only names the file: it is worked on through /proc.
  const path = `/proc/self/fd/${fd}`;
  chownSync(path, stat.uid, gid);
  chmodSync(path, (stat.mode & 0o7777) | GROUP_WRITES | (stat.isDirectory() ? SETGID | GROUP_ENTERS : 0));
  if (!stat.isDirectory()) return;
  for (const name of readdirSync(path)) {
    const child = openBeneath(fd, name, { followLinks: false });
    try {
      give(child, gid);
    } finally {
      closeFd(child);
    }
  }
}
