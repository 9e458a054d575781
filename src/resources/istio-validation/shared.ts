/** Checks that several kinds share: attachment, exportTo, gateways' names, destinations, TLS and connection pools. */
import type { ClientTlsSettings, ConnectionPoolSettings, Destination, PolicyTargetReference, ServerTlsSettings, WorkloadSelector } from "../istio.ts";
import { Findings, quoted } from "./findings.ts";
import { duration, durationNanos, fqdn, isDnsLabel, port, wildcardDomain, workloadSelector } from "./names.ts";

const TARGETS = [
  { group: "core", kind: "Service", text: "core/v1/Service" },
  { group: "networking.istio.io", kind: "ServiceEntry", text: "networking.istio.io/v1/ServiceEntry" },
  { group: "gateway.networking.k8s.io", kind: "Gateway", text: "gateway.networking.k8s.io/v1/Gateway" },
  { group: "gateway.networking.k8s.io", kind: "GatewayClass", text: "gateway.networking.k8s.io/v1/GatewayClass" },
];

interface Attached {
  selector?: WorkloadSelector;
  targetRef?: PolicyTargetReference;
  targetRefs?: PolicyTargetReference[];
}

/** selector, targetRef, targetRefs. */
export function attachment({ selector, targetRef, targetRefs = [] }: Attached): Findings {
  const findings = new Findings();
  const set = [selector !== undefined, targetRef !== undefined, targetRefs.length > 0].filter(Boolean).length;
  if (set > 1) findings.error("only one of targetRefs or workloadSelector can be set");
  findings.add(workloadSelector(selector));
  for (const reference of [...(targetRef ? [targetRef] : []), ...targetRefs]) findings.add(targetReference(reference));
  return findings;
}

function targetReference({ group = "", kind = "", name, namespace }: PolicyTargetReference): Findings {
  const findings = new Findings();
  if (!name) findings.error("targetRef name must be set");
  if (namespace) findings.error("targetRef namespace must not be set; cross namespace referencing is not supported");
  if (!TARGETS.some((target) => target.group === (group || "core") && target.kind === kind)) {
    findings.error(`targetRef must be to one of [${TARGETS.map((target) => target.text).join(" ")}] but was ${group}/${kind}`);
  }
  return findings;
}

/** `.` the own namespace, `*` all, `~` none (ServiceEntries only), or a namespace. */
export function exportTo(namespace: string, targets: string[] | undefined, options: { serviceEntry?: boolean; withSelector?: boolean } = {}): Findings {
  const findings = new Findings();
  if (!targets?.length) return findings;
  const seen = new Set<string>();
  for (const target of targets) {
    const key = target === "." ? namespace : target;
    if (seen.has(key)) {
      findings.error(
        key === target ? `duplicate entries in exportTo for entry ${target}` : `duplicate entries in exportTo: . and current namespace ${namespace}`,
      );
    } else if (target === "~") {
      if (options.serviceEntry) seen.add(key);
      else findings.error("exportTo ~ (none) is not allowed for Istio configuration objects");
    } else if (key !== "*" && !isDnsLabel(key)) findings.error("only .,*, or a valid DNS 1123 label is allowed as exportTo entry");
    else seen.add(key);
  }
  if (options.withSelector && seen.size > 0) {
    if (!seen.has(namespace)) findings.error("destination rule with workload selector cannot have exportTo beyond current namespace");
    else if (seen.size > 1) findings.error("destination rule with workload selector cannot have multiple entries in exportTo");
  }
  if (seen.has("*") && targets.length > 1) findings.error("cannot have both public (*) and non-public exportTo values for a resource");
  if (seen.has("~") && targets.length > 1) findings.error("cannot export service entry to no one (~) and someone");
  return findings;
}

/** `mesh`, `name` or `namespace/name`. */
export function gatewayNames(names: string[] | undefined): Findings {
  const findings = new Findings();
  for (const name of names ?? []) {
    const slash = name.indexOf("/");
    if (slash < 0) {
      const [first, second] = name.split(".");
      if (second !== undefined)
        findings.warn(`using legacy gatewayName format ${quoted(name)}; prefer the <namespace>/<name> format: ${quoted(`${second}/${first}`)}`);
      // Istio looks no further after a name without a namespace.
      return findings.error(fqdn(name));
    }
    const [namespace, gateway] = [name.slice(0, slash), name.slice(slash + 1)];
    if (namespace === "" || gateway === "") findings.error("config namespace and gateway name cannot be empty");
    if (!isDnsLabel(namespace)) findings.error(`invalid value for namespace: ${quoted(namespace)}`);
    if (!isDnsLabel(gateway)) findings.error(`invalid value for gateway name: ${quoted(gateway)}`);
  }
  return findings;
}

export function subsetName(name: string | undefined): string | undefined {
  if (!name) return "subset name cannot be empty";
  return isDnsLabel(name) ? undefined : `subset name is invalid: ${name}`;
}

export function destination(target: Destination | undefined): Findings {
  const findings = new Findings();
  if (!target) return findings;
  const host = target.host ?? "";
  findings.error(host === "*" ? `invalid destination host ${host}` : wildcardDomain(host));
  if (target.subset) findings.error(subsetName(target.subset));
  if (target.port) findings.error(port(target.port.number));
  return findings;
}

/** The names that OpenSSL gives BoringSSL's cipher suites. */
const CIPHER_SUITES = new Set(
  [
    "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA AES256-SHA DES-CBC3-SHA",
  ].flatMap((line) => line.split(" ")),
);

