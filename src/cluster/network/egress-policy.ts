import { isIPv4, parseIPv4 } from "../../linux/index.ts";

/** Ranges that are never the outside: this host, link-local (clouds serve credentials there), multicast, reserved. */
const REFUSED: [network: string, prefixLength: number, why: string][] = [
  ["0.0.0.0", 8, "it means this host"],
  ["127.0.0.0", 8, "it is the host's loopback"],
  ["169.254.0.0", 16, "it is link-local"],
  ["224.0.0.0", 4, "it is multicast"],
  ["240.0.0.0", 4, "it is reserved"],
];

/**
 * Why a pod may not reach this address through the relay, or undefined. The relay dials from the host's own network, so
 * what only the host may reach must be refused here.
 */
export function refusesEgress(ip: string, hostAddresses: Iterable<string>, clusterRanges: { ip: string; prefixLength: number }[]): string | undefined {
  if (!isIPv4(ip)) return "it is not an IPv4 address";
  const address = parseIPv4(ip);
  for (const [network, prefixLength, why] of REFUSED) {
    if (inRange(address, network, prefixLength)) return why;
  }
  for (const range of clusterRanges) {
    if (inRange(address, range.ip, range.prefixLength)) return "it is the cluster's own";
  }
  for (const own of hostAddresses) {
    if (own === ip) return "it is this host's own address";
  }
  return undefined;
}

function inRange(address: number, network: string, prefixLength: number): boolean {
  const size = 2 ** (32 - prefixLength);
  return Math.floor(address / size) === Math.floor(parseIPv4(network) / size);
}
