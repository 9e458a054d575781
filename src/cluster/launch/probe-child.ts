// Runs inside the frame that launchCluster makes, tries what the cluster will do, and prints a JSON line a check.
import { mkdtempSync, statSync, writeFileSync } from "node:fs";
import { errorText, ChainmailError } from "../../base/index.ts";
import {
  addAddress,
  cloneTree,
  closeFd,
  connectMarked,
  createVeth,
  interfaceIndex,
  mountFilesystem,
  MountFlag,
  moveTree,
  NamespaceFlag,
  openNamespace,
  enterNamespace,
  rtnetlink,
  runNft,
  setLinkUp,
  unshareThread,
} from "../../linux/index.ts";
import { nodeRules } from "../network/node-rules.ts";
import type { CheckName } from "./advice.ts";

const NODE = "10.244.0.1";

function attempt(name: CheckName, work: () => void): boolean {
  try {
    work();
    console.log(JSON.stringify({ name, ok: true }));
    return true;
  } catch (error) {
    const code = error instanceof ChainmailError ? error.code : error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN";
    console.log(JSON.stringify({ name, ok: false, code, detail: errorText(error) }));
    return false;
  }
}

attempt("mounts", () => {
  mountFilesystem("tmpfs", "/tmp", MountFlag.NO_SUID, "size=1m");
  const folder = mkdtempSync("/tmp/probe-");
  moveTree(cloneTree("/usr", MountFlag.READ_ONLY), folder);
  mountFilesystem("devpts", folder, MountFlag.NO_EXEC, "newinstance,ptmxmode=0666");
  statSync(`${folder}/ptmx`);
});

const network = attempt("network namespace", () => {
  unshareThread(NamespaceFlag.NET);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  rtnetlink(setLinkUp(1), addAddress(1, NODE, 32));
});
if (network) {
  attempt("veth", () => {
    const node = openNamespace("net");
    unshareThread(NamespaceFlag.NET);
    const pod = openNamespace("net");
    enterNamespace(node, NamespaceFlag.NET);
    rtnetlink(createVeth("probe0", "ee:ee:ee:ee:ee:ee", { name: "eth0", mac: "02:42:0a:f4:00:02", namespaceFd: pod }));
    interfaceIndex("probe0");
  });
  attempt("traffic rules", () => {
    runNft(
      nodeRules({ podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/12", nodeIp: NODE, localAddresses: ["10.96.0.1"], dnsIp: "10.96.0.10", egressPort: 15999 }),
    );
    // What sidecars, services and NetworkPolicies use beyond the node's own rules.
    runNft(`table ip probe {
 chain output {
  type nat hook output priority -100;
  meta mark 1337 return
  meta l4proto tcp redirect to :15001
 }
 chain pick { meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : ${NODE} . 1, 1 : ${NODE} . 2 }; }
 set blocks { type ipv4_addr; flags interval; elements = { 10.0.0.0-10.0.0.9 }; }
 set sockets { type ipv4_addr . inet_proto . inet_service; }
 chain closed {
  ip saddr @blocks meta l4proto tcp th dport { 80, 8000-8080 } return
  ct original ip daddr @blocks meta l4proto udp ct original proto-dst { 53 } return
  ip daddr . meta l4proto . th dport @sockets return
  counter drop
 }
 chain sticky { meta l4proto tcp dnat ip to jhash ip saddr mod 2 map { 0 : ${NODE} . 1, 1 : ${NODE} . 2 }; }
}`);
  });
  attempt("socket mark", () => closeFd(connectMarked(NODE, 9, 1337)));
}
