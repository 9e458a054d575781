import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pod } from "../../resources/index.ts";

/** The resolver refuses more; Kubernetes' limit too. */
const MAX_SEARCHES = 32;
const MAX_HOSTNAME = 63;

export interface DnsSettings {
  /** Cluster DNS as pods see it. */
  nameserver: string;
  clusterDomain: string;
  /** The host's own resolv.conf, for dnsPolicy Default. */
  hostResolvConf: string;
}

/** The pod's name for itself: `spec.hostname`, or the pod's name cut to what a hostname may be. */
export function podHostname(pod: Pod): string {
  return pod.spec?.hostname || pod.metadata.name.slice(0, MAX_HOSTNAME).replace(/[.-]+$/, "");
}

/** Writes the three files that every container of the pod sees under /etc; answers their host paths. */
export function writePodFiles(folder: string, pod: Pod, podIP: string, dns: DnsSettings): { hosts: string; hostname: string; resolvConf: string } {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    // Any uid of the pod reads them; the folders above keep other users of the machine out.
    chmodSync(path, 0o644);
    return path;
  };
  return {
    hosts: write("hosts", hostsFile(pod, podIP, dns.clusterDomain)),
    hostname: write("hostname", `${podHostname(pod)}\n`),
    resolvConf: write("resolv.conf", resolvConf(pod, dns)),
  };
}

export function hostsFile(pod: Pod, podIP: string, clusterDomain: string): string {
  const hostname = podHostname(pod);
  const subdomain = pod.spec?.subdomain;
  const names = subdomain ? `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}\t${hostname}` : hostname;
  const lines = [
    "# Kubernetes-managed hosts file.",
    // The kubelet's IPv6 lines are left out: pods have no IPv6 until it is captured too, and every look-up would try it first.
    "127.0.0.1\tlocalhost",
    `${podIP}\t${names}`,
  ];
  const aliases = pod.spec?.hostAliases ?? [];
  if (aliases.length > 0) {
    lines.push("", "# Entries added by HostAliases.");
    for (const alias of aliases) lines.push(`${alias.ip}\t${(alias.hostnames ?? []).join("\t")}`);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * By `dnsPolicy`: the cluster's DNS for ClusterFirst (also with hostNetwork, since the node's namespace reaches it and
 * not the host's resolver), the host's file for Default, nothing for None; `dnsConfig` on top.
 */
export function resolvConf(pod: Pod, dns: DnsSettings): string {
  const policy = pod.spec?.dnsPolicy ?? "ClusterFirst";
  const config = pod.spec?.dnsConfig ?? {};
  const base =
    policy === "None"
      ? { nameservers: [], searches: [], options: [] }
      : policy === "Default"
        ? parseResolvConf(dns.hostResolvConf)
        : {
            nameservers: [dns.nameserver],
            searches: [`${pod.metadata.namespace}.svc.${dns.clusterDomain}`, `svc.${dns.clusterDomain}`, dns.clusterDomain],
            options: ["ndots:5"],
          };
  const nameservers = unique([...base.nameservers, ...(config.nameservers ?? [])]);
  const searches = unique([...base.searches, ...(config.searches ?? [])]).slice(0, MAX_SEARCHES);
  const options = new Map(base.options.map((option): [string, string] => [option.split(":")[0] ?? option, option]));
  for (const { name, value } of config.options ?? []) if (name) options.set(name, value ? `${name}:${value}` : name);
  return [
    ...(searches.length > 0 ? [`search ${searches.join(" ")}`] : []),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(options.size > 0 ? [`options ${[...options.values()].join(" ")}`] : []),
    "",
  ].join("\n");
}

function parseResolvConf(text: string): { nameservers: string[]; searches: string[]; options: string[] } {
  const result = { nameservers: [] as string[], searches: [] as string[], options: [] as string[] };
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver" && values[0]) result.nameservers.push(values[0]);
    if (keyword === "search" || keyword === "domain") result.searches = values;
    if (keyword === "options") result.options.push(...values);
  }
  return result;
}

function unique(list: string[]): string[] {
  return [...new Set(list)];
}
