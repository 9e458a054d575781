import type { Any } from "@bufbuild/protobuf/wkt";
import { GRPC_CODES, packAny, type Init } from "../../../proto/index.ts";
import { CorsPolicySchema } from "../../../proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts";
import { HTTPFaultSchema, type FaultAbortSchema } from "../../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts";
import type { FaultDelaySchema } from "../../../proto/gen/envoy/extensions/filters/common/fault/v3/fault_pb.ts";
import { FractionalPercent_DenominatorType, type FractionalPercentSchema } from "../../../proto/gen/envoy/type/v3/percent_pb.ts";
import type { CorsPolicy, HttpFaultInjection, Percent } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import { CORS, FAULT } from "../filters.ts";
import { stringMatcher } from "./match.ts";

type Fraction = Init<typeof FractionalPercentSchema>;

/** Envoy's finest fraction: a percent has ten thousand of them. */
const PARTS_PER_PERCENT = 10_000;

/** Settings of filters that hold for one route only. */
export function filterSettings(fault: HttpFaultInjection | undefined, cors: CorsPolicy | undefined): Record<string, Any> {
  const settings: Record<string, Any> = {};
  if (fault) settings[FAULT.name] = packAny(HTTPFaultSchema, faultOf(fault));
  if (cors) settings[CORS.name] = packAny(CorsPolicySchema, corsOf(cors));
  return settings;
}

export function fraction(percent: Percent): Fraction {
  return { numerator: Math.trunc((percent.value ?? 0) * PARTS_PER_PERCENT), denominator: FractionalPercent_DenominatorType.MILLION };
}

export function wholePercent(percent: number): Fraction {
  return { numerator: percent, denominator: FractionalPercent_DenominatorType.HUNDRED };
}

function faultOf({ delay, abort }: HttpFaultInjection): Init<typeof HTTPFaultSchema> {
  return { ...(delay && { ...delayOf(delay) }), ...(abort && { ...abortOf(abort) }) };
}

function delayOf(delay: NonNullable<HttpFaultInjection["delay"]>): { delay?: Init<typeof FaultDelaySchema> } {
  const fixed = parseDuration(delay.fixedDelay);
  if (!fixed) return {};
  return {
    delay: {
      percentage: delay.percentage ? fraction(delay.percentage) : wholePercent(delay.percent ?? 0),
      faultDelaySecifier: { case: "fixedDelay", value: fixed },
    },
  };
}

function abortOf(abort: NonNullable<HttpFaultInjection["abort"]>): { abort?: Init<typeof FaultAbortSchema> } {
  const percentage = abort.percentage && { percentage: fraction(abort.percentage) };
  if (abort.httpStatus !== undefined) return { abort: { ...percentage, errorType: { case: "httpStatus", value: abort.httpStatus } } };
  if (abort.grpcStatus !== undefined)
    return { abort: { ...percentage, errorType: { case: "grpcStatus", value: Math.max((GRPC_CODES as readonly string[]).indexOf(abort.grpcStatus), 0) } } };
  return {};
}

function corsOf(cors: CorsPolicy): Init<typeof CorsPolicySchema> {
  const origins = cors.allowOrigins ? cors.allowOrigins.map(stringMatcher) : (cors.allowOrigin ?? []).map((exact) => stringMatcher({ exact }));
  const maxAge = parseDuration(cors.maxAge);
  return {
    allowOriginStringMatch: origins.filter((origin) => origin !== undefined),
    filterEnabled: { defaultValue: wholePercent(100) },
    ...(cors.allowCredentials !== undefined && cors.allowCredentials !== null && { allowCredentials: cors.allowCredentials }),
    allowHeaders: (cors.allowHeaders ?? []).join(","),
    allowMethods: (cors.allowMethods ?? []).join(","),
    exposeHeaders: (cors.exposeHeaders ?? []).join(","),
    ...(maxAge && { maxAge: String(maxAge.seconds) }),
    forwardNotMatchingPreflights: cors.unmatchedPreflights !== "IGNORE",
  };
}
