import {
  CompressorPerRouteSchema,
  CompressorSchema,
  type Compressor as CompressorProto,
  type Compressor_CommonDirectionConfig as Common,
} from "../../../proto/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb.ts";
import type { BodyTransform } from "../../http/body-transform.ts";
import type { HeaderMap } from "../../http/header-map.ts";
import type { HttpStream } from "../../http/http-stream.ts";
import type { StatScope } from "../../telemetry/stat-scope.ts";
import type { HttpFilter, HttpFilterFactory } from "../http-filter.ts";
import { routeConfigOf } from "../typed-config.ts";
import { takes } from "./accept-encoding.ts";
import { compileLibrary, type Compressor, type Library } from "./library.ts";

/** `envoy.filters.http.compressor`: compresses responses for clients that take it, where it is worth it. */
export const compressorFilter: HttpFilterFactory = {
  typeNames: [CompressorSchema.typeName],
  routeTypeNames: [CompressorPerRouteSchema.typeName],
  checkRoute: (config) => void config.read(CompressorPerRouteSchema),
  create(config, context) {
    const proto = config.read(CompressorSchema);
    const library = compileLibrary(proto.compressorLibrary);
    const whole = compile(proto, library, context.stats);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        const override = own.config?.read(CompressorPerRouteSchema).override;
        if (override?.case === "disabled" && override.value) return undefined;
        const response = override?.case === "overrides" ? override.value.responseDirectionConfig : undefined;
        return response ? compile(proto, library, context.stats, { on: true, removesHeader: response.removeAcceptEncodingHeader }) : whole;
      },
    };
  },
};

/** Envoy's defaults. */
const MIN_LENGTH = 30;
const TYPES = ["application/javascript", "application/json", "application/xhtml+xml", "image/svg+xml", "text/css", "text/html", "text/plain", "text/xml"];

function compile(
  proto: CompressorProto,
  library: Library,
  stats: StatScope,
  override?: { readonly on: true; readonly removesHeader: boolean | undefined },
): HttpFilter {
  const direction = proto.responseDirectionConfig;
  const common: Common | undefined = direction?.commonConfig;
  const on = override?.on ?? (common?.enabled ?? proto.runtimeEnabled)?.defaultValue ?? true;
  const minLength = common?.minContentLength ?? proto.contentLength ?? MIN_LENGTH;
  const listed = common && common.contentType.length > 0 ? common.contentType : proto.contentType;
  const types = new Set((listed.length > 0 ? listed : TYPES).map((type) => type.toLowerCase()));
  const sparesEtags = direction?.disableOnEtagHeader ?? proto.disableOnEtagHeader;
  const removesHeader = override?.removesHeader ?? direction?.removeAcceptEncodingHeader ?? proto.removeAcceptEncodingHeader;
  const count = (stat: string) => stats.counter(`compressor.${library.encoding}.${stat}`);
  const compressed = count("compressed");
  const left = count("not_compressed");
  const request = proto.requestDirectionConfig?.commonConfig;
  const compressesRequests = request?.enabled?.defaultValue ?? request !== undefined;
  const requestTypes = new Set((request && request.contentType.length > 0 ? request.contentType : TYPES).map((type) => type.toLowerCase()));
  /** What does not tell its length may be long. */
  const worthIt = (headers: HeaderMap, least: number): boolean => Number(headers.get("content-length") ?? Infinity) >= least;
  const ofType = (headers: HeaderMap, among: ReadonlySet<string>): boolean => {
    const type = headers.get("content-type");
    return type === undefined || type === "" || among.has((type.split(";", 1)[0] as string).trim().toLowerCase());
  };
  const filter: HttpFilter = {
    onRequest(stream) {
      const { headers } = stream.request;
      if (on) (stream.filterState ??= new Map()).set(filter, headers.getJoined("accept-encoding"));
      if (on && removesHeader) headers.remove("accept-encoding");
      if (
        compressesRequests &&
        !stream.requestEnded &&
        stream.request.upgrade === undefined &&
        !headers.has("content-encoding") &&
        ofType(headers, requestTypes) &&
        worthIt(headers, request?.minContentLength ?? MIN_LENGTH)
      ) {
        headers.remove("content-length");
        headers.set("content-encoding", library.encoding);
        stream.requestTransform = after(stream.requestTransform, transform(library.start(), stream));
      }
      return "continue";
    },
    onResponse(stream) {
      const headers = stream.responseHeaders as HeaderMap;
      const accepted = stream.filterState?.get(filter) as string | undefined;
      const possible =
        on &&
        worthIt(headers, minLength) &&
        stream.responseStatus !== 101 &&
        ofType(headers, types) &&
        !/(?:^|,)\s*no-transform\s*(?:,|$)/i.test(headers.getJoined("cache-control") ?? "") &&
        !(sparesEtags && headers.has("etag")) &&
        !headers.has("content-encoding");
      if (possible && !stream.responseHeadOnly && takes(accepted, library.encoding)) {
        // A strong tag is of the plain bytes.
        if (!/^w\//i.test(headers.get("etag") ?? "")) headers.remove("etag");
        headers.remove("content-length");
        headers.set("content-encoding", library.encoding);
        stream.responseTransform = after(stream.responseTransform, transform(library.start(), stream));
        compressed.inc();
      } else left.inc();
      if (possible) vary(headers);
      return "continue";
    },
    onComplete(stream) {
      const open = stream.filterState?.get(OPEN) as Set<Compressor> | undefined;
      for (const compressor of open ?? []) compressor.close();
    },
  };
  return filter;
}

/** Under this key a stream has the compressors of its bodies, which must be closed however it ends. */
const OPEN = Symbol("compressors");

function transform(compressor: Compressor, stream: HttpStream): BodyTransform {
  const state = (stream.filterState ??= new Map());
  const open = (state.get(OPEN) as Set<Compressor> | undefined) ?? new Set<Compressor>();
  state.set(OPEN, open.add(compressor));
  return {
    chunk: (bytes) => compressor.chunk(bytes),
    end: (trailers) => ({ bytes: compressor.end(), trailers }),
  };
}

/** What another filter makes of the body first. */
function after(first: BodyTransform | undefined, second: BodyTransform): BodyTransform {
  if (!first) return second;
  return {
    chunk(bytes) {
      const changed = first.chunk(bytes);
      return changed && second.chunk(changed);
    },
    end(trailers) {
      const last = first.end(trailers);
      if (!last) return undefined;
      const rest = last.bytes.length > 0 ? second.chunk(last.bytes) : last.bytes;
      const end = second.end(last.trailers);
      return rest && end && { bytes: Buffer.concat([rest, end.bytes]), trailers: end.trailers };
    },
  };
}

/** Caches must keep this apart by what a client takes. */
function vary(headers: HeaderMap): void {
  const before = headers.getJoined("vary");
  if (before === undefined) headers.set("vary", "Accept-Encoding");
  else if (!before.split(",").some((each) => each.trim() === "Accept-Encoding")) headers.set("vary", `${before}, Accept-Encoding`);
}
