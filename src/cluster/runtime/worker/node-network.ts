import { existsSync, writeFileSync } from "node:fs";
import { ChainmailError } from "../../../base/index.ts";
import { addAddress, addNeighbour, addRoute, createVeth, deleteLink, interfaceIndex, rtnetlink, runNft, setHostname, setLinkUp } from "../../../linux/index.ts";
import type { Namespaces } from "./namespaces.ts";
import type { NodeSetup, SandboxSetup } from "./protocol.ts";

/** The kernel gives the loopback interface this index in every namespace. */
const LOOPBACK = 1;
/** Every pod's gateway: link-local, on no interface, reached by a permanent neighbour entry (as Calico does it). */
const GATEWAY = "169.254.1.1";
const GATEWAY_MAC = "ee:ee:ee:ee:ee:ee";

/** In the node's new network namespace: its addresses, the route of the service range, the base rules. */
export function setUpNode(setup: NodeSetup): void {
  writeSysctl("net.ipv4.ip_forward", "1");
  disableIPv6();
  rtnetlink(
    setLinkUp(LOOPBACK),
    ...[setup.nodeIp, ...setup.localAddresses].map((ip) => addAddress(LOOPBACK, ip, 32)),
    // A connection needs a route before nft may rewrite its destination; what is not rewritten is rejected by rule.
    addRoute({ destination: setup.serviceCidr, interface: LOOPBACK, source: setup.nodeIp }),
  );
  runNft(setup.rules);
}

/** Makes the sandbox's namespaces and, unless it shares the node's network, its link, address and rules. */
export function setUpSandbox(namespaces: Namespaces, setup: SandboxSetup): void {
  const made = namespaces.create(setup.id, setup.hostNetwork, () => {
    setHostname(setup.hostname);
    if (setup.hostNetwork) return;
    // Apps run without CAP_NET_BIND_SERVICE, and as in containerd port 80 is theirs all the same.
    writeSysctl("net.ipv4.ip_unprivileged_port_start", "0");
    allowPing();
    disableIPv6();
    for (const [name, value] of Object.entries(setup.sysctls)) writePodSysctl(name, value);
  });
  if (setup.hostNetwork) return;
  try {
    rtnetlink(createVeth(setup.link, GATEWAY_MAC, { name: "eth0", mac: setup.mac, namespaceFd: made.net }));
    namespaces.inNetwork({ sandboxId: setup.id }, () => {
      const eth0 = interfaceIndex("eth0");
      rtnetlink(
        setLinkUp(LOOPBACK),
        addAddress(eth0, setup.ip, 32),
        setLinkUp(eth0),
        addRoute({ destination: { ip: GATEWAY, prefixLength: 32 }, interface: eth0 }),
        addNeighbour(eth0, GATEWAY, GATEWAY_MAC),
        addRoute({ gateway: GATEWAY, interface: eth0, source: setup.ip }),
      );
    });
    const link = interfaceIndex(setup.link);
    rtnetlink(
      setLinkUp(link),
      addRoute({ destination: { ip: setup.ip, prefixLength: 32 }, interface: link, source: setup.nodeIp }),
      addNeighbour(link, setup.ip, setup.mac),
    );
    runNft(setup.addRules);
  } catch (error) {
    removeLink(setup.link);
    namespaces.forget(setup.id);
    throw error;
  }
}

/**
 * Undoes setUpSandbox. The link goes with the pod's network namespace, in the kernel's own time: deleting it here would
 * hold this thread for tens of milliseconds.
 */
export function tearDownSandbox(namespaces: Namespaces, setup: SandboxSetup): void {
  if (!setup.hostNetwork) runNft(setup.removeRules);
  namespaces.forget(setup.id);
}

/** Deletes a link, and with it the pod's end and its routes, if it is still there. */
export function removeLink(name: string): void {
  if (existsSync(`/proc/sys/net/ipv4/conf/${name}`)) rtnetlink(deleteLink(interfaceIndex(name)));
}

/** Echo sockets without a capability, for every group there is: as containerd sets it. */
function allowPing(): void {
  try {
    writeSysctl("net.ipv4.ping_group_range", "0 2147483647");
  } catch {
    writeSysctl("net.ipv4.ping_group_range", "0 0"); // Rootless, one group is mapped.
  }
}

/** IPv6 is off until the mesh captures it too: traffic over it would pass by the sidecar. */
function disableIPv6(): void {
  for (const scope of ["all", "default"]) {
    // A kernel without IPv6 has no such file, and needs none.
    if (existsSync(`/proc/sys/net/ipv6/conf/${scope}`)) writeSysctl(`net.ipv6.conf.${scope}.disable_ipv6`, "1");
  }
}

/** Only sysctls of the pod's own namespaces; any other would change the whole machine. */
function writePodSysctl(name: string, value: string): void {
  if (!/^(?:net\.[a-z0-9_.]+|kernel\.(?:shm[a-z_]+|msg[a-z_]+|sem)|fs\.mqueue\.[a-z_]+)$/.test(name) || name.includes("..")) {
    throw new ChainmailError("FORBIDDEN_SYSCTL", `sysctl "${name}" is not confined to a pod's namespaces`);
  }
  writeSysctl(name, value);
}

/** net.* files show the network namespace of the calling thread. */
function writeSysctl(name: string, value: string): void {
  writeFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, value);
}
