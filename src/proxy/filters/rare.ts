import type * as BasicAuth from "./basic-auth.ts";
import type * as BufferRoom from "./buffer.ts";
import type * as ExtAuthz from "./ext-authz/http-ext-authz.ts";
import type * as GrpcWeb from "./grpc-web.ts";
import type * as JwtAuthn from "./jwt/jwt-authn.ts";
import type * as LocalRateLimit from "./local-ratelimit.ts";
import type * as RateLimit from "./ratelimit/rate-limit.ts";
import type * as Rbac from "./rbac/http-rbac.ts";
import type * as Wasm from "./wasm.ts";
import type * as CompressorRoom from "./compressor/compressor.ts";
import type * as Csrf from "./csrf.ts";
import type * as HeaderMutation from "./header-mutation.ts";
import type * as HeaderToMetadata from "./header-to-metadata.ts";
import type * as HealthCheck from "./health-check.ts";
import type * as SetMetadata from "./set-metadata.ts";
import type * as SetFilterState from "./set-filter-state.ts";
import type * as StatefulSession from "./stateful-session.ts";
import type { HttpFilterFactory } from "./http-filter.ts";

const F = "envoy.extensions.filters.http.";

/** Filters that not every configuration has, by the types of their configurations: each is loaded with the first that does. */
const RARE: Readonly<Record<string, () => HttpFilterFactory>> = {
  [`${F}basic_auth.v3.BasicAuth`]: () => (require("./basic-auth.ts") as typeof BasicAuth).basicAuthFilter,
  [`${F}basic_auth.v3.BasicAuthPerRoute`]: () => (require("./basic-auth.ts") as typeof BasicAuth).basicAuthFilter,
  [`${F}buffer.v3.Buffer`]: () => (require("./buffer.ts") as typeof BufferRoom).bufferFilter,
  [`${F}buffer.v3.BufferPerRoute`]: () => (require("./buffer.ts") as typeof BufferRoom).bufferFilter,
  [`${F}compressor.v3.Compressor`]: () => (require("./compressor/compressor.ts") as typeof CompressorRoom).compressorFilter,
  [`${F}compressor.v3.CompressorPerRoute`]: () => (require("./compressor/compressor.ts") as typeof CompressorRoom).compressorFilter,
  [`${F}ext_authz.v3.ExtAuthz`]: () => (require("./ext-authz/http-ext-authz.ts") as typeof ExtAuthz).extAuthzFilter,
  [`${F}ext_authz.v3.ExtAuthzPerRoute`]: () => (require("./ext-authz/http-ext-authz.ts") as typeof ExtAuthz).extAuthzFilter,
  [`${F}grpc_web.v3.GrpcWeb`]: () => (require("./grpc-web.ts") as typeof GrpcWeb).grpcWebFilter,
  [`${F}jwt_authn.v3.JwtAuthentication`]: () => (require("./jwt/jwt-authn.ts") as typeof JwtAuthn).jwtAuthnFilter,
  [`${F}jwt_authn.v3.PerRouteConfig`]: () => (require("./jwt/jwt-authn.ts") as typeof JwtAuthn).jwtAuthnFilter,
  [`${F}local_ratelimit.v3.LocalRateLimit`]: () => (require("./local-ratelimit.ts") as typeof LocalRateLimit).localRateLimitFilter,
  [`${F}ratelimit.v3.RateLimit`]: () => (require("./ratelimit/rate-limit.ts") as typeof RateLimit).rateLimitFilter,
  [`${F}ratelimit.v3.RateLimitPerRoute`]: () => (require("./ratelimit/rate-limit.ts") as typeof RateLimit).rateLimitFilter,
  [`${F}rbac.v3.RBAC`]: () => (require("./rbac/http-rbac.ts") as typeof Rbac).rbacFilter,
  [`${F}rbac.v3.RBACPerRoute`]: () => (require("./rbac/http-rbac.ts") as typeof Rbac).rbacFilter,
  [`${F}wasm.v3.Wasm`]: () => (require("./wasm.ts") as typeof Wasm).wasmFilter,
  [`${F}csrf.v3.CsrfPolicy`]: () => (require("./csrf.ts") as typeof Csrf).csrfFilter,
  [`${F}header_mutation.v3.HeaderMutation`]: () => (require("./header-mutation.ts") as typeof HeaderMutation).headerMutationFilter,
  [`${F}header_mutation.v3.HeaderMutationPerRoute`]: () => (require("./header-mutation.ts") as typeof HeaderMutation).headerMutationFilter,
  [`${F}header_to_metadata.v3.Config`]: () => (require("./header-to-metadata.ts") as typeof HeaderToMetadata).headerToMetadataFilter,
  [`${F}health_check.v3.HealthCheck`]: () => (require("./health-check.ts") as typeof HealthCheck).healthCheckFilter,
  [`${F}set_filter_state.v3.Config`]: () => (require("./set-filter-state.ts") as typeof SetFilterState).setFilterStateFilter,
  [`${F}stateful_session.v3.StatefulSession`]: () => (require("./stateful-session.ts") as typeof StatefulSession).statefulSessionFilter,
  [`${F}stateful_session.v3.StatefulSessionPerRoute`]: () => (require("./stateful-session.ts") as typeof StatefulSession).statefulSessionFilter,
  [`${F}set_metadata.v3.Config`]: () => (require("./set-metadata.ts") as typeof SetMetadata).setMetadataFilter,
};

/** The filter that takes a configuration (its own, or a route's) of this type, if it is one of these. */
export function rareFactory(typeName: string): HttpFilterFactory | undefined {
  return Object.hasOwn(RARE, typeName) ? RARE[typeName]?.() : undefined;
}
