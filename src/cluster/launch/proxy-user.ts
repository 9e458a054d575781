import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { ChainmailError } from "../../base/index.ts";
import { canBecome, findTools, readIdMaps } from "../runtime/index.ts";
import { frameArguments } from "./frame.ts";
import { readMachineFacts } from "./machine-facts.ts";

/** How the cluster's user namespace comes by users beside the one who started it. */
export type UserMapping = "host" | "subordinate";

/**
 * Makes sure that the cluster can run a program as `uid`, and says how: as root by itself, for an ordinary user with the
 * ids that /etc/subuid gives. Throws PROXY_USER_UNMAPPED with the command that mends it. Leaves nothing behind.
 */
export function requireUser(uid: number): UserMapping {
  if (process.getuid?.() === 0) {
    if (canBecome({ uid, gid: uid }, readIdMaps())) return "host";
    throw unmapped(
      `user ${uid} does not exist in the user namespace that this root is in`,
      "run it outside of the container that maps few users, or without --proxy envoy",
    );
  }
  const user = userInfo().username;
  for (const tool of ["newuidmap", "newgidmap"]) {
    if (Bun.which(tool) === null) throw unmapped(`${tool} is not on the path`, `${installUidmap()}   or run with sudo, or without --proxy envoy`);
  }
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    if (subordinateCount(file, user) < uid)
      throw unmapped(
        `${file} gives ${user} too few ids`,
        `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}   or run with sudo, or without --proxy envoy`,
      );
  }
  const { unshare, setpriv } = findTools();
  const trial = Bun.spawnSync([unshare, ...frameArguments(true, "subordinate"), "--", setpriv, `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "true"], {
    stdout: "ignore",
    stderr: "pipe",
  });
  if (!trial.success)
    throw unmapped(
      `a trial as user ${uid} failed: ${trial.stderr.toString().trim()}`,
      "util-linux 2.38 or later has unshare --map-auto; or run with sudo, or without --proxy envoy",
    );
  return "subordinate";
}

/** Deletes a folder as root of a user namespace with the caller's subordinate users, whose files it may hold. */
export function removeAsSubordinates(folder: string): { success: boolean; stderr: Buffer } {
  const { unshare } = findTools();
  return Bun.spawnSync([unshare, "--user", "--map-root-user", "--map-auto", "--", "rm", "-rf", "--", folder], { stdout: "ignore", stderr: "pipe" });
}

/** The length of the first range that a subid file gives a user: the one that unshare takes. */
export function subordinateCount(file: string, user: string): number {
  if (!existsSync(file)) return 0;
  const line = readFileSync(file, "utf8")
    .split("\n")
    .find((text) => text.startsWith(`${user}:`) || text.startsWith(`${process.getuid?.() ?? ""}:`));
  return Number(line?.split(":")[2] ?? 0);
}

function unmapped(reason: string, hint: string): ChainmailError {
  return new ChainmailError(
    "PROXY_USER_UNMAPPED",
    `a real Envoy runs as user 1337, by which capture tells its traffic, and this machine cannot give it that user: ${reason}`,
    { hint },
  );
}

function installUidmap(): string {
  const { distribution } = readMachineFacts();
  const is = (...names: string[]) => names.some((name) => distribution.includes(name));
  if (is("fedora", "rhel", "centos")) return "sudo dnf install -y shadow-utils";
  if (is("arch")) return "sudo pacman -S --needed shadow";
  if (is("suse", "opensuse")) return "sudo zypper install -y shadow";
  return "sudo apt-get install -y uidmap";
}
