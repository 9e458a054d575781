import { cString, libc } from "./libc.ts";
import { ChainmailError } from "../base/index.ts";
import { attribute, message, type NetlinkRequest } from "./netlink.ts";
import { parseIPv4 } from "./socket-address.ts";

const CREATE_EXCLUSIVE = 0x400 | 0x200;
const CREATE_REPLACE = 0x400 | 0x100;
const RTM = { NEWLINK: 16, DELLINK: 17, NEWADDR: 20, NEWROUTE: 24, NEWNEIGH: 28 } as const;
const IFLA = { ADDRESS: 1, IFNAME: 3, LINKINFO: 18, INFO_KIND: 1, INFO_DATA: 2, VETH_PEER: 1, NET_NS_FD: 28 } as const;
const AF_INET = 2;
const IFF_UP = 1;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
const SCOPE_UNIVERSE = 0;
const SCOPE_LINK = 253;
const NUD_PERMANENT = 0x80;
/** IFNAMSIZ less the NUL. */
const MAX_NAME = 15;

/** Index of an interface of the calling thread's network namespace. Throws NO_SUCH_INTERFACE. */
export function interfaceIndex(name: string): number {
  const index = libc().if_nametoindex(cString(name));
  if (index === 0) throw new ChainmailError("NO_SUCH_INTERFACE", `there is no network interface ${name}`);
  return index;
}

export function setLinkUp(index: number): NetlinkRequest {
  return message(`set link ${index} up`, RTM.NEWLINK, 0, linkHeader(index, IFF_UP, IFF_UP));
}

/** A pair: `name` here with `mac`, `peer.name` with `peer.mac` in the namespace of the descriptor `peer.namespaceFd`. */
export function createVeth(name: string, mac: string, peer: { name: string; mac: string; namespaceFd: number }): NetlinkRequest {
  for (const each of [name, peer.name]) {
    if (each.length > MAX_NAME) throw new ChainmailError("INVALID_INTERFACE_NAME", `${each} is longer than ${MAX_NAME} bytes`);
  }
  const other = attribute(
    IFLA.VETH_PEER,
    linkHeader(),
    attribute(IFLA.IFNAME, peer.name),
    attribute(IFLA.ADDRESS, macBytes(peer.mac)),
    attribute(IFLA.NET_NS_FD, peer.namespaceFd),
  );
  const info = attribute(IFLA.LINKINFO, attribute(IFLA.INFO_KIND, Buffer.from("veth")), attribute(IFLA.INFO_DATA, other));
  return message(
    `create veth ${name}`,
    RTM.NEWLINK,
    CREATE_EXCLUSIVE,
    linkHeader(),
    attribute(IFLA.IFNAME, name),
    attribute(IFLA.ADDRESS, macBytes(mac)),
    info,
  );
}

/** Deleting one end of a veth pair takes the other with it. */
export function deleteLink(index: number): NetlinkRequest {
  return message(`delete link ${index}`, RTM.DELLINK, 0, linkHeader(index));
}

export function addAddress(index: number, ip: string, prefixLength: number): NetlinkRequest {
  const header = Buffer.alloc(8);
  header[0] = AF_INET;
  header[1] = prefixLength;
  header.writeUInt32LE(index, 4);
  const address = ipBytes(ip);
  // IFA_ADDRESS 1 and IFA_LOCAL 2 are the same but on point-to-point links.
  return message(`add address ${ip}`, RTM.NEWADDR, CREATE_EXCLUSIVE, header, attribute(2, address), attribute(1, address));
}

/** Without `gateway` the destination is on the link; without `destination` it is the default route. */
export function addRoute(route: { destination?: { ip: string; prefixLength: number }; gateway?: string; interface: number; source?: string }): NetlinkRequest {
  const header = Buffer.alloc(12);
  header[0] = AF_INET;
  header[1] = route.destination?.prefixLength ?? 0;
  header[4] = RT_TABLE_MAIN;
  header[5] = RTPROT_STATIC;
  header[6] = route.gateway === undefined ? SCOPE_LINK : SCOPE_UNIVERSE;
  header[7] = RTN_UNICAST;
  const attributes = [attribute(4, route.interface)];
  if (route.destination) attributes.push(attribute(1, ipBytes(route.destination.ip)));
  if (route.gateway !== undefined) attributes.push(attribute(5, ipBytes(route.gateway)));
  if (route.source !== undefined) attributes.push(attribute(7, ipBytes(route.source)));
  const what = route.destination ? `${route.destination.ip}/${route.destination.prefixLength}` : "default";
  return message(`add route ${what}`, RTM.NEWROUTE, CREATE_EXCLUSIVE, header, ...attributes);
}

/** A permanent neighbour entry: nobody asks by ARP, so nobody can answer falsely. */
export function addNeighbour(index: number, ip: string, mac: string): NetlinkRequest {
  const header = Buffer.alloc(12);
  header[0] = AF_INET;
  header.writeInt32LE(index, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  return message(`add neighbour ${ip}`, RTM.NEWNEIGH, CREATE_REPLACE, header, attribute(1, ipBytes(ip)), attribute(2, macBytes(mac)));
}

/** struct ifinfomsg */
function linkHeader(index = 0, flags = 0, change = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return header;
}

function ipBytes(ip: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(parseIPv4(ip));
  return bytes;
}

function macBytes(mac: string): Buffer {
  if (!/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) throw new ChainmailError("INVALID_ADDRESS", `"${mac}" is not a MAC address`);
  return Buffer.from(mac.replaceAll(":", ""), "hex");
}
