/**
 * ca is the mesh's certificate authority: it opens or makes the root, proves who asks, and signs workload certificates.
 * It keeps the trust bundle in every namespace and follows an operator's own CA and a root that nears its end.
 * It knows nothing of gRPC: the server room carries its answers.
 */
export { createAuthenticator, type Authenticator, type Caller, type Credentials } from "./authenticate.ts";
export { followBoundObjects } from "./bound-objects.ts";
export { parseOidcRule, type OidcRule } from "./oidc-rule.ts";
export { RateLimit } from "./rate-limit.ts";
export { createTokenReviewer } from "./token-reviewer.ts";
export { openCa, type CaStoreOptions } from "./ca-store.ts";
export { CertificateAuthority, DEFAULT_LIFETIME_MS, MAX_LIFETIME_MS, type CaMaterial } from "./certificate-authority.ts";
export { CaError, type CaErrorCode } from "./errors.ts";
export { distributeRoots } from "./root-distribution.ts";
export type { Holder, RootRotation, RotationStatus } from "./root-rotation.ts";
