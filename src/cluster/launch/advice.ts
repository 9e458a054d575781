import type { MachineFacts } from "./machine-facts.ts";

export type CheckName = "linux" | "util-linux" | "libnftables" | "process tree" | "mounts" | "network namespace" | "veth" | "traffic rules" | "socket mark";

/** The command or step that mends a failed check. Pure: from errno's name and what is known of the machine. */
export function advise(check: CheckName, code: string, facts: MachineFacts): string {
  switch (check) {
    case "linux":
      return "use a Linux machine with glibc: on macOS Lima or a devcontainer, on Windows WSL2";
    case "util-linux":
      return install(facts, { debian: "util-linux coreutils", fedora: "util-linux coreutils", arch: "util-linux coreutils", suse: "util-linux coreutils" });
    case "libnftables":
      return install(facts, { debian: "libnftables1", fedora: "nftables", arch: "nftables", suse: "libnftables1" });
    case "process tree":
    case "network namespace":
      return adviseNamespaces(code, facts);
    case "mounts":
      return code === "ENOSYS" ? `a kernel of 5.12 or later (this is ${facts.kernel})` : adviseNamespaces(code, facts);
    case "veth":
      return module("veth", code, facts);
    case "traffic rules":
      return module("nf_tables nft_chain_nat nft_nat nft_ct nft_reject_ipv4 nft_redir nft_numgen nft_hash", code, facts);
    case "socket mark":
      return adviseNamespaces(code, facts);
  }
}

function adviseNamespaces(code: string, facts: MachineFacts): string {
  if (code === "ENOSPC" || facts.userNamespacesNone)
    return `${facts.root ? "" : "sudo "}sysctl -w user.max_user_namespaces=15000 user.max_net_namespaces=15000 user.max_mnt_namespaces=15000`;
  if (facts.inContainer) return "start this container with --privileged: Docker's default profile forbids namespaces and mounts";
  if (facts.root) return "this root may not make namespaces: run it outside of the sandbox that holds it";
  if (facts.userNamespacesOff) return "sudo sysctl -w kernel.unprivileged_userns_clone=1   or run with sudo";
  if (facts.apparmorRestricted)
    return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0   or run with sudo   or give Bun's binary an AppArmor profile with `userns,`";
  return "run with sudo: this machine gives ordinary users no user namespaces";
}

/** A user namespace cannot load modules; root's first use of a feature does it by itself. */
function module(names: string, code: string, facts: MachineFacts): string {
  if (code === "EPERM" || code === "EACCES") return adviseNamespaces(code, facts);
  const load = `${facts.root ? "" : "sudo "}modprobe -a ${names}`;
  return facts.inContainer ? `on the host: ${load}` : load;
}

function install(facts: MachineFacts, packages: { debian: string; fedora: string; arch: string; suse: string }): string {
  const sudo = facts.root ? "" : "sudo ";
  const is = (...names: string[]) => names.some((name) => facts.distribution.includes(name));
  if (is("fedora", "rhel", "centos")) return `${sudo}dnf install -y ${packages.fedora}`;
  if (is("arch")) return `${sudo}pacman -S --needed ${packages.arch}`;
  if (is("suse", "opensuse")) return `${sudo}zypper install -y ${packages.suse}`;
  return `${sudo}apt-get update && ${sudo}apt-get install -y ${packages.debian}`;
}
