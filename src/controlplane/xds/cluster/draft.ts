import { create, type MessageShape } from "@bufbuild/protobuf";
import { packAny, type Init } from "../../../proto/index.ts";
import { Cluster_DiscoveryType, ClusterSchema, type Cluster_CustomClusterTypeSchema } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { Http1ProtocolOptionsSchema, Http2ProtocolOptionsSchema, type Http1ProtocolOptions } from "../../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import {
  HttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptions_UseDownstreamHttpConfigSchema,
  HttpProtocolOptionsSchema,
  type HttpProtocolOptions,
} from "../../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import { PreserveCaseFormatterConfigSchema } from "../../../proto/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts";

export type Cluster = MessageShape<typeof ClusterSchema>;
export type DiscoveryType = keyof typeof Cluster_DiscoveryType;

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** A cluster while it is put together: its HTTP options are packed when it is finished. */
export class ClusterDraft {
  readonly init: Cluster;
  #options: HttpProtocolOptions | undefined;

  constructor(name: string, type: DiscoveryType | Init<typeof Cluster_CustomClusterTypeSchema>) {
    this.init = create(ClusterSchema, {
      name,
      altStatName: `${name};`,
      clusterDiscoveryType: typeof type === "string" ? { case: "type", value: Cluster_DiscoveryType[type] } : { case: "clusterType", value: type },
    });
  }

  /** Whether hosts are looked up by the name that each request says. */
  get byName(): boolean {
    return this.init.clusterDiscoveryType.case === "clusterType";
  }

  get type(): DiscoveryType {
    const { clusterDiscoveryType } = this.init;
    return clusterDiscoveryType.case === "type" ? (Cluster_DiscoveryType[clusterDiscoveryType.value] as DiscoveryType) : "STATIC";
  }

  set type(type: DiscoveryType) {
    this.init.clusterDiscoveryType = { case: "type", value: Cluster_DiscoveryType[type] };
  }

  get httpOptions(): HttpProtocolOptions {
    this.#options ??= create(HttpProtocolOptionsSchema);
    return this.#options;
  }

  get isHttp2(): boolean {
    const protocol = this.#options?.upstreamProtocolOptions;
    return protocol?.case === "explicitHttpConfig" && protocol.value.protocolConfig.case === "http2ProtocolOptions";
  }

  setHttp2(): void {
    if (this.httpOptions.upstreamProtocolOptions.case) return;
    this.httpOptions.upstreamProtocolOptions = {
      case: "explicitHttpConfig",
      value: create(HttpProtocolOptions_ExplicitHttpConfigSchema, { protocolConfig: { case: "http2ProtocolOptions", value: {} } }),
    };
  }

  setHttp1(options: Http1ProtocolOptions): void {
    this.httpOptions.upstreamProtocolOptions = {
      case: "explicitHttpConfig",
      value: create(HttpProtocolOptions_ExplicitHttpConfigSchema, { protocolConfig: { case: "httpProtocolOptions", value: options } }),
    };
  }

  /** The upstream connection speaks what the client speaks. */
  useDownstreamProtocol(): void {
    const current = this.httpOptions.upstreamProtocolOptions;
    const explicit = current.case === "explicitHttpConfig" ? current.value.protocolConfig : undefined;
    const httpProtocolOptions = explicit?.case === "httpProtocolOptions" ? explicit.value : create(Http1ProtocolOptionsSchema);
    this.httpOptions.upstreamProtocolOptions = {
      case: "useDownstreamProtocolConfig",
      value: create(HttpProtocolOptions_UseDownstreamHttpConfigSchema, { httpProtocolOptions, http2ProtocolOptions: create(Http2ProtocolOptionsSchema) }),
    };
  }

  finish(): Cluster {
    if (this.#options) {
      if (!this.#options.upstreamProtocolOptions.case) this.setHttp1(create(Http1ProtocolOptionsSchema));
      this.init.typedExtensionProtocolOptions = { [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, this.#options) };
    }
    return this.init;
  }
}

/** HTTP/1 with the letters of header names as the peer wrote them. */
export function preserveCaseOptions(): Http1ProtocolOptions {
  return create(Http1ProtocolOptionsSchema, {
    headerKeyFormat: {
      headerFormat: { case: "statefulFormatter", value: { name: "preserve_case", typedConfig: packAny(PreserveCaseFormatterConfigSchema, {}) } },
    },
  });
}
