import { ID_HEADER, METADATA_HEADER } from "../telemetry/peer-metadata.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";

/**
 * `istio.metadata_exchange` on HTTP: the two sidecars tell each other in headers which workloads they stand for. What
 * comes from the peer is taken off before the application or the client sees it.
 */
export const peerMetadataFilter: HttpFilterFactory = {
  typeNames: ["io.istio.http.peer_metadata.Config"],
  routeTypeNames: [],
  create(config, context) {
    const asks = (field: string): boolean => {
      const list = config.json?.[field];
      return Array.isArray(list) && list.some((each) => typeof each === "object" && each !== null && "istio_headers" in each);
    };
    const { exchange } = context.services;
    const discoverDown = asks("downstream_discovery");
    const propagateDown = asks("downstream_propagation");
    const discoverUp = asks("upstream_discovery");
    const propagateUp = asks("upstream_propagation");
    const filter: HttpFilter = {
      onRequest(stream) {
        const { headers } = stream.request;
        const id = headers.get(ID_HEADER);
        const encoded = headers.get(METADATA_HEADER);
        if (discoverDown) {
          if (encoded !== undefined) stream.downstreamPeer = exchange.read(id, encoded);
          stream.peerAsksId = id !== undefined;
          stream.peerAsksMetadata = encoded !== undefined;
        }
        if (id !== undefined) headers.remove(ID_HEADER);
        if (encoded !== undefined) headers.remove(METADATA_HEADER);
        if (propagateUp) {
          headers.append(ID_HEADER, exchange.ownId);
          headers.append(METADATA_HEADER, exchange.ownHeader);
        }
        return "continue";
      },
      onResponse(stream) {
        const headers = stream.responseHeaders;
        if (!headers) return "continue";
        if (discoverUp) {
          const encoded = headers.get(METADATA_HEADER);
          if (encoded !== undefined) stream.upstreamPeer = exchange.read(headers.get(ID_HEADER), encoded);
          headers.remove(ID_HEADER);
          headers.remove(METADATA_HEADER);
        }
        if (propagateDown) {
          if (stream.peerAsksId) headers.set(ID_HEADER, exchange.ownId);
          if (stream.peerAsksMetadata) headers.set(METADATA_HEADER, exchange.ownHeader);
        }
        return "continue";
      },
    };
    return { forRoute: () => filter };
  },
};
