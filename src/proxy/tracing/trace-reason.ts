/** Why a request is traced: the 15th character of its id says so to all proxies on its way (Envoy's UUID extension). */
export type TraceReason = "sampled" | "forced" | "client";

const PLACE = 14;
const LETTERS: Record<TraceReason, string> = { sampled: "9", forced: "a", client: "b" };
/** The version digit that a random UUID has there. */
const UNTRACED = "4";
const UUID_LENGTH = 36;

export function traceReason(requestId: string): TraceReason | undefined {
  if (requestId.length !== UUID_LENGTH) return undefined;
  switch (requestId[PLACE]) {
    case "9":
      return "sampled";
    case "a":
      return "forced";
    case "b":
      return "client";
  }
  return undefined;
}

/** The same id with another reason in it; ids that are no UUIDs have no place for one. */
export function withReason(requestId: string, reason: TraceReason | undefined): string {
  if (requestId.length < UUID_LENGTH) return requestId;
  return requestId.slice(0, PLACE) + (reason === undefined ? UNTRACED : LETTERS[reason]) + requestId.slice(PLACE + 1);
}

/** A number below 10,000 that all proxies on a request's way reckon alike; undefined for ids that are no numbers. */
export function sampleOf(requestId: string): number | undefined {
  const head = requestId.slice(0, 8);
  return /^[0-9a-fA-F]{8}$/.test(head) ? Number.parseInt(head, 16) % 10_000 : undefined;
}
