/** The names that Istio's sample authorizer uses, as its tasks show them. */
export const CHECK_HEADER = "x-ext-authz";
export const RESULT_HEADER = "x-ext-authz-check-result";
export const RECEIVED_HEADER = "x-ext-authz-check-received";
export const OVERRIDE_HEADER = "x-ext-authz-additional-header-override";
/** What the gRPC side sets the override to; the HTTP side hands back what it got. */
export const GRPC_OVERRIDE = "grpc-additional-header-override-value";
export const DENIED_BODY = `denied by ext_authz for not found header \`${CHECK_HEADER}: allow\` in the request`;

/** What the check's description may take of a header: Envoy refuses headers of 60 KiB. */
const MAX_DESCRIPTION = 60_000;

/** Whoever says `x-ext-authz: allow` may pass; who says nothing may when its certificate is for the service account. */
export function decide(header: string | undefined, principal: string | undefined, serviceAccount: string): boolean {
  return header === undefined ? (principal?.endsWith(`/sa/${serviceAccount}`) ?? false) : header === "allow";
}

/** Text for the header that shows what was checked. */
export function described(text: string): string {
  return text.length > MAX_DESCRIPTION ? "<too-long>" : text.replaceAll(/[\r\n]+/g, " ");
}
