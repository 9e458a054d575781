import type { HttpFilterFactory } from "./http-filter.ts";
import type * as RateLimitModule from "./ratelimit/rate-limit.ts";

/** The filter for a rate limit service; its code and types are loaded with the first, since few meshes have one. */
export const globalRateLimitFilter: HttpFilterFactory = {
  typeNames: ["envoy.extensions.filters.http.ratelimit.v3.RateLimit"],
  routeTypeNames: ["envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute"],
  create: (config, context) => (require("./ratelimit/rate-limit.ts") as typeof RateLimitModule).rateLimitFilter.create(config, context),
};
