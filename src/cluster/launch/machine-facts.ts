import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";

/** What advice depends on, read from the machine once. */
export interface MachineFacts {
  root: boolean;
  /** ID and ID_LIKE of os-release: "ubuntu", "debian". */
  distribution: string[];
  kernel: string;
  /** kernel.apparmor_restrict_unprivileged_userns: Ubuntu 23.10 and later set it. */
  apparmorRestricted: boolean;
  /** kernel.unprivileged_userns_clone = 0: old Debian, Arch's hardened kernel. */
  userNamespacesOff: boolean;
  /** user.max_user_namespaces = 0. */
  userNamespacesNone: boolean;
  /** Inside Docker, Podman or the like. */
  inContainer: boolean;
}

export function readMachineFacts(): MachineFacts {
  const release_ = Object.fromEntries(
    read("/etc/os-release")
      .split("\n")
      .map((line) => line.split("=", 2))
      .map(([key = "", value = ""]) => [key, value.replaceAll('"', "")]),
  );
  return {
    root: process.getuid?.() === 0,
    distribution: [release_["ID"] ?? "", ...(release_["ID_LIKE"] ?? "").split(" ")].filter(Boolean),
    kernel: release(),
    apparmorRestricted: read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").trim() === "1",
    userNamespacesOff: read("/proc/sys/kernel/unprivileged_userns_clone").trim() === "0",
    userNamespacesNone: read("/proc/sys/user/max_user_namespaces").trim() === "0",
    inContainer: existsSync("/.dockerenv") || existsSync("/run/.containerenv"),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // Not every kernel or distribution has it.
  }
}
