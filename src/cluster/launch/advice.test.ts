import { describe, expect, test } from "bun:test";
import { advise } from "./advice.ts";
import type { MachineFacts } from "./machine-facts.ts";

const PLAIN: MachineFacts = {
  root: false,
  distribution: ["debian"],
  kernel: "6.1.0",
  apparmorRestricted: false,
  userNamespacesOff: false,
  userNamespacesNone: false,
  inContainer: false,
};

describe("advice", () => {
  test("no space left means the limit, not the disk", () => {
    expect(advise("process tree", "ENOSPC", PLAIN)).toContain("sysctl -w user.max_user_namespaces=");
  });

  test("not permitted is told by what the machine restricts", () => {
    expect(advise("process tree", "EPERM", { ...PLAIN, distribution: ["ubuntu", "debian"], apparmorRestricted: true })).toContain(
      "apparmor_restrict_unprivileged_userns=0",
    );
    expect(advise("process tree", "EPERM", { ...PLAIN, userNamespacesOff: true })).toContain("unprivileged_userns_clone=1");
    expect(advise("process tree", "EPERM", { ...PLAIN, inContainer: true })).toContain("--privileged");
    expect(advise("process tree", "EPERM", PLAIN)).toContain("sudo");
  });

  test("missing packages are named for the distribution", () => {
    expect(advise("libnftables", "ENOENT", PLAIN)).toBe("sudo apt-get update && sudo apt-get install -y libnftables1");
    expect(advise("libnftables", "ENOENT", { ...PLAIN, root: true, distribution: ["fedora"] })).toBe("dnf install -y nftables");
  });

  test("missing kernel modules are named", () => {
    expect(advise("veth", "EOPNOTSUPP", PLAIN)).toBe("sudo modprobe -a veth");
    expect(advise("traffic rules", "NFT_FAILED", { ...PLAIN, inContainer: true })).toStartWith("on the host: sudo modprobe -a nf_tables");
  });
});
