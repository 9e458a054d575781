import { FilterConfig_Protocol, FilterConfigSchema } from "../../proto/gen/istio/alpn/config_pb.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";

/**
 * `istio.alpn`: what a request offers by ALPN upstream follows from the HTTP version it is sent with, so that the other
 * sidecar knows HTTP from opaque TCP before it decrypts a byte.
 */
export const alpnFilter: HttpFilterFactory = {
  typeNames: [FilterConfigSchema.typeName],
  routeTypeNames: [],
  create(config) {
    const overrides = new Map(config.read(FilterConfigSchema).alpnOverride.map((each) => [each.upstreamProtocol, each.alpnOverride]));
    const http1 = overrides.get(FilterConfig_Protocol.HTTP11);
    const http2 = overrides.get(FilterConfig_Protocol.HTTP2);
    const filter: HttpFilter = {
      onRequest(stream) {
        const action = stream.route?.action;
        const name = action?.kind === "forward" && typeof action.cluster === "string" ? action.cluster : undefined;
        const cluster = name === undefined ? undefined : stream.config.services.clusters.get(name);
        // Istio's own switch, for clusters whose server must see the cluster's ALPN.
        if (cluster?.metadata["istio"]?.["alpn_override"] === "false") return "continue";
        const version = cluster?.config.http;
        stream.upstreamAlpn = version === "http2" || version === "auto" || (version === "downstream" && stream.protocol === "HTTP/2") ? http2 : http1;
        return "continue";
      },
    };
    return { forRoute: () => filter };
  },
};
