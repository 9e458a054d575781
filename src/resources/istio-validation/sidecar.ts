import type { SidecarPort, SidecarSpec } from "../istio.ts";
import { Findings } from "./findings.ts";
import { fqdn, ipAddress, isHttpProtocol, isTlsProtocol, namespacedHost, networkingSelector, port, portName, protocol, unixAddress } from "./names.ts";
import { connectionPool, destination, serverTls } from "./shared.ts";

const UNIX = "unix://";

export function validateSidecar(spec: SidecarSpec, namespace: string): Findings {
  const findings = new Findings();
  const selector = networkingSelector(spec.workloadSelector);
  if (selector.errors.text !== undefined) return selector.errors;
  if (selector.empty) findings.warn("sidecar: workload selector specified without labels, will be applied to all services in namespace");
  if (!spec.egress?.length && !spec.ingress?.length && !spec.outboundTrafficPolicy && !spec.inboundConnectionPool) {
    return new Findings().error("sidecar: empty configuration provided");
  }
  findings.add(ingress(spec), connectionPool(spec.inboundConnectionPool), egress(spec, namespace));
  return findings.add(outbound(spec.outboundTrafficPolicy));
}

function ingress({ ingress: listeners = [] }: SidecarSpec): Findings {
  const findings = new Findings();
  const ports = new Set<number>();
  for (const listener of listeners) {
    if (!listener.port) {
      findings.error("sidecar: port is required for ingress listeners");
      continue;
    }
    if (listener.port.targetPort) findings.error("targetPort has no impact on Sidecars");
    findings.add(ipListener(listener.port, listener.bind ?? ""));
    const number = listener.port.number ?? 0;
    if (ports.has(number)) findings.error("sidecar: ports on IP bound listeners must be unique");
    ports.add(number);
    if (listener.defaultEndpoint) findings.add(defaultEndpoint(listener.defaultEndpoint));
    const { tls } = listener;
    if (tls) {
      if (tls.subjectAltNames?.length) findings.error("sidecar: subjectAltNames is not supported in ingress tls");
      if (tls.httpsRedirect) findings.error("sidecar: httpsRedirect is not supported");
      if (tls.credentialName) findings.error("sidecar: credentialName is not currently supported");
      if (tls.credentialNames?.length) findings.error("sidecar: credentialNames is not currently supported");
      if (tls.tlsCertificates?.length) findings.error("sidecar: tls_certificates is not currently supported");
      if (tls.mode === "ISTIO_MUTUAL" || tls.mode === "AUTO_PASSTHROUGH")
        findings.error(`configuration is invalid: cannot set mode to ${tls.mode} in sidecar ingress tls`);
      if (!isTlsProtocol(listener.port.protocol ?? "")) findings.error("server cannot have TLS settings for non HTTPS/TLS ports");
      findings.add(serverTls(tls));
    }
    findings.add(connectionPool(listener.connectionPool));
    if (listener.connectionPool?.http && !isHttpProtocol(listener.port.protocol ?? "")) {
      findings.warn(
        `sidecar: HTTP connection pool settings are configured for port ${number} (${JSON.stringify(listener.port.name ?? "")}) but its protocol is not HTTP (${listener.port.protocol ?? ""}); only TCP settings will apply`,
      );
    }
  }
  return findings;
}

function egress({ egress: listeners = [] }: SidecarSpec, namespace: string): Findings {
  const findings = new Findings();
  const ports = new Set<number>();
  const sockets = new Set<string>();
  let catchAll = false;
  for (const [index, listener] of listeners.entries()) {
    const { port: own, bind = "", captureMode = "DEFAULT" } = listener;
    if (!own) {
      if (catchAll) {
        findings.error("sidecar: egress can have only one listener with empty port");
        continue;
      }
      if (index === listeners.length - 1) catchAll = true;
      else findings.error("sidecar: the egress listener with empty port should be the last listener in the list");
    } else {
      if (own.targetPort) findings.error("targetPort has no impact on Sidecars");
      const number = own.number ?? 0;
      if (number !== 0) {
        findings.add(ipListener(own, bind));
        if (ports.has(number)) findings.error("sidecar: ports on IP bound listeners must be unique");
        ports.add(number);
      } else {
        findings.add(socketListener(own, bind, captureMode));
        if (sockets.has(bind)) findings.error("sidecar: unix domain socket values for listeners must be unique");
        sockets.add(bind);
      }
    }
    if (!listener.hosts?.length) findings.error("sidecar: egress listener must contain at least one host");
    else findings.add(egressHosts(listener.hosts, namespace));
  }
  return findings;
}

function egressHosts(hosts: string[], namespace: string): Findings {
  const findings = new Findings();
  const seen = new Map<string, Set<string>>();
  for (const host of hosts) {
    const slash = host.indexOf("/");
    if (slash >= 0 && !host.startsWith("~")) {
      const [space, service] = [host.slice(0, slash) === "." ? namespace : host.slice(0, slash), host.slice(slash + 1)];
      const services = seen.get(space) ?? new Set();
      seen.set(space, services);
      if (service === "*" ? services.size > 0 : services.has(service) || services.has("*")) findings.warn(`duplicated egress host: ${host}`);
      services.add(service);
    }
    findings.add(namespacedHost(host, false));
  }
  if (seen.get("*")?.has("*") && seen.size !== 1) findings.warn("`*/*` host select all resources, no other hosts can be added");
  return findings;
}

function ipListener(own: SidecarPort, bind: string): Findings {
  const findings = new Findings();
  if (own.name) findings.error(portName(own.name));
  findings.error(protocol(own.protocol), port(own.number));
  return bind === "" ? findings : findings.error(ipAddress(bind));
}

function socketListener(own: SidecarPort, bind: string, captureMode: string): Findings {
  const findings = new Findings();
  if (own.name) findings.error(portName(own.name));
  findings.error(protocol(own.protocol));
  findings.error(bind.startsWith(UNIX) ? unixAddress(bind.slice(UNIX.length)) : "sidecar: ports with 0 value must have a unix domain socket bind address");
  if (captureMode !== "DEFAULT" && captureMode !== "NONE") findings.error("sidecar: captureMode must be DEFAULT/NONE for unix domain socket listeners");
  return findings;
}

const ENDPOINT_HOSTS = ["", "127.0.0.1", "0.0.0.0", "::1", "::"];

function defaultEndpoint(endpoint: string): Findings {
  const findings = new Findings();
  if (endpoint.startsWith(UNIX)) return findings.error(unixAddress(endpoint.slice(UNIX.length)));
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(endpoint);
  if (!parts) findings.error(`address ${endpoint}: ${endpoint.includes(":") ? "too many colons in address" : "missing port in address"}`);
  const host = parts?.[1] ?? parts?.[2] ?? "";
  const number = parts?.[3] ?? "";
  if (!ENDPOINT_HOSTS.includes(host)) {
    findings.error("sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,unix://filepath or unset");
  }
  if (!/^[+-]?\d+$/.test(number))
    return findings.error(`sidecar: defaultEndpoint port (${number}) is not a number: strconv.Atoi: parsing ${JSON.stringify(number)}: invalid syntax`);
  return findings.error(port(Number(number)));
}

function outbound(policy: SidecarSpec["outboundTrafficPolicy"]): Findings {
  const findings = new Findings();
  const proxy = policy?.egressProxy;
  if (!proxy) return findings;
  if (policy.mode !== "ALLOW_ANY") return findings.error("sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode");
  findings.error(fqdn(proxy.host ?? ""));
  if (!proxy.port) return findings.error("sidecar: egress_proxy port must be non-nil");
  return findings.add(destination(proxy));
}
