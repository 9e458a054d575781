/** What Envoy's response flags say. https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage */
export const FLAG_TEXT: Record<string, string> = {
  UF: "the upstream could not be connected to",
  UH: "no healthy upstream",
  UO: "a circuit breaker is open",
  NR: "no route or filter chain fits",
  URX: "the retry limit is reached",
  UC: "the upstream closed the connection",
  DC: "the client closed the connection",
  UT: "the upstream timed out",
  RL: "rate limited",
  FI: "an injected fault",
  DI: "an injected delay",
  UAEX: "refused by an external authorizer",
  NC: "no such cluster",
  DPE: "the client broke the protocol",
  UPE: "the upstream broke the protocol",
  LR: "the connection was reset locally",
  UR: "the upstream reset the request",
  LH: "the local service failed its health check",
  IH: "a header was refused",
  SI: "the stream was idle too long",
  DT: "the request took too long",
  UMSDR: "the upstream's stream ran too long",
  NFCF: "no filter configuration",
};

const REFUSALS: Record<string, string> = {
  filter_chain_not_found: "plaintext refused: the workload accepts mutual TLS only",
  tls_handshake_failed: "the TLS handshake failed",
  peer_certificate_required: "TLS without a client certificate of the mesh",
  peer_not_trusted: "a client certificate that the mesh's root did not sign",
  peer_san_mismatch: "a client certificate of another trust domain",
  rbac_access_denied: "an AuthorizationPolicy does not let this caller in",
  policy_changed: "the connection was open when policy became stricter, and was closed",
};

/** What each refusal of a connection means to the person who sees it. */
export function refusalText(reason: string): string {
  return REFUSALS[reason] ?? reason.replaceAll("_", " ");
}
