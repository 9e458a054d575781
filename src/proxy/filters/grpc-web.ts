import { GrpcWebSchema } from "../../proto/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts";
import type { BodyTransform } from "../http/body-transform.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";

const BINARY = /^application\/grpc-web(?=$|[+;])/;
const TEXT = /^application\/grpc-web-text(?=$|[+;])/;
/** The frame that carries trailers in the body (grpc.io's PROTOCOL-WEB). */
const TRAILER_FLAG = 0x80;

/** `envoy.filters.http.grpc_web`: gRPC for browsers, which have no trailers, becomes gRPC and back. */
export const grpcWebFilter: HttpFilterFactory = {
  typeNames: [GrpcWebSchema.typeName],
  routeTypeNames: [],
  create(config) {
    config.read(GrpcWebSchema);
    return { forRoute: () => filter };
  },
};

const filter: HttpFilter = {
  onRequest(stream) {
    const { headers } = stream.request;
    const type = headers.get("content-type") ?? "";
    const text = TEXT.test(type);
    if (!text && !BINARY.test(type)) return "continue";
    (stream.filterState ??= new Map()).set(filter, type);
    headers.set("content-type", type.replace(text ? TEXT : BINARY, "application/grpc"));
    headers.remove("content-length");
    headers.set("te", "trailers");
    headers.set("grpc-accept-encoding", "identity,deflate,gzip");
    stream.grpc = true;
    if (text) stream.requestTransform = base64Decoder();
    return "continue";
  },
  onResponse(stream) {
    const asked = stream.filterState?.get(filter);
    const headers = stream.responseHeaders;
    if (typeof asked !== "string" || !headers) return "continue";
    const text = TEXT.test(asked);
    headers.set("content-type", text ? "application/grpc-web-text+proto" : "application/grpc-web+proto");
    headers.remove("content-length");
    stream.responseTransform = trailersInBody(text);
    return "continue";
  },
};

/** Base64 in groups of four; padding may come inside, where a client has joined messages. */
function base64Decoder(): BodyTransform {
  let rest = "";
  return {
    chunk(bytes) {
      const all = rest + bytes.toString("latin1");
      const whole = all.length - (all.length % 4);
      rest = all.slice(whole);
      const groups = all.slice(0, whole).match(/[^=]+={0,2}/g) ?? [];
      return Buffer.concat(groups.map((group) => Buffer.from(group, "base64")));
    },
    end: () => ({ bytes: Buffer.from(rest, "base64"), trailers: undefined }),
  };
}

function trailersInBody(text: boolean): BodyTransform {
  let rest: Buffer = Buffer.alloc(0);
  const encode = (bytes: Buffer, last: boolean): Buffer => {
    if (!text) return bytes;
    const all = Buffer.concat([rest, bytes]);
    const whole = last ? all.length : all.length - (all.length % 3);
    rest = all.subarray(whole);
    return Buffer.from(all.subarray(0, whole).toString("base64"));
  };
  return {
    chunk: (bytes) => encode(bytes, false),
    end(trailers: HeaderMap | undefined) {
      if (!trailers) return { bytes: encode(Buffer.alloc(0), true), trailers: undefined };
      const lines = Buffer.from([...trailers].map(([name, value]) => `${name}:${value}\r\n`).join(""), "latin1");
      const frame = Buffer.alloc(5 + lines.length);
      frame[0] = TRAILER_FLAG;
      frame.writeUInt32BE(lines.length, 1);
      frame.set(lines, 5);
      return { bytes: encode(frame, true), trailers: undefined };
    },
  };
}
