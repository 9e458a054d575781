import { GrpcWebSchema } from "../../proto/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts";
import type { BodyTransform } from "../http/body-transform.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { httpToGrpcStatus, percentEncode } from "../http/local-reply.ts";
import { isGrpcType } from "../router/route-match.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";

const BINARY = ["application/grpc-web", "application/grpc-web+proto"];
const TEXT = ["application/grpc-web-text", "application/grpc-web-text+proto"];
/** The frame that carries trailers in the body (grpc.io's PROTOCOL-WEB). */
const TRAILER_FLAG = 0x80;
const FRAME_HEADER = 5;
/** As Envoy: so much of a body that is no gRPC becomes the message of the error. */
const MAX_MESSAGE = 16 * 1024;

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
    const text = TEXT.includes(type);
    if (!text && !BINARY.includes(type)) return "continue";
    (stream.filterState ??= new Map()).set(filter, TEXT.includes(headers.get("accept") ?? ""));
    headers.set("content-type", "application/grpc");
    headers.remove("content-length");
    headers.set("te", "trailers");
    headers.set("grpc-accept-encoding", "identity");
    if (text) stream.requestTransform = base64Decoder(stream);
    return "continue";
  },
  onResponse(stream) {
    const text = stream.filterState?.get(filter);
    const headers = stream.responseHeaders;
    if (typeof text !== "boolean" || !headers) return "continue";
    const type = headers.get("content-type") ?? "";
    headers.set("content-type", text ? "application/grpc-web-text+proto" : "application/grpc-web+proto");
    if (stream.responseHeadOnly) return "continue";
    headers.remove("content-length");
    if ((stream.responseStatus === 200 && isGrpcType(type)) || BINARY.includes(type)) {
      stream.responseTransform = text ? textFrames() : trailersInBody((bytes) => bytes);
      return "continue";
    }
    // What is no gRPC, a web page about an error for instance, becomes the message of a gRPC error.
    stream.bufferResponse(MAX_MESSAGE, (body) => {
      headers.set("grpc-message", percentEncode(body.toString("latin1")));
      headers.set("grpc-status", String(stream.responseStatus === 200 ? 2 : httpToGrpcStatus(stream.responseStatus)));
      headers.set("content-length", "0");
      stream.responseTransform = { chunk: () => undefined, end: () => ({ bytes: Buffer.alloc(0), trailers: undefined }) };
      stream.continueResponse();
    });
    return "stop";
  },
};

/** Base64 in groups of four characters, padding only at the end of what came together. */
function base64Decoder(stream: HttpStream): BodyTransform {
  let rest = "";
  const refuse = (details: string): undefined => {
    stream.localReply({ status: 400, body: "Bad gRPC-web request, invalid base64 data.", details });
  };
  return {
    chunk(bytes) {
      const all = rest + bytes.toString("latin1");
      const whole = all.slice(0, all.length - (all.length % 4));
      rest = all.slice(whole.length);
      const decoded = Buffer.from(whole, "base64");
      return decoded.toString("base64") === whole ? decoded : refuse("grpc_base_64_decode_failed");
    },
    end: () => (rest === "" ? { bytes: Buffer.alloc(0), trailers: undefined } : refuse("grpc_base_64_decode_failed_bad_size")),
  };
}

/** The trailers come as the last frame of the body. */
function trailersInBody(encode: (bytes: Buffer) => Buffer): BodyTransform {
  return {
    chunk: encode,
    end(trailers: HeaderMap | undefined) {
      if (!trailers) return { bytes: Buffer.alloc(0), trailers: undefined };
      const lines = Buffer.from([...trailers].map(([name, value]) => `${name}:${value}\r\n`).join(""), "latin1");
      const frame = Buffer.alloc(FRAME_HEADER + lines.length);
      frame[0] = TRAILER_FLAG;
      frame.writeUInt32BE(lines.length, 1);
      frame.set(lines, FRAME_HEADER);
      return { bytes: encode(frame), trailers: undefined };
    },
  };
}

/** Each frame in base64 of its own, so that a client can read a message as soon as it is there. */
function textFrames(): BodyTransform {
  const header = Buffer.alloc(FRAME_HEADER);
  let headerRead = 0;
  let left = 0;
  let rest: Buffer = Buffer.alloc(0);
  const encode = (bytes: Buffer, last: boolean): string => {
    const all = Buffer.concat([rest, bytes]);
    const whole = last ? all.length : all.length - (all.length % 3);
    rest = all.subarray(whole);
    return all.toString("base64", 0, whole);
  };
  return trailersInBody((bytes) => {
    let text = "";
    let at = 0;
    while (at < bytes.length) {
      const start = at;
      if (headerRead < FRAME_HEADER) {
        at += bytes.copy(header, headerRead, at);
        headerRead += at - start;
        left = headerRead === FRAME_HEADER ? header.readUInt32BE(1) : -1;
      } else {
        at += Math.min(left, bytes.length - at);
        left -= at - start;
      }
      text += encode(bytes.subarray(start, at), left === 0);
      if (left === 0) headerRead = 0;
    }
    return Buffer.from(text);
  });
}
