import { X509Certificate } from "node:crypto";

/**
 * The chain to show for a certificate that comes alone: with its issuers, as far as they are among the roots. BoringSSL
 * would show the same, but would build and verify that chain in every handshake (its `ssl_auto_chain_if_needed`, which Bun
 * cannot turn off), for 60 us; what comes with an issuer it leaves as it is. `roots` are single certificates.
 */
export function completeChain(chain: string, roots: readonly string[]): string {
  if (chain.match(BEGIN)?.length !== 1) return chain;
  const known = roots.map((pem) => new X509Certificate(pem));
  const found = [new X509Certificate(chain)];
  for (let last = found[0]; last && !last.checkIssued(last); last = found.at(-1)) {
    const subject = last;
    const issuer = known.find((each) => !found.includes(each) && subject.checkIssued(each) && subject.verify(each.publicKey));
    if (!issuer) break;
    found.push(issuer);
  }
  return found.length === 1 ? chain : found.map(String).join("");
}

const BEGIN = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;
