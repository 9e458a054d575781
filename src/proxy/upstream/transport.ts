import { create } from "@bufbuild/protobuf";
import type { Cluster_TransportSocketMatch } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { TransportSocket } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { ProxyProtocolConfig_Version } from "../../proto/gen/envoy/config/core/v3/proxy_protocol_pb.ts";
import { ProxyProtocolUpstreamTransportSchema } from "../../proto/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import { RawBufferSchema } from "../../proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
import { CommonTlsContextSchema, UpstreamTlsContextSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import type { Services } from "../services.ts";
import { TlsContext } from "../tls/contexts.ts";
import type { FilterMetadata } from "../telemetry/stream-info.ts";
import { readConfig } from "../constraints/index.ts";
import { InvalidResource } from "../types.ts";

/** How bytes reach a host: as they are, or inside TLS. */
export type UpstreamTransport = RawTransport | TlsTransport;

export interface RawTransport {
  readonly kind: "raw";
  readonly name: string;
  /** Each connection begins with a PROXY header of this version: it belongs to one client. */
  readonly proxyHeader?: 1 | 2;
}

export interface TlsTransport {
  readonly kind: "tls";
  readonly name: string;
  readonly context: TlsContext;
  readonly sni: string;
  readonly proxyHeader?: 1 | 2;
}

export const RAW: RawTransport = { kind: "raw", name: "raw_buffer" };

/** Where an endpoint's metadata say which transport it wants. */
export const TRANSPORT_MATCH = "envoy.transport_socket_match";

/** A cluster's transport sockets: the first whose match fits an endpoint's metadata, else the cluster's own. */
export class TransportSockets {
  readonly secretNames: readonly string[];
  readonly #fallback: UpstreamTransport;
  readonly #matches: readonly { readonly criteria: readonly (readonly [string, unknown])[]; readonly transport: UpstreamTransport }[];

  /** Throws InvalidResource. */
  constructor(socket: TransportSocket | undefined, matches: readonly Cluster_TransportSocketMatch[], services: Services) {
    this.#fallback = compileTransport(socket, "default", services);
    this.#matches = matches.map((match) => ({
      criteria: Object.entries(match.match ?? {}),
      transport: compileTransport(match.transportSocket, match.name, services),
    }));
    this.secretNames = this.all().flatMap((transport) => (transport.kind === "tls" ? transport.context.secretNames : []));
  }

  for(metadata: FilterMetadata): UpstreamTransport {
    if (this.#matches.length === 0) return this.#fallback;
    const values = metadata[TRANSPORT_MATCH];
    for (const { criteria, transport } of this.#matches) {
      if (criteria.every(([key, value]) => values !== undefined && values[key] === value)) return transport;
    }
    return this.#fallback;
  }

  all(): UpstreamTransport[] {
    return [this.#fallback, ...this.#matches.map((match) => match.transport)];
  }

  dispose(): void {
    for (const transport of this.all()) if (transport.kind === "tls") transport.context.dispose();
  }
}

function compileTransport(socket: TransportSocket | undefined, name: string, services: Services): UpstreamTransport {
  if (!socket) return RAW;
  const config = socket.configType.case === "typedConfig" ? socket.configType.value : undefined;
  switch (config?.typeUrl) {
    case `type.googleapis.com/${UpstreamTlsContextSchema.typeName}`: {
      const context = readConfig(UpstreamTlsContextSchema, config.value);
      if (context.sni.length > 255) throw new InvalidResource("INVALID_TLS", "UpstreamTlsContextValidationError.Sni: value length must be at most 255 bytes");
      return {
        kind: "tls",
        name,
        sni: context.sni,
        context: new TlsContext(context.commonTlsContext ?? create(CommonTlsContextSchema), { role: "client", requireClientCertificate: false }, services),
      };
    }
    case `type.googleapis.com/${RawBufferSchema.typeName}`:
      return { kind: "raw", name };
  }
  const proxied = unpackAny(ProxyProtocolUpstreamTransportSchema, config);
  if (proxied)
    return { ...compileTransport(proxied.transportSocket, name, services), proxyHeader: proxied.config?.version === ProxyProtocolConfig_Version.V2 ? 2 : 1 };
  if (!config && socket.name === "envoy.transport_sockets.raw_buffer") return { kind: "raw", name };
  throw new InvalidResource(
    "UNKNOWN_TRANSPORT_SOCKET",
    `Didn't find a registered implementation for '${socket.name}' with type URL: '${config?.typeUrl ?? ""}'`,
  );
}
