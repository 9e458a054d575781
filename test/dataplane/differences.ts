import type { Outcome } from "./call.ts";

/** A way in which this proxy is meant to differ from Envoy, or cannot be like it. */
export interface KnownDifference {
  /** Names of the rows that show it. */
  readonly rows: readonly string[] | RegExp;
  readonly reason: string;
  /** Takes out of both sides what differs; everything else must be equal. */
  readonly call?: (outcome: Outcome) => Outcome;
  readonly log?: (line: string) => string;
}

/** Nothing is compared but that both end the exchange in their ways. */
const answers = (outcome: Outcome): Outcome => ({ ...outcome, answers: [], end: "open" });
const nothing = (): string => "";

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    rows: ["bytes: two spaces", "bytes: tab in the line", "bytes: bare LF", "bytes: bare CR in a value", "bytes: folded header", "bytes: chunk size with a space", "bytes: chunk without its end"],
    reason: "RFC 9112 and llhttp refuse these, and so does this proxy: a reader behind it that takes them differently is how requests are smuggled. Envoy's parser takes them.",
    call: answers,
    log: nothing,
  },
  {
    rows: ["bytes: two hosts"],
    reason: "RFC 9112, 3.2: more than one Host is a bad request. Envoy joins them with a comma and passes that on.",
    call: answers,
    log: nothing,
  },
  {
    rows: ["bytes: empty host"],
    reason: "RFC 9110, 4.2.1: an http URI with an empty host is invalid. Envoy looks for a virtual host with that name.",
    call: answers,
    log: nothing,
  },
  {
    rows: ["bytes: HTTP/1.0 chunked"],
    reason: "RFC 9112, 6.1: Transfer-Encoding in HTTP/1.0 means that the framing is faulty. Envoy reads the chunks.",
    call: answers,
    log: nothing,
  },
];
