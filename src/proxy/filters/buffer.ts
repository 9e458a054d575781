import { BufferPerRouteSchema, BufferSchema, type Buffer as BufferProto } from "../../proto/gen/envoy/extensions/filters/http/buffer/v3/buffer_pb.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf } from "./typed-config.ts";

/** `envoy.filters.http.buffer`: a request goes on only when it is whole, with its length; 413 for one that is too large. */
export const bufferFilter: HttpFilterFactory = {
  typeNames: [BufferSchema.typeName],
  routeTypeNames: [BufferPerRouteSchema.typeName],
  checkRoute(config) {
    const { override } = config.read(BufferPerRouteSchema);
    if (override.case === "buffer") compile(override.value);
  },
  create(config, context) {
    const whole = compile(config.read(BufferSchema));
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        const override = own.config?.read(BufferPerRouteSchema).override;
        if (override?.case === "disabled") return override.value ? undefined : whole;
        return override?.case === "buffer" ? compile(override.value) : whole;
      },
    };
  },
};

function compile({ maxRequestBytes }: BufferProto): HttpFilter {
  if (maxRequestBytes === undefined || maxRequestBytes === 0) {
    throw new InvalidResource(
      "INVALID_BUFFER",
      `BufferValidationError.MaxRequestBytes: ${maxRequestBytes === undefined ? "value is required and must not be nil." : "value must be greater than 0"}`,
    );
  }
  const filter: HttpFilter = {
    onRequest(stream) {
      if (stream.requestEnded || stream.request.upgrade !== undefined) return "continue";
      // One byte more tells a body that is too large from one that just fits.
      stream.bufferBody(maxRequestBytes + 1, (bytes, whole) => {
        if (!whole || bytes.length > maxRequestBytes) {
          stream.localReply({ status: 413, body: "Payload Too Large", details: "request_payload_too_large" });
          return;
        }
        if (!stream.request.headers.has("content-length")) stream.request.headers.set("content-length", String(bytes.length));
        stream.proceed(filter);
      });
      return stream.decided(filter) ? "continue" : "stop";
    },
  };
  return filter;
}
