import { check, libc } from "./libc.ts";
import { SystemError } from "./errno.ts";
import { closeFd } from "./socket-options.ts";

/** One encoded rtnetlink message that changes something, and what it does, for its error. */
export interface NetlinkRequest {
  bytes: Uint8Array;
  operation: string;
}

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NLM_F_REQUEST_ACK = 1 | 4;
const NLMSG_ERROR = 2;
const HEADER = 16;

/** Sends the requests in order in the calling thread's network namespace; the first refusal throws SystemError. */
export function rtnetlink(...requests: NetlinkRequest[]): void {
  const c = libc();
  const fd = check(c.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0), "socket netlink");
  const reply = Buffer.alloc(8192);
  try {
    for (const { bytes, operation } of requests) {
      check(Number(c.send(fd, bytes, bytes.length, 0)), `${operation}: send`);
      check(Number(c.recv(fd, reply, reply.length, 0)), `${operation}: receive`);
      // A changing request is answered by one nlmsgerr: header, then 0 or -errno.
      const errno = reply.readUInt16LE(4) === NLMSG_ERROR ? -reply.readInt32LE(HEADER) : 0;
      if (errno !== 0) throw new SystemError(errno, operation);
    }
  } finally {
    closeFd(fd);
  }
}

/** A message: nlmsghdr, the family's fixed header, attributes. Numbers are in the machine's order (little-endian). */
export function message(operation: string, type: number, flags: number, fixed: Uint8Array, ...attributes: Uint8Array[]): NetlinkRequest {
  const length = HEADER + fixed.length + attributes.reduce((sum, each) => sum + each.length, 0);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags | NLM_F_REQUEST_ACK, 6);
  return { bytes: Buffer.concat([header, fixed, ...attributes]), operation };
}

/** One attribute, padded to four bytes: a number is a u32, a string gets its NUL, arrays are concatenated. */
export function attribute(type: number, ...values: (Uint8Array | number | string)[]): Uint8Array {
  const body = Buffer.concat(
    values.map((value) => {
      if (typeof value === "number") return u32(value);
      return typeof value === "string" ? Buffer.from(`${value}\0`) : value;
    }),
  );
  const bytes = Buffer.alloc((4 + body.length + 3) & ~3);
  bytes.writeUInt16LE(4 + body.length, 0);
  bytes.writeUInt16LE(type, 2);
  body.copy(bytes, 4);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
