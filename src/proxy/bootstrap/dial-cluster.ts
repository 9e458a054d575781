import type { DataSource } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { Cluster } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { UpstreamTlsContextSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import { readFileSync } from "node:fs";
import { tcpDial, tlsDial, unixDial, type ConnectFd, type Dial } from "../grpc/index.ts";
import { BootstrapError } from "./bootstrap.ts";

/**
 * How to reach the control plane that a bootstrap cluster describes: its first endpoint, over a Unix socket, plaintext or
 * TLS. TLS without roots or without a name to expect is refused, since anybody could answer.
 */
export function dialCluster(cluster: Cluster, connect?: ConnectFd): { dial: Dial; authority: string; scheme: "http" | "https" } {
  const endpoint = cluster.loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier;
  const address = endpoint?.case === "endpoint" ? endpoint.value.address?.address : undefined;
  if (address?.case === "pipe") return { dial: unixDial(address.value.path), authority: cluster.name, scheme: "http" };
  if (address?.case !== "socketAddress" || address.value.portSpecifier.case !== "portValue") {
    throw new BootstrapError(`cluster ${cluster.name} has no endpoint with a socket address or a pipe`);
  }
  const host = address.value.address;
  const port = address.value.portSpecifier.value;
  const authority = `${host}:${port}`;
  const socket = cluster.transportSocket;
  if (!socket) return { dial: tcpDial({ host, port, ...(connect && { connect }) }), authority, scheme: "http" };
  const config = socket.configType;
  const tls = config.case === "typedConfig" ? unpackAny(UpstreamTlsContextSchema, config.value) : undefined;
  if (!tls) throw new BootstrapError(`cluster ${cluster.name} has a transport socket that is not TLS`);
  const common = tls.commonTlsContext;
  const validation = common?.validationContextType;
  const context = validation?.case === "validationContext" ? validation.value : undefined;
  if (!context?.trustedCa) throw new BootstrapError(`cluster ${cluster.name} uses TLS without a trusted_ca: the control plane could not be verified`);
  const trustedCa = context.trustedCa;
  const expected = context.matchTypedSubjectAltNames.map(({ matcher }) => matcher?.matchPattern).find((pattern) => pattern?.case === "exact");
  const serverName = (expected?.case === "exact" ? expected.value : "") || tls.sni;
  if (!serverName) throw new BootstrapError(`cluster ${cluster.name} uses TLS without an sni or an exact subject alternative name to expect`);
  const certificate = common?.tlsCertificates[0];
  return {
    dial: tlsDial({
      host,
      port,
      serverName,
      rootsPem: () => sourceText(trustedCa),
      ...(certificate && {
        identity: () => ({ certificateChainPem: sourceText(certificate.certificateChain), privateKeyPem: sourceText(certificate.privateKey) }),
      }),
      ...(connect && { connect }),
    }),
    authority,
    scheme: "https",
  };
}

function sourceText(source: DataSource | undefined): string {
  const specifier = source?.specifier;
  if (specifier?.case === "filename") return readFileSync(specifier.value, "utf8");
  if (specifier?.case === "inlineString") return specifier.value;
  if (specifier?.case === "inlineBytes") return new TextDecoder().decode(specifier.value);
  throw new BootstrapError("a certificate source is neither a file nor inline");
}
