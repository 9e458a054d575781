import { isIPv4 } from "node:net";
import { runNft } from "../../linux/index.ts";
import { captureConfig, type CaptureConfig } from "./config.ts";
import { readResolvConf } from "../dns/resolv-conf.ts";
import { captureRules, cleanup, dropInvalidNft, TABLE, toNft } from "./rules.ts";

export { captureConfig, captureRules, toNft, type CaptureConfig };

/**
 * `pilot-agent istio-iptables`: writes Istio's capture rules in the network namespace that it runs in, and prints what
 * is then in force. Throws when they cannot be written: the init container fails and no application starts uncaptured.
 */
export function runIstioIptables(argv: readonly string[], env: Readonly<Record<string, string | undefined>>, print: (text: string) => void): void {
  const config = captureConfig(argv, env, () => readResolvConf().nameservers.filter((server) => isIPv4(server)));
  print(`${describe(config)}\n`);
  if (config.cleanupOnly) {
    if (!config.dryRun) runNft(cleanup());
    return;
  }
  const script = toNft(captureRules(config)) + (config.dropInvalid ? dropInvalidNft() : "");
  print(`Applying nftables rules:\n${script}\n`);
  if (config.dryRun) return;
  runNft(script);
  print(`Final nftables state (IPv4):\n${runNft(`list table ip ${TABLE}\n`)}\n`);
}

/** The settings in the words of Istio's own log. */
function describe(config: CaptureConfig): string {
  const inbound = config.inboundPortsInclude.all ? "*" : config.inboundPortsInclude.ports.join(",");
  const outbound = config.outboundRangesInclude.all ? "*" : config.outboundRangesInclude.ranges.join(",");
  return [
    "Istio config:",
    `PROXY_PORT=${config.proxyPort}`,
    `PROXY_INBOUND_CAPTURE_PORT=${config.inboundCapturePort}`,
    `PROXY_TUNNEL_PORT=${config.tunnelPort}`,
    `PROXY_UID=${config.proxyUids.join(",")}`,
    `PROXY_GID=${config.proxyGids.join(",")}`,
    "INBOUND_INTERCEPTION_MODE=REDIRECT",
    `INBOUND_PORTS_INCLUDE=${inbound}`,
    `INBOUND_PORTS_EXCLUDE=${config.inboundPortsExclude.join(",")}`,
    `OUTBOUND_IP_RANGES_INCLUDE=${outbound}`,
    `OUTBOUND_IP_RANGES_EXCLUDE=${config.outboundRangesExclude.join(",")}`,
    `OUTBOUND_PORTS_INCLUDE=${config.outboundPortsInclude.join(",")}`,
    `OUTBOUND_PORTS_EXCLUDE=${config.outboundPortsExclude.join(",")}`,
    `KUBE_VIRT_INTERFACES=${config.virtualInterfaces.join(",")}`,
    `DNS_CAPTURE=${config.dnsServers.length > 0}`,
    `DNS_SERVERS=${config.dnsServers.join(",")}`,
    `DROP_INVALID=${config.dropInvalid}`,
    `EXCLUDE_INTERFACES=${config.excludeInterfaces.join(",")}`,
    "",
  ].join("\n");
}
