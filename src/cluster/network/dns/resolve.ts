import type { Answer, SrvAnswer } from "dns-packet";
import { isIPv4 } from "../../../linux/index.ts";
import type { Zone, ZoneEndpoint, ZonePort, ZoneService } from "./zone.ts";

export interface Question {
  name: string;
  type: string;
}

export type Resolution =
  /** Records of ours; `authorities` holds the SOA of a negative answer. */
  | { kind: "answer"; rcode: "NOERROR" | "NXDOMAIN"; answers: Answer[]; authorities: Answer[]; additionals: Answer[] }
  /** An alias that leads out of the zone: `answers` holds it, the rest is for the host's resolvers. */
  | { kind: "alias"; answers: Answer[]; target: string }
  /** Not ours at all. */
  | { kind: "forward" };

/** kubeadm's CoreDNS: short, since a service can be deleted and made anew with another address. */
const TTL = 30;
/** Aliases within the zone may lead in a circle. */
const MAX_ALIASES = 8;

/** What the cluster's DNS answers, as CoreDNS's kubernetes plugin does. Pure: no clock, no network. */
export function resolve(question: Question, zone: Zone): Resolution {
  const name = question.name.toLowerCase().replace(/\.$/, "");
  const answers: Answer[] = [];
  let current = name;
  for (let aliases = 0; aliases < MAX_ALIASES; aliases++) {
    const found = lookUp(current, zone);
    if (found === "outside") return answers.length === 0 ? { kind: "forward" } : { kind: "alias", answers, target: current };
    // The first answer keeps the case of the question, by which some resolvers tell false replies.
    const owner = current === name ? question.name : current;
    if (found.kind === "alias") {
      answers.push({ type: "CNAME", name: owner, ttl: TTL, data: found.target });
      if (question.type === "CNAME") return positive(answers);
      current = found.target.toLowerCase().replace(/\.$/, "");
      continue;
    }
    if (found.kind === "missing") return negative("NXDOMAIN", answers, zone);
    const records = recordsOf(found, question.type, owner, zone);
    const additionals = records.flatMap((record) => (record.type === "SRV" ? addressOf(record, found) : []));
    answers.push(...records);
    return records.length > 0 ? positive(answers, additionals) : negative("NOERROR", answers, zone);
  }
  return negative("NXDOMAIN", answers, zone);
}

type Found =
  | { kind: "missing" }
  | { kind: "alias"; target: string }
  /** A name with addresses, perhaps with ports (SRV), or an empty name above others. */
  | { kind: "node"; addresses: string[]; services: { target: string; port: number; ip: string }[]; pointer?: string; apex?: boolean };

function lookUp(name: string, zone: Zone): Found | "outside" {
  const reverse = reverseAddress(name);
  if (reverse !== undefined) {
    const pointer = zone.reverse.get(reverse);
    // Addresses that the cluster does not know may be known to the host's resolvers.
    return pointer === undefined ? "outside" : { kind: "node", addresses: [], services: [], pointer };
  }
  if (name === zone.domain) return { ...EMPTY, apex: true };
  if (!name.endsWith(`.${zone.domain}`)) return "outside";
  const labels = name
    .slice(0, -zone.domain.length - 1)
    .split(".")
    .reverse();
  const [tree, namespace, service, ...rest] = labels;
  if (tree === "pod") return pod(namespace, service, rest, zone);
  if (tree !== "svc") return { kind: "missing" };
  if (namespace === undefined) return EMPTY;
  const services = zone.namespaces.get(namespace);
  if (!services) return { kind: "missing" };
  if (service === undefined) return EMPTY;
  const found = services.get(service);
  if (!found) return { kind: "missing" };
  return inService(found, rest, `${service}.${namespace}.svc.${zone.domain}`);
}

const EMPTY: Found & { kind: "node" } = { kind: "node", addresses: [], services: [] };
const MISSING: Found = { kind: "missing" };

