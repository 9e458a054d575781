/**
 * policy works out what Istio's security resources mean for one workload: its mutual TLS modes, who may call it, whose tokens it takes.
 * It answers in Envoy's terms, as modes and ready filters, and is a set of pure functions of the resources.
 * Where a policy cannot be expressed the answer is the one that lets less through.
 */
export { PeerAuthenticationPolicies, modeForPort, type EffectiveMtls, type MtlsMode } from "./peer-authentication.ts";
export { authorizationFilters, customFilters, selectAuthorization, type AuthorizationContext, type SelectedAuthorization } from "./authorization.ts";
export type { FilterConfig } from "./filter.ts";
export type { ExtAuthzProviders } from "./ext-authz.ts";
export { jwtFilter, jwtRulesFor, type JwksSource } from "./jwt.ts";
export { applicable, appliesTo, type Workload } from "./selection.ts";
export { isZero, parseDuration, type Duration } from "./duration.ts";
export { claimMatcher, stringValue } from "./rbac/matchers.ts";
