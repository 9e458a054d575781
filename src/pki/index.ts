/**
 * pki makes and checks keys, certificate requests, X.509 certificates and SPIFFE ids: all that identity in the mesh is made of.
 * It is DER of its own over node:crypto, so that an agent in every pod can ask for a certificate without loading a library.
 * The clock and the random numbers are handed in; nothing here touches files, sockets or the Kubernetes API.
 */
export { parseCertificate, type Certificate } from "./certificate.ts";
export { isRevoked, issueRevocationList, parseRevocationLists, type RevocationList } from "./crl.ts";
export { createCsr, parseCsr, type CertificateRequest } from "./csr.ts";
export { PkiError, type PkiErrorCode } from "./errors.ts";
export { KEY_USAGE, PURPOSE, type SubjectAltNames } from "./extensions.ts";
export { decodePrivateKey, encodePrivateKey, generateKey, publicKeyDer, type KeyAlgorithm } from "./keys.ts";
export { decodePem, encodePem, splitCertificates, type PemBlock } from "./pem.ts";
export { formatSpiffeId, isTrustDomain, parseSpiffeId, type SpiffeId } from "./spiffe.ts";
export { issueLeaf, issueRoot, type LeafRequest, type Signer } from "./issue.ts";
export { mergeBundles, parseBundle, verifyChain, type VerifyOptions } from "./verify.ts";
