import { PluginConfigSchema, Reporter } from "../../proto/gen/stats/config_pb.ts";
import type { HttpStream } from "../http/http-stream.ts";
import type { Services } from "../services.ts";
import type { Ends } from "../telemetry/istio-metrics.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { PeerMetadata } from "../telemetry/peer-metadata.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";

/** `istio.stats` on HTTP: counts each request under Istio's labels when it is over. */
export const istioStatsFilter: HttpFilterFactory = {
  typeNames: [PluginConfigSchema.typeName],
  routeTypeNames: [],
  create(config, context) {
    const { disableHostHeaderFallback, reporter } = config.read(PluginConfigSchema);
    const { services, direction } = context;
    const destination = direction === "inbound" || reporter === Reporter.SERVER_GATEWAY;
    const filter: HttpFilter = {
      onComplete(stream: HttpStream) {
        const ends = destination ? inboundEnds(stream, stream.downstreamPeer, services) : outboundEnds(stream, stream.upstreamPeer, services);
        services.istio.request(destination ? "destination" : "source", ends, stream, { grpc: stream.grpc, hostFallback: !disableHostHeaderFallback });
      },
    };
    return { forRoute: () => filter };
  },
};

/** As the server's sidecar sees it: the peer is the source. */
export function inboundEnds(info: StreamInfo, peer: PeerMetadata | undefined, services: Services): Ends {
  const { tls } = info.downstream;
  const sourcePrincipal = tls?.peer?.uriSans[0] ?? "";
  const destinationPrincipal = tls?.localUriSans[0] ?? "";
  return {
    source: peer,
    destination: services.istio.own,
    sourcePrincipal,
    destinationPrincipal,
    security: sourcePrincipal !== "" && destinationPrincipal !== "" ? "mutual_tls" : "none",
  };
}

/** As the client's sidecar sees it: the peer is the destination, known by its answer or by its endpoint's metadata. */
export function outboundEnds(info: StreamInfo, peer: PeerMetadata | undefined, services: Services): Ends {
  return {
    source: services.istio.own,
    destination: peer ?? services.istio.endpoint(info.upstreamHost),
    sourcePrincipal: info.upstreamPeerUri === "" ? "" : info.upstreamLocalUri,
    destinationPrincipal: info.upstreamPeerUri,
    security: "unknown",
  };
}
