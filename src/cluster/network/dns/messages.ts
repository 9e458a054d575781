import * as packet from "dns-packet";
import type { Answer, DecodedPacket } from "dns-packet";

export const Rcode = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;

export interface Query {
  id: number;
  name: string;
  type: string;
  /** Bytes that the asker takes in one UDP answer. */
  udpSize: number;
  /** Whether it sent an OPT record, and so must get one back. */
  edns: boolean;
  recursionDesired: boolean;
}

export type Parsed = { kind: "query"; query: Query } | { kind: "refuse"; reply: Uint8Array } | { kind: "ignore" };

const HEADER = 12;
const CLASSIC_UDP_SIZE = 512;
/** What passes any path unfragmented (dnsflagday.net/2020); also our largest UDP answer. */
const MAX_UDP_SIZE = 1232;
const FLAG_RESPONSE = 0x8000;

/** Reads one query. What cannot be answered at all is ignored; the rest of the bad ones get their error code. */
export function parseQuery(bytes: Uint8Array): Parsed {
  if (bytes.length < HEADER) return { kind: "ignore" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint16(2);
  // A response must never be answered: two servers would talk for ever.
  if (flags & FLAG_RESPONSE) return { kind: "ignore" };
  const id = view.getUint16(0);
  if ((flags >> 11) & 15) return { kind: "refuse", reply: bare(id, flags, Rcode.NOTIMP) };
  let decoded: DecodedPacket;
  try {
    decoded = packet.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch {
    return { kind: "refuse", reply: bare(id, flags, Rcode.FORMERR) };
  }
  const question = decoded.questions?.[0];
  if (!question || decoded.questions?.length !== 1) return { kind: "refuse", reply: bare(id, flags, Rcode.FORMERR) };
  const opt = decoded.additionals?.find((record) => record.type === "OPT");
  const udpSize = opt?.type === "OPT" ? Math.min(Math.max(opt.udpPayloadSize, CLASSIC_UDP_SIZE), MAX_UDP_SIZE) : CLASSIC_UDP_SIZE;
  const query: Query = { id, name: question.name, type: question.type, udpSize, edns: opt !== undefined, recursionDesired: decoded.flag_rd };
  return { kind: "query", query };
}

export interface Reply {
  rcode: number;
  answers: Answer[];
  authorities: Answer[];
  additionals: Answer[];
  authoritative: boolean;
}

/** The reply's bytes; longer than `limit`, it says "truncated" and holds no record, so that the asker comes by TCP. */
export function encodeReply(query: Query, reply: Reply, limit: number): Uint8Array {
  const opt: Answer[] = query.edns
    ? [{ type: "OPT", name: ".", udpPayloadSize: MAX_UDP_SIZE, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }]
    : [];
  const flags =
    (reply.authoritative ? packet.AUTHORITATIVE_ANSWER : 0) |
    (query.recursionDesired ? packet.RECURSION_DESIRED : 0) |
    packet.RECURSION_AVAILABLE |
    reply.rcode;
  const encode = (parts: Pick<Reply, "answers" | "authorities" | "additionals">, extra = 0): Uint8Array =>
    packet.encode({
      type: "response",
      id: query.id,
      flags: flags | extra,
      // dns-packet takes "UNKNOWN_65" back as it gave it.
      questions: [{ name: query.name, type: query.type as packet.RecordType }],
      answers: parts.answers,
      authorities: parts.authorities,
      additionals: [...parts.additionals, ...opt],
    });
  const whole = encode(reply);
  return whole.length <= limit ? whole : encode({ answers: [], authorities: [], additionals: [] }, packet.TRUNCATED_RESPONSE);
}

/** A query of our own for a name, with recursion. */
export function encodeQuery(id: number, name: string, type: string): Uint8Array {
  return packet.encode({ type: "query", id, flags: packet.RECURSION_DESIRED, questions: [{ name, type: type as packet.RecordType }] });
}

/** Rcode and answers of a response; undefined when it cannot be read. */
export function decodeResponse(bytes: Uint8Array): { rcode: number; answers: Answer[] } | undefined {
  try {
    const decoded = packet.decode(Buffer.from(bytes));
    return { rcode: (decoded.flags ?? 0) & 15, answers: decoded.answers ?? [] };
  } catch {
    return undefined;
  }
}

/** SERVFAIL for a query that cannot even be repeated in an answer. */
export function failure(message: Uint8Array): Uint8Array {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  return bare(view.getUint16(0), view.getUint16(2), Rcode.SERVFAIL);
}

/** Header only: id, the opcode and RD of the query, and the error. */
function bare(id: number, flags: number, rcode: number): Uint8Array {
  const reply = new Uint8Array(HEADER);
  const view = new DataView(reply.buffer);
  view.setUint16(0, id);
  view.setUint16(2, FLAG_RESPONSE | (flags & 0x7900) | rcode);
  return reply;
}
