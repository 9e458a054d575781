import * as packet from "dns-packet";
import type { Answer } from "dns-packet";
import type { LookUp } from "./name-table.ts";

/** As Istio's agent: a table may change at any time. */
const TTL_SECONDS = 30;
const HEADER = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const SERVFAIL = 2;

export type Verdict =
  | { readonly kind: "answer"; readonly reply: Uint8Array }
  /** The name is not the mesh's. */
  | { readonly kind: "forward" }
  | { readonly kind: "ignore" };

/** What a question is answered with. `turn` picks the address that comes first, so that callers spread. */
export function answerQuestion(question: Uint8Array, lookUp: LookUp, limit: number, turn: number): Verdict {
  if (question.length < HEADER || new DataView(question.buffer, question.byteOffset).getUint16(2) & FLAG_RESPONSE) return { kind: "ignore" };
  let decoded: packet.DecodedPacket;
  try {
    decoded = packet.decode(Buffer.from(question.buffer, question.byteOffset, question.length));
  } catch {
    return { kind: "ignore" };
  }
  const [asked] = decoded.questions ?? [];
  if (!asked || decoded.questions?.length !== 1) return { kind: "forward" };
  const found = lookUp(asked.name.toLowerCase().replace(/\.$/, ""));
  // Of names that are known, types that are not are known not to be there.
  if (!found || (asked.class !== undefined && asked.class !== "IN")) return { kind: "forward" };
  const addresses = asked.type === "A" ? found.ipv4 : asked.type === "AAAA" ? found.ipv6 : [];
  const canonical = found.canonical === asked.name.toLowerCase() ? asked.name : found.canonical;
  const first = addresses.length === 0 ? 0 : turn % addresses.length;
  const records: Answer[] = [...addresses.slice(first), ...addresses.slice(0, first)].map((data) => ({
    type: asked.type as "A" | "AAAA",
    name: canonical,
    ttl: TTL_SECONDS,
    data,
  }));
  const answers: Answer[] =
    canonical === asked.name || records.length === 0 ? records : [{ type: "CNAME", name: asked.name, ttl: TTL_SECONDS, data: canonical }, ...records];
  const flags = packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE | (decoded.flag_rd ? packet.RECURSION_DESIRED : 0);
  const encode = (content: Answer[], more: number): Uint8Array =>
    packet.encode({ type: "response", id: decoded.id ?? 0, flags: flags | more, questions: [asked], answers: content });
  const reply = encode(answers, 0);
  return { kind: "answer", reply: reply.length <= limit ? reply : encode([], FLAG_TRUNCATED) };
}

/** Nobody could be asked. */
export function serverFailure(question: Uint8Array): Uint8Array {
  const reply = Uint8Array.from(question);
  const view = new DataView(reply.buffer);
  view.setUint16(2, (view.getUint16(2) & 0x7900) | FLAG_RESPONSE | 0x0080 | SERVFAIL);
  // Only the question is repeated.
  view.setUint16(6, 0);
  view.setUint16(8, 0);
  view.setUint16(10, 0);
  return reply;
}
