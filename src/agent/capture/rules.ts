import type { CaptureConfig } from "./config.ts";

/** Chains in the order in which they are made, each with its rules in order, in nft's words. */
export interface RuleSet {
  readonly chains: readonly { readonly name: string; readonly base?: string; readonly rules: readonly string[] }[];
}

/** Istio's own table name of its nftables mode: `nft list table ip istio-proxy-nat` shows what people look for. */
export const TABLE = "istio-proxy-nat";
/** The mark on every packet of the proxy: without root there is no user 1337 to tell it by. */
export const PROXY_MARK = 1337;

/** Where the agent's DNS proxy listens, by UDP and TCP. */
export const DNS_PROXY_PORT = 15053;

const INBOUND = "ISTIO_INBOUND";
const IN_REDIRECT = "ISTIO_IN_REDIRECT";
const OUTPUT = "ISTIO_OUTPUT";
const REDIRECT = "ISTIO_REDIRECT";

/**
 * Istio's rules in Istio's order. Where Istio asks for the proxy's user, the mark counts as well, so each such rule
 * stands twice: one for each sign.
 */
export function captureRules(config: CaptureConfig): RuleSet {
  return {
    chains: [
      { name: REDIRECT, rules: [`meta l4proto tcp redirect to :${config.proxyPort}`] },
      { name: IN_REDIRECT, rules: [`meta l4proto tcp redirect to :${config.inboundCapturePort}`] },
      { name: INBOUND, rules: inbound(config) },
      { name: OUTPUT, rules: output(config) },
      { name: "PREROUTING", base: "type nat hook prerouting priority dstnat; policy accept;", rules: prerouting(config) },
      {
        name: "OUTPUT",
        base: "type nat hook output priority -100; policy accept;",
        rules: [...config.excludeInterfaces.map((name) => `oifname "${name}" return`), `jump ${OUTPUT}`],
      },
    ],
  };
}

/** One transaction that replaces whatever an earlier run left: a restarted init container writes the same rules again. */
export function toNft(rules: RuleSet): string {
  const chains = rules.chains.map(({ name, base, rules: lines }) => {
    const body = [...(base ? [base] : []), ...lines].map((line) => `\t\t${line}\n`).join("");
    return `\tchain ${name} {\n${body}\t}\n`;
  });
  return `${cleanup()}table ip ${TABLE} {\n${chains.join("")}}\n`;
}

/** Removes the table; "add" first, since deleting what is not there would fail. */
export function cleanup(): string {
  return `add table ip ${TABLE}\ndelete table ip ${TABLE}\n`;
}

/** Packets that connection tracking calls invalid would reach the application past the proxy. */
export function dropInvalidNft(): string {
  return `add table ip istio-proxy-mangle\ndelete table ip istio-proxy-mangle\ntable ip istio-proxy-mangle {\n\tchain PREROUTING {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n\t\tmeta l4proto tcp ct state invalid drop\n\t}\n}\n`;
}

function prerouting(config: CaptureConfig): string[] {
  const virtual = config.virtualInterfaces.flatMap((name) =>
    config.outboundRangesInclude.all
      ? [`iifname "${name}" jump ${REDIRECT}`, `iifname "${name}" return`]
      : [...config.outboundRangesInclude.ranges.map((range) => `iifname "${name}" ip daddr ${range} jump ${REDIRECT}`), `iifname "${name}" return`],
  );
  const capture = config.inboundPortsInclude.all || config.inboundPortsInclude.ports.length > 0;
  return [...config.excludeInterfaces.map((name) => `iifname "${name}" return`), ...virtual, ...(capture ? [`meta l4proto tcp jump ${INBOUND}`] : [])];
}

function inbound(config: CaptureConfig): string[] {
  const tunnel = `tcp dport ${config.tunnelPort} return`;
  if (config.inboundPortsInclude.all) {
    return [tunnel, ...config.inboundPortsExclude.map((port) => `tcp dport ${port} return`), `meta l4proto tcp jump ${IN_REDIRECT}`];
  }
  return [tunnel, ...config.inboundPortsInclude.ports.map((port) => `tcp dport ${port} jump ${IN_REDIRECT}`)];
}

function output(config: CaptureConfig): string[] {
  const included = config.outboundRangesInclude;
  const loopbackIncluded = !included.all && included.ranges.some((range) => range.startsWith("127."));
  const owners: { is: string[]; isNot: string }[] = [
    ...config.proxyUids.map((uid) => ({ is: [`meta skuid ${uid}`, `meta mark ${PROXY_MARK}`], isNot: `meta skuid != ${uid} meta mark != ${PROXY_MARK}` })),
    ...config.proxyGids.map((gid) => ({ is: [`meta skgid ${gid}`], isNot: `meta skgid != ${gid}` })),
  ];
  return [
    ...config.outboundPortsExclude.map((port) => `tcp dport ${port} return`),
    // Where the proxy binds when it passes inbound traffic on to the application.
    'oifname "lo" ip saddr 127.0.0.6 return',
    ...owners.flatMap(({ is, isNot }) => [
      // A call to one's own service: application, proxy as client, proxy as server, application.
      ...is.map((sign) => `oifname "lo" ip daddr != 127.0.0.1 tcp dport != ${config.tunnelPort} ${sign} jump ${IN_REDIRECT}`),
      // A call to one's own address goes straight.
      ...(loopbackIncluded ? [] : [`oifname "lo" ${isNot} return`]),
      // What the proxy sends out is not for the proxy.
      ...is.map((sign) => `${sign} return`),
    ]),
    ...config.dnsServers.flatMap((server) => ["udp", "tcp"].map((protocol) => `ip daddr ${server} ${protocol} dport 53 redirect to :${DNS_PROXY_PORT}`)),
    "ip daddr 127.0.0.1 return",
    ...config.outboundRangesExclude.map((range) => `ip daddr ${range} return`),
    ...config.outboundPortsInclude.map((port) => `tcp dport ${port} jump ${REDIRECT}`),
    ...(included.all ? [`jump ${REDIRECT}`] : included.ranges.map((range) => `ip daddr ${range} jump ${REDIRECT}`)),
  ];
}
