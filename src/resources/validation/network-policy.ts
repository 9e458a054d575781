import type { FieldError, IntOrString, KubeObject, LabelSelector } from "../index.ts";
import { forbidden, invalid, invalids, oneOf, required } from "./field.ts";
import { validateSelector } from "./metadata.ts";
import { ipv4, isIpv6, portName, portNumber } from "./names.ts";

interface Spec {
  podSelector?: LabelSelector;
  policyTypes?: string[];
  ingress?: { from?: Peer[]; ports?: Port[] }[];
  egress?: { to?: Peer[]; ports?: Port[] }[];
}

interface Peer {
  podSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  ipBlock?: { cidr?: string; except?: string[] };
}

interface Port {
  protocol?: string;
  port?: IntOrString;
  endPort?: number;
}

const CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/** As Kubernetes: a policy is about security, so nothing in it may be guesswork. */
export function validateNetworkPolicy(policy: KubeObject): FieldError[] {
  const spec = (policy.spec ?? {}) as Spec;
  const errors = validateSelector(spec.podSelector, "spec.podSelector");
  for (const [index, rule] of (spec.ingress ?? []).entries()) errors.push(...validateRule(rule.ports, rule.from, "from", `spec.ingress[${index}]`));
  for (const [index, rule] of (spec.egress ?? []).entries()) errors.push(...validateRule(rule.ports, rule.to, "to", `spec.egress[${index}]`));
  // The third of two is one too many, whatever it is.
  if ((spec.policyTypes?.length ?? 0) > 2) return [...errors, invalid("spec.policyTypes", spec.policyTypes, "may not specify more than two policyTypes")];
  for (const [index, type] of (spec.policyTypes ?? []).entries()) errors.push(...oneOf(`spec.policyTypes[${index}]`, type, ["Ingress", "Egress"]));
  return errors;
}

function validateRule(ports: Port[] = [], peers: Peer[] = [], peersField: string, field: string): FieldError[] {
  return [
    ...ports.flatMap((port, index) => validatePort(port, `${field}.ports[${index}]`)),
    ...peers.flatMap((peer, index) => validatePeer(peer, `${field}.${peersField}[${index}]`)),
  ];
}

function validatePort({ protocol, port, endPort }: Port, field: string): FieldError[] {
  const errors = protocol === undefined ? [] : oneOf(`${field}.protocol`, protocol, ["TCP", "UDP", "SCTP"]);
  if (typeof port === "number") {
    errors.push(...invalids(`${field}.port`, port, portNumber(port)));
    if (endPort !== undefined && endPort < port) errors.push(invalid(`${field}.endPort`, port, "must be greater than or equal to `port`"));
    if (endPort !== undefined) errors.push(...invalids(`${field}.endPort`, endPort, portNumber(endPort)));
  } else {
    if (port !== undefined) errors.push(...invalids(`${field}.port`, port, portName(port)));
    if (endPort !== undefined)
      errors.push(invalid(`${field}.endPort`, endPort, `may not be specified when \`port\` is ${port === undefined ? "not specified" : "non-numeric"}`));
  }
  return errors;
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: Peer, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (podSelector) errors.push(...validateSelector(podSelector, `${field}.podSelector`));
  if (namespaceSelector) errors.push(...validateSelector(namespaceSelector, `${field}.namespaceSelector`));
  if (ipBlock) errors.push(...validateBlock(ipBlock, `${field}.ipBlock`));
  if (!podSelector && !namespaceSelector && !ipBlock) errors.push(required(field, "must specify a peer"));
  if (ipBlock && (podSelector || namespaceSelector)) errors.push(forbidden(field, "may not specify both ipBlock and another peer"));
  return errors;
}

function validateBlock({ cidr = "", except = [] }: NonNullable<Peer["ipBlock"]>, field: string): FieldError[] {
  if (cidr === "") return [required(`${field}.cidr`)];
  const block = parseCidr(cidr);
  if (!block) return [invalid(`${field}.cidr`, cidr, CIDR)];
  return except.flatMap((text, index) => {
    const at = `${field}.except[${index}]`;
    const hole = parseCidr(text);
    if (!hole) return [invalid(at, text, CIDR)];
    const inside =
      hole.bits.length === block.bits.length && hole.prefix > block.prefix && hole.bits.slice(0, block.prefix) === block.bits.slice(0, block.prefix);
    return inside ? [] : [invalid(at, text, "must be a strict subset of `cidr`")];
  });
}

/** The address in binary digits, and how many of them count. */
function parseCidr(text: string): { bits: string; prefix: number } | undefined {
  const [address = "", length = "", ...more] = text.split("/");
  const v4 = ipv4(address);
  if (more.length > 0 || !/^(?:0|[1-9]\d{0,2})$/.test(length) || (!v4 && !isIpv6(address))) return undefined;
  const bits = v4 ? v4.map((byte) => byte.toString(2).padStart(8, "0")).join("") : ipv6Bits(address);
  return Number(length) <= bits.length ? { bits, prefix: Number(length) } : undefined;
}

function ipv6Bits(address: string): string {
  // The URL parser writes every form in the same way, hexadecimal and lower case.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string) => part.split(":").filter(Boolean);
  const [before, after] = [groups(head), groups(tail ?? "")];
  const all = [...before, ...Array<string>(tail === undefined ? 0 : 8 - before.length - after.length).fill("0"), ...after];
  return all.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}
