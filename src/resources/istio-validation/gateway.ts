import type { GatewaySpec, Port, Server } from "../istio.ts";
import { Findings, quoted } from "./findings.ts";
import { ipAddress, isDnsLabel, isHttpProtocol, isKnownProtocol, isTlsProtocol, namespacedHost, port, unixAddress } from "./names.ts";
import { serverTls } from "./shared.ts";

const UNIX = "unix://";

export function validateGateway(spec: GatewaySpec, name: string): Findings {
  const findings = new Findings();
  if (!isDnsLabel(name)) findings.error(`invalid gateway name: ${quoted(name)}`);
  const servers = spec.servers ?? [];
  if (servers.length === 0) findings.error("gateway must have at least one server");
  for (const server of servers) findings.add(validateServer(server));
  const names = new Set<string>();
  for (const server of servers) {
    if (!server.port) continue;
    const { name: portName = "" } = server.port as Partial<Port>;
    if (names.has(portName)) findings.error(`port names in servers must be unique: duplicate name ${portName}`);
    names.add(portName);
    if (server.tls?.httpsRedirect && !isHttpProtocol(server.port.protocol ?? "")) findings.warn("tls.httpsRedirect should only be used with http servers");
  }
  return findings;
}

function validateServer(server: Server): Findings {
  const findings = new Findings();
  if (!server.hosts?.length) findings.error("server config must contain at least one host");
  for (const host of server.hosts ?? []) findings.add(namespacedHost(host, true));
  const badPort = serverPort(server.port, server.bind ?? "");
  findings.add(badPort, serverBind(server.port, server.bind ?? ""), serverTls(server.tls));
  if (badPort.text !== undefined) return findings;
  const protocol = server.port.protocol ?? "";
  if (isTlsProtocol(protocol)) {
    if (!server.tls) findings.error("server must have TLS settings for HTTPS/TLS protocols");
  } else if (server.tls) {
    if (!isHttpProtocol(protocol)) findings.error("server cannot have TLS settings for non HTTPS/TLS ports");
    else {
      // A plain-text server may only say that it redirects.
      const { mode = "PASSTHROUGH", caCertificates, privateKey, serverCertificate } = server.tls;
      if ((mode !== "PASSTHROUGH" && mode !== "AUTO_PASSTHROUGH") || caCertificates || privateKey || serverCertificate) {
        findings.error("server cannot have TLS settings for plain text HTTP ports");
      }
    }
  }
  return findings;
}

function serverPort(value: Port | undefined, bind: string): Findings {
  const findings = new Findings();
  if (!value) return findings.error("port is required");
  if (!isKnownProtocol(value.protocol ?? "")) {
    findings.error(`invalid protocol ${quoted(value.protocol ?? "")}, supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP`);
  }
  if (value.number > 0 || !bind.startsWith(UNIX)) findings.error(port(value.number));
  if (value.targetPort) findings.error("targetPort has no impact on Gateways");
  if (!value.name) findings.error(`port name must be set: ${protoText(value)}`);
  return findings;
}

function serverBind(value: Port | undefined, bind: string): Findings {
  const findings = new Findings();
  if (!bind.startsWith(UNIX)) return bind === "" ? findings : findings.error(ipAddress(bind));
  findings.error(unixAddress(bind.slice(UNIX.length)));
  if (value && value.number !== 0) findings.error(`port number must be 0 for unix domain socket: ${protoText(value)}`);
  return findings;
}

/** The text form of a protobuf message. */
function protoText({ number, protocol, name }: Port): string {
  return [number ? `number:${number}` : "", protocol ? `protocol:${quoted(protocol)}` : "", name ? `name:${quoted(name)}` : ""]
    .filter((part) => part !== "")
    .join("  ");
}
