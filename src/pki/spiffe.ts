import { PkiError } from "./errors.ts";

/** Who a workload is: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
export interface SpiffeId {
  trustDomain: string;
  namespace: string;
  serviceAccount: string;
}

/** The SPIFFE standard's bound on an id, in bytes. */
const MAX_LENGTH = 2048;
/** SPIFFE-ID 2.1: lower-case letters, digits, dots, dashes and underscores. */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
/** SPIFFE-ID 2.2 allows these in a path segment; "." and ".." are not segments. */
const SEGMENT = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/;

/** Throws PKI_SPIFFE_INVALID when a part could not stand in an id: nothing is escaped, so nothing can be smuggled. */
export function formatSpiffeId(id: SpiffeId): string {
  const text = `spiffe://${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}`;
  if (!parse(text)) {
    throw new PkiError("PKI_SPIFFE_INVALID", `${JSON.stringify(text)} is not a SPIFFE id: check the trust domain, namespace and service account`);
  }
  return text;
}

/** undefined for anything that is not exactly an Istio workload's id. */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  return parse(uri);
}

/** Whether `value` can be a mesh's trust domain. */
export function isTrustDomain(value: string): boolean {
  return TRUST_DOMAIN.test(value);
}

function parse(uri: string): SpiffeId | undefined {
  if (uri.length > MAX_LENGTH) return undefined;
  const [scheme, empty, trustDomain = "", ns, namespace = "", sa, serviceAccount = "", ...rest] = uri.split("/");
  if (scheme !== "spiffe:" || empty !== "" || ns !== "ns" || sa !== "sa" || rest.length > 0) return undefined;
  if (!TRUST_DOMAIN.test(trustDomain) || !SEGMENT.test(namespace) || !SEGMENT.test(serviceAccount)) return undefined;
  return { trustDomain, namespace, serviceAccount };
}