/** `rest` is what stands before the service's name, nearest first: an endpoint, or `_tcp`, `_http`. */
function inService(service: ZoneService, rest: string[], host: string): Found {
  if (service.externalName !== undefined) return rest.length === 0 ? { kind: "alias", target: service.externalName } : MISSING;
  const [first, second] = rest;
  if (rest.length === 0) {
    const addresses = service.clusterIP === undefined ? service.endpoints.map(({ ip }) => ip) : [service.clusterIP];
    // A headless service without a ready endpoint has no name, as in CoreDNS.
    if (addresses.length === 0) return MISSING;
    return { kind: "node", addresses: unique(addresses), services: servicesOf(service, host, () => true) };
  }
  if (first?.startsWith("_")) {
    const protocol = first.slice(1);
    if (rest.length === 1) return service.ports.some((port) => port.protocol === protocol) ? EMPTY : MISSING;
    if (rest.length !== 2 || !second?.startsWith("_")) return MISSING;
    const matching = servicesOf(service, host, (port) => port.protocol === protocol && port.name === second.slice(1));
    return matching.length > 0 ? { kind: "node", addresses: [], services: matching } : MISSING;
  }
  const endpoints = service.endpoints.filter((endpoint) => endpoint.label === first);
  if (rest.length !== 1 || endpoints.length === 0) return MISSING;
  const services = endpoints.flatMap((endpoint) => endpoint.ports.map(({ port }) => ({ target: `${first}.${host}`, port, ip: endpoint.ip })));
  return { kind: "node", addresses: unique(endpoints.map(({ ip }) => ip)), services };
}

function servicesOf(service: ZoneService, host: string, wanted: (port: ZonePort) => boolean): { target: string; port: number; ip: string }[] {
  const { clusterIP } = service;
  if (clusterIP !== undefined) return service.ports.filter(wanted).map(({ port }) => ({ target: host, port, ip: clusterIP }));
  const ofEndpoint = ({ ip, label, ports }: ZoneEndpoint) => ports.filter(wanted).map(({ port }) => ({ target: `${label}.${host}`, port, ip }));
  return service.endpoints.flatMap(ofEndpoint);
}

/** `10-244-0-5.<namespace>.pod`: the address is in the name, as CoreDNS's "pods insecure" has it. */
function pod(namespace: string | undefined, label: string | undefined, rest: string[], zone: Zone): Found {
  if (namespace === undefined) return EMPTY;
  if (label === undefined) return zone.namespaces.has(namespace) ? EMPTY : MISSING;
  const ip = label.replaceAll("-", ".");
  return rest.length === 0 && isIPv4(ip) ? { kind: "node", addresses: [ip], services: [] } : MISSING;
}

function recordsOf(found: Found & { kind: "node" }, type: string, owner: string, zone: Zone): Answer[] {
  switch (type) {
    case "A":
      return found.addresses.map((data) => ({ type: "A", name: owner, ttl: TTL, data }));
    case "SRV":
      return found.services.map(({ target, port }, _index, all) => ({
        type: "SRV",
        name: owner,
        ttl: TTL,
        data: { target, port, priority: 0, weight: Math.floor(100 / all.length) },
      }));
    case "PTR":
      return found.pointer === undefined ? [] : [{ type: "PTR", name: owner, ttl: TTL, data: found.pointer }];
    case "SOA":
      return found.apex ? [soa(zone)] : [];
    case "NS":
      return found.apex ? [{ type: "NS", name: owner, ttl: TTL, data: `ns.dns.${zone.domain}` }] : [];
    default:
      return []; // AAAA among them: the name exists, without such a record.
  }
}

function addressOf(record: SrvAnswer, found: Found & { kind: "node" }): Answer[] {
  const { target, port } = record.data;
  const ips = found.services.filter((service) => service.target === target && service.port === port).map(({ ip }) => ip);
  return unique(ips).map((data) => ({ type: "A", name: target, ttl: TTL, data }));
}

function positive(answers: Answer[], additionals: Answer[] = []): Resolution {
  return { kind: "answer", rcode: "NOERROR", answers, authorities: [], additionals };
}

/** With the SOA, so that resolvers may cache the absence (RFC 2308). */
function negative(rcode: "NOERROR" | "NXDOMAIN", answers: Answer[], zone: Zone): Resolution {
  return { kind: "answer", rcode, answers, authorities: [soa(zone)], additionals: [] };
}

function soa(zone: Zone): Answer {
  const data = { mname: `ns.dns.${zone.domain}`, rname: `hostmaster.${zone.domain}`, serial: 1, refresh: 7200, retry: 1800, expire: 86400, minimum: TTL };
  return { type: "SOA", name: zone.domain, ttl: TTL, data };
}

function reverseAddress(name: string): string | undefined {
  if (!name.endsWith(".in-addr.arpa")) return undefined;
  const ip = name.slice(0, -".in-addr.arpa".length).split(".").reverse().join(".");
  return isIPv4(ip) ? ip : undefined;
}

function unique(items: string[]): string[] {
  return [...new Set(items)];
}
