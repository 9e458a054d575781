import type { AccessLog, AddressBook } from "./access-log.ts";
import { FLAG_TEXT } from "./flags.ts";

/** What an access-log line means. */
export interface Explanation {
  verdict: "ok" | "client-error" | "server-error" | "refused";
  direction: "inbound" | "outbound";
  /** One sentence. */
  summary: string;
  /** Who called, when it is known. */
  from?: string;
  to?: string;
  /** Over mutual TLS, in plain text, or not to be told from this line. */
  transport: "mtls" | "plaintext" | "unknown";
  /** Why it went wrong and what decided it. */
  reasons: string[];
}

/** Puts a line into words: who called whom, over what, how it ended and why. Pure. */
export function explain(log: AccessLog, addresses: AddressBook): Explanation {
  const inbound = log.upstream_cluster?.startsWith("inbound|") === true || log.upstream_cluster === "InboundPassthroughCluster" || isInboundRefusal(log);
  const name = (address: string | undefined) => address && nameOf(address, addresses);
  const from = inbound ? name(log.downstream_remote) : undefined;
  const to = inbound ? undefined : (serviceOf(log) ?? name(log.upstream_service));
  // Sidecars name the service in the handshake; a plain connection has no server name.
  const transport = !inbound
    ? "unknown"
    : log.requested_server?.startsWith("outbound_.")
      ? "mtls"
      : log.requested_server === undefined
        ? "plaintext"
        : "unknown";
  const verdict = verdictOf(log);
  const request = log.method ? `${log.method} ${log.uri_path ?? ""}`.trim() : "a connection";
  const parts = [
    request,
    from && `from ${from}`,
    to && `to ${to}`,
    verdict === "refused"
      ? "was refused"
      : log.method
        ? log.status_code && log.status_code !== "0"
          ? `answered ${log.status_code}`
          : "got no answer"
        : verdict === "ok"
          ? "carried data"
          : "failed",
    log.duration && verdict !== "refused" && `in ${log.duration} ms`,
    inbound && transport !== "unknown" && verdict !== "refused" && (transport === "mtls" ? "over mutual TLS" : "in plaintext"),
  ];
  return {
    verdict,
    direction: inbound ? "inbound" : "outbound",
    summary: parts.filter(Boolean).join(" "),
    ...(from && { from }),
    ...(to && { to }),
    transport,
    reasons: reasonsOf(log),
  };
}

function isInboundRefusal(log: AccessLog): boolean {
  return (
    log.response_code_details === "filter_chain_not_found" ||
    log.response_code_details?.startsWith("rbac_access_denied") === true ||
    log.response_code_details?.startsWith("jwt_authn_access_denied") === true
  );
}

function verdictOf(log: AccessLog): Explanation["verdict"] {
  if (isInboundRefusal(log) || log.response_flags?.split(",").includes("UAEX")) return "refused";
  const code = Number(log.status_code ?? 0);
  if (code >= 500 || (log.method && code === 0)) return "server-error";
  if (code >= 400) return "client-error";
  return !log.method && log.response_flags && log.response_flags !== "DC" ? "server-error" : "ok";
}

function reasonsOf(log: AccessLog): string[] {
  const reasons: string[] = [];
  const details = log.response_code_details;
  if (details === "filter_chain_not_found") {
    reasons.push(
      "The proxy has no filter chain for this connection: the workload accepts mutual TLS only (PeerAuthentication STRICT) and this was plaintext, or TLS that is not the mesh's.",
    );
  }
  const policy = details && /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
  if (policy) reasons.push(policyText(policy));
  if (details && /^AuthzDenied|^rbac_access_denied$/.test(details)) reasons.push("An AuthorizationPolicy refused it.");
  if (details === "jwt_authn_access_denied" || details?.startsWith("jwt_authn_access_denied"))
    reasons.push(
      `RequestAuthentication refused the token: ${details.replace(/^jwt_authn_access_denied\{?|\}$/g, "").replaceAll("_", " ") || "it is not valid"}.`,
    );
  if (details === "direct_response") reasons.push("The proxy answered by itself: a route says so.");
  if (details === "route_not_found") reasons.push("No route of this listener fits the host and path: look at VirtualServices and at the Host header.");
  if (details === "cluster_not_found")
    reasons.push("The route points to a cluster that is not there: a VirtualService or DestinationRule names a host or subset that does not exist.");
  if (details === "no_healthy_upstream") reasons.push("No pod behind the service is ready.");
  if (log.upstream_failure_reason) reasons.push(`The TLS or transport layer said: ${log.upstream_failure_reason}`);
  for (const flag of log.response_flags?.split(",") ?? [])
    if (FLAG_TEXT[flag] && details !== "filter_chain_not_found") reasons.push(`${flag}: ${FLAG_TEXT[flag]}.`);
  return reasons;
}

/** Istio names a rule `ns[foo]-policy[bar]-rule[0]`; `none` where an ALLOW policy is in force and no rule fits. */
function policyText(policy: string): string {
  if (policy === "none") return "AuthorizationPolicies with action ALLOW are in force for this workload and none of their rules fits this request.";
  const match = /^ns\[(.*?)\]-policy\[(.*?)\]-rule\[(\d+)\]$/.exec(policy);
  return match ? `Rule ${Number(match[3]) + 1} of AuthorizationPolicy ${match[1]}/${match[2]} denied it.` : `The policy ${policy} denied it.`;
}

function serviceOf(log: AccessLog): string | undefined {
  const host = log.upstream_cluster && /^outbound\|\d+\|[^|]*\|(.+)$/.exec(log.upstream_cluster)?.[1];
  return host ? host.replace(/\.svc\.cluster\.local$/, "") : log.upstream_cluster === "PassthroughCluster" ? log.authority : undefined;
}

function nameOf(address: string, addresses: AddressBook): string {
  const ip = address.replace(/:\d+$/, "");
  const workload = addresses.workloadByIp(ip);
  return workload ? `${workload.workload}.${workload.namespace}` : ip;
}
