import type { Outcome } from "./call.ts";

/** A way in which this proxy is meant to differ from Envoy, or cannot be like it. */
export interface KnownDifference {
  /** Names of the rows that show it. */
  readonly rows: readonly string[] | RegExp;
  readonly reason: string;
  /** Shows by chance only: it need not show in every run. */
  readonly byChance?: boolean;
  /** Takes out of both sides what differs; everything else must be equal. */
  readonly call?: (outcome: Outcome) => Outcome;
  readonly log?: (line: string) => string;
}

/** Nothing is compared but that both end the exchange in their ways. */
const answers = (outcome: Outcome): Outcome => ({ ...outcome, answers: [], end: "open" });
const withoutHeader = (outcome: Outcome, name: string): Outcome => ({
  ...outcome,
  answers: outcome.answers.map((answer) => ({ ...answer, headers: Object.fromEntries(Object.entries(answer.headers).filter(([key]) => key !== name)) })),
});
/** What Envoy's TCP proxy has done before the handshake failed. */
const withoutEarlyConnect = (line: string): string => (line.startsWith("tcp\t") ? "" : line.replace(/up=\S+ \S+/, "up=- -").replace("tries=1", "tries=0"));
const nothing = (): string => "";

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    rows: [
      "bytes: two spaces",
      "bytes: tab in the line",
      "bytes: bare LF",
      "bytes: bare CR in a value",
      "bytes: folded header",
      "bytes: chunk size with a space",
      "bytes: chunk without its end",
    ],
    reason:
      "RFC 9112 and llhttp refuse these, and so does this proxy: a reader behind it that takes them differently is how requests are smuggled. Envoy's parser takes them.",
    call: answers,
    log: nothing,
  },
  {
    rows: ["upstream: status of two digits", "upstream: 101 that nobody asked for"],
    reason:
      "RFC 9110, 15 and 7.8: no such status, and no switch of protocols that was not asked for. Envoy passes both on, the second of which leaves the client with a connection whose framing is anybody's guess.",
    call: answers,
    log: nothing,
  },
  {
    rows: ["manager: 103", "manager: 102 and 103"],
    reason: "RFC 9110, 15.2: a proxy must forward 1xx responses. Envoy drops all but 100 and 101.",
    call: (outcome) => ({ ...outcome, answers: outcome.answers.filter(({ status }) => status >= 200) }),
  },
  {
    rows: ["manager: hop-by-hop headers of a response"],
    reason: "RFC 9110, 7.6.1: what Connection names must not be passed on. Envoy does so for requests only.",
    call: (outcome) => withoutHeader(outcome, "x-hop"),
  },
  {
    rows: ["manager: repeated headers", "manager: repeated headers of a response"],
    reason: "RFC 9110, 5.3: a list may stand in one line or in several. Envoy joins the lines of the headers that it knows.",
    call: (outcome) => ({
      ...outcome,
      answers: outcome.answers.map((answer) => ({ ...answer, headers: { ...answer.headers, vary: "", "content-length": "" }, body: "" })),
    }),
    log: (line) => line.replace(/tx=\d+/, ""),
  },
  {
    rows: /^(PERMISSIVE|STRICT).*(of another root|has expired|without a SPIFFE id)$|^TLS: (.*of another root|.*required, expired|SAN.*another|SAN, DNS, but.*)$/,
    reason:
      "Bun closes the connection of a client that it does not trust where BoringSSL would send the alert that says why (there is no way to make it send one). Refused it is either way.",
    byChance: true,
    call: ({ alert: _alert, ...outcome }) => outcome,
    log: withoutEarlyConnect,
  },
  {
    rows: /^(PERMISSIVE, TCP: Istio's ALPN without a certificate|STRICT, TCP: (Istio's ALPN without a certificate|plain TLS|TLS without SNI and ALPN)|STRICT, sniffed: (plain TLS|TLS without SNI and ALPN))$/,
    reason:
      "Envoy's TCP proxy connects to the upstream before the client has proved who it is; here nothing reaches the application for a client that is refused.",
    log: withoutEarlyConnect,
  },
  {
    rows: ["TLS: SNI is required and missing"],
    reason: "Envoy has the field require_sni and does not act on it; here a client that names nobody is refused, as the field says.",
    call: (outcome) => ({ answers: [], end: outcome.end === "open" ? "fin" : outcome.end }),
    log: nothing,
  },
  {
    rows: ["network RBAC: before HTTP"],
    reason: "A kernel resets a connection that is closed with bytes unread, and whether they were read by then is a matter of who is faster.",
    byChance: true,
    call: (outcome) => ({ ...outcome, end: "fin" }),
  },
  {
    rows: ["HTTP/2: a path that is not absolute", "HTTP/2: a connection header", "HTTP/2: host instead of :authority"],
    reason: "RFC 9113, 8.1.1: a malformed request is an error of its stream. Envoy closes the connection with all its streams, unless it is told otherwise.",
    call: (outcome) => ({ ...outcome, answers: [], end: "fin" }),
    log: (line) => line.replace("http2.invalid.header.field", "http2.violation.of.messaging.rule"),
  },
  {
    rows: ["HTTP/2: too many headers", "HTTP/2: headers too large"],
    reason: "Fields beyond the limits are dropped while they are decoded, and the stream is reset before there is a request to be logged.",
    log: nothing,
  },
  {
    rows: ["HTTP/2 to HTTP/1: a length that is wrong"],
    reason: "Envoy's flag is the protocol error's, its detail that of a reset; here both are the reset's.",
    log: (line) => line.replace(/ (DR|DPE) /, " "),
  },
  {
    rows: ["CONNECT: ended here, the server hangs up"],
    reason: "The end of a tunnel's far side is passed on to the client as a FIN. Envoy keeps it to itself, and the client waits.",
    call: (outcome) => ({ ...outcome, end: "fin" }),
    log: (line) => line.replace("DC downstream_remote_disconnect", "- via_upstream"),
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
