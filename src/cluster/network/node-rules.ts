/** The one table of the node's namespace; services are filled in by service-rules.ts. */
export const TABLE = "chainmail";

export interface NodeRulesOptions {
  podCidr: string;
  serviceCidr: string;
  nodeIp: string;
  /** Service addresses that the cluster process serves on the node itself. */
  localAddresses: string[];
  /** The one of them that is cluster DNS. */
  dnsIp: string;
  /** Where the relay to the outside listens, at nodeIp. */
  egressPort: number;
}

/**
 * nft commands that make the node's table. Plain text in, plain text out: the worker runs them. Few expressions: each is
 * a kernel module, which a user namespace cannot load.
 */
export function nodeRules({ podCidr, serviceCidr, nodeIp, localAddresses, dnsIp, egressPort }: NodeRulesOptions): string {
  // Cluster DNS stands for pods, which policies can close; the API is the node's.
  const nodeAddresses = [nodeIp, ...localAddresses.filter((ip) => ip !== dnsIp)];
  return `table ip ${TABLE} {
 set pods { type ifname . ipv4_addr; }
 set hairpin { type ipv4_addr . ipv4_addr; }
 map services { type ipv4_addr . inet_proto . inet_service : verdict; }
 # Pods that NetworkPolicies close, to the chain of what may pass all the same: policy/ fills these in.
 map np_ingress { type ipv4_addr : verdict; }
 map np_egress { type ipv4_addr : verdict; }
 map np_local { type ipv4_addr : verdict; }
 chain np_deny { counter drop; }

 # A pod speaks only as itself, whatever CAP_NET_RAW or CAP_NET_ADMIN its sidecar has.
 chain antispoof {
  type filter hook prerouting priority raw;
  iifname "lo" accept
  iifname . ip saddr != @pods counter drop
 }

 chain pick { ip daddr . meta l4proto . th dport vmap @services; }

 chain prerouting {
  type nat hook prerouting priority dstnat;
  jump pick
  ip daddr { ${podCidr}, ${serviceCidr}, 127.0.0.0/8, 169.254.0.0/16 } return
  meta l4proto tcp dnat to ${nodeIp}:${egressPort}
 }
 chain output {
  type nat hook output priority -100;
  jump pick
 }
 # A pod that reaches itself through a service: its reply must come back this way to be translated back.
 chain postrouting {
  type nat hook postrouting priority srcnat;
  ct status dnat ip saddr . ip daddr @hairpin snat to ${nodeIp}
 }

 # What no service has translated by now has no endpoint.
 chain no_endpoints {
  ip daddr ${serviceCidr} meta l4proto tcp reject with tcp reset
  ip daddr ${serviceCidr} reject
 }
 chain forward {
  type filter hook forward priority filter;
  jump no_endpoints
  # Each packet is looked at, of standing connections too: what a policy forbids now ends now. Answers pass.
  ct direction reply accept
  ip saddr . ip daddr @hairpin accept
  ip saddr vmap @np_egress
  ip daddr vmap @np_ingress
 }
 # From pods to services on the node and, through the relay, to the outside. The node itself no policy closes.
 chain input {
  type filter hook input priority filter;
  iifname "lo" accept
  ct direction reply accept
  ip daddr { ${nodeAddresses.join(", ")} } meta l4proto != tcp accept
  ip daddr { ${nodeAddresses.join(", ")} } tcp dport != ${egressPort} accept
  ip saddr vmap @np_local
 }
 chain output_filter {
  type filter hook output priority filter;
  ip daddr { ${localAddresses.join(", ")} } accept
  jump no_endpoints
 }
}
`;
}

/** The commands for one pod's link, as it comes and goes. */
export function podRules(link: string, ip: string): { add: string; remove: string } {
  const elements = [`pods { "${link}" . ${ip} }`, `hairpin { ${ip} . ${ip} }`];
  const commands = (verb: string) => elements.map((element) => `${verb} element ip ${TABLE} ${element}\n`).join("");
  return { add: commands("add"), remove: commands("delete") };
}