export function serverTls(tls: ServerTlsSettings | undefined): Findings {
  const findings = new Findings();
  if (!tls) return findings;
  if ((tls.minProtocolVersion === "TLSV1_0" || tls.minProtocolVersion === "TLSV1_1") && !tls.cipherSuites?.length) {
    findings.warn("TLS version below TLSV1_2 require setting compatible ciphers as by default they no longer include compatible ciphers.");
  }
  cipherWarnings(tls.cipherSuites ?? [], findings);
  const mode = tls.mode ?? "PASSTHROUGH";
  const { serverCertificate, privateKey, caCertificates, credentialName, caCrl } = tls;
  if (mode === "ISTIO_MUTUAL") {
    const taken: [unknown, string][] = [
      [serverCertificate, "server certificate"],
      [privateKey, "private key"],
      [caCertificates, "CA bundle"],
      [credentialName, "credentialName"],
    ];
    for (const [value, name] of taken) if (value) findings.error(`ISTIO_MUTUAL TLS cannot have associated ${name}`);
    return findings;
  }
  if ((mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH") && (caCrl || serverCertificate || privateKey || caCertificates || credentialName)) {
    findings.warn(`${mode} mode does not use certificates, they will be ignored`);
  }
  const terminates = mode === "SIMPLE" || mode === "MUTUAL" || mode === "OPTIONAL_MUTUAL";
  // Fetched by name, or listed apart: the single fields are not needed then.
  if (terminates && (credentialName || tls.credentialNames?.length || tls.tlsCertificates?.length)) return findings;
  if (terminates) {
    const name = mode === "SIMPLE" ? "SIMPLE" : "MUTUAL";
    if (!serverCertificate) findings.error(`${name} TLS requires a server certificate`);
    if (!privateKey) findings.error(`${name} TLS requires a private key`);
    if (mode !== "SIMPLE" && !caCertificates) findings.error("MUTUAL TLS requires a client CA bundle");
  }
  if (caCrl && credentialName) findings.error("CRL is not supported with credentialName. CRL has to be specified in the credential");
  if (caCrl && mode === "SIMPLE") findings.error("CRL is not supported with SIMPLE TLS");
  return findings;
}

function cipherWarnings(suites: string[], findings: Findings): void {
  const known = (suite: string) => suite === "" || suite === "ALL" || !/^[\p{L}\p{N}]/u.test(suite) || CIPHER_SUITES.has(suite);
  const unknown = [...new Set(suites.filter((suite) => !known(suite)))].sort();
  const twice = [...new Set(suites.filter((suite, index) => known(suite) && suites.indexOf(suite) !== index))].sort();
  if (unknown.length > 0) findings.warn(`ignoring invalid cipher suites: [${unknown.join(" ")}]`);
  if (twice.length > 0) findings.warn(`ignoring duplicate cipher suites: [${twice.join(" ")}]`);
}

export function clientTls(tls: ClientTlsSettings | undefined): Findings {
  const findings = new Findings();
  if (!tls) return findings;
  const { mode = "DISABLE", caCertificates, credentialName, subjectAltNames, clientCertificate, privateKey, caCrl } = tls;
  if (tls.insecureSkipVerify) {
    if (mode === "SIMPLE" && (caCertificates || credentialName || subjectAltNames)) {
      findings.error("cannot specify CaCertificates or CredentialName or SubjectAltNames when InsecureSkipVerify is set true");
    }
    if (mode === "MUTUAL" && (caCertificates || subjectAltNames))
      findings.error("cannot specify CaCertificates or SubjectAltNames when InsecureSkipVerify is set true");
  }
  if ((mode === "SIMPLE" || mode === "MUTUAL") && credentialName) {
    if (clientCertificate || caCertificates || privateKey || caCrl)
      findings.error("cannot specify client certificates or CA certificate or CA CRL If credentialName is set");
    return findings;
  }
  if (mode === "MUTUAL") {
    if (!clientCertificate) findings.error("client certificate required for mutual tls");
    if (!privateKey) findings.error("private key required for mutual tls");
  }
  return findings;
}

export function connectionPool(settings: ConnectionPoolSettings | undefined): Findings {
  const findings = new Findings();
  if (!settings) return findings;
  const { http, tcp } = settings;
  if (!http && !tcp) return findings.error("connection pool must have at least one field");
  const negative = (value: number | undefined, name: string) => (value !== undefined && value < 0 ? `${name} must be non-negative` : undefined);
  if (http) {
    findings.error(
      negative(http.http1MaxPendingRequests, "http1 max pending requests"),
      negative(http.http2MaxRequests, "http2 max requests"),
      negative(http.maxRequestsPerConnection, "max requests per connection"),
      negative(http.maxRetries, "max retries"),
      duration(http.idleTimeout),
    );
    if (http.h2UpgradePolicy === "UPGRADE" && http.useClientProtocol) findings.error("use client protocol must not be true when H2UpgradePolicy is UPGRADE");
    findings.error(negative(http.maxConcurrentStreams, "max concurrent streams"));
    const { http2KeepAlive } = http;
    if (http2KeepAlive) {
      for (const field of ["interval", "timeout"] as const)
        findings.error(http2KeepAlive[field] === undefined ? `http2 keepalive ${field} is required` : duration(http2KeepAlive[field]));
    }
  }
  if (tcp) {
    findings.error(negative(tcp.maxConnections, "max connections"), duration(tcp.connectTimeout), duration(tcp.maxConnectionDuration));
    // No time at all means that there is no limit.
    if (tcp.idleTimeout !== undefined && Math.trunc((durationNanos(tcp.idleTimeout) ?? 0) / 1e6) !== 0) findings.error(duration(tcp.idleTimeout));
    findings.error(duration(tcp.tcpKeepalive?.time), duration(tcp.tcpKeepalive?.interval));
  }
  return findings;
}
