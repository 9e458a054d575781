import { unauthorized } from "../http/status.ts";
import type { UserInfo } from "../types.ts";

/** What a connection or request shows of who is behind it. */
export interface Credentials {
  /** From a client certificate that our CA signed. */
  certificate?: CertificateIdentity;
  /** The Authorization header. */
  authorization?: string;
}

export interface CertificateIdentity {
  commonName: string;
  organizations: string[];
  /** SHA-256 of the certificate, lower-case hex. */
  fingerprint: string;
}

/** Tells the user of a bearer token; undefined for one that is not good. */
export type TokenVerifier = (token: string) => Promise<UserInfo | undefined> | UserInfo | undefined;

export const ANONYMOUS: UserInfo = { username: "system:anonymous", groups: ["system:unauthenticated"] };
export const CREDENTIAL_ID = "authentication.kubernetes.io/credential-id";

export class Authenticator {
  constructor(private readonly verifyToken: TokenVerifier) {}

  /** Throws 401 for credentials that are not good; none at all is system:anonymous. */
  async authenticate({ certificate, authorization }: Credentials): Promise<UserInfo> {
    if (certificate?.commonName) {
      return {
        username: certificate.commonName,
        groups: [...certificate.organizations, "system:authenticated"],
        extra: { [CREDENTIAL_ID]: [`X509SHA256=${certificate.fingerprint}`] },
      };
    }
    if (!authorization) return ANONYMOUS;
    const token = /^Bearer\s+(\S+)\s*$/i.exec(authorization)?.[1];
    if (!token) return ANONYMOUS;
    const user = await this.verifyToken(token);
    if (!user) throw unauthorized();
    return { ...user, groups: user.groups.includes("system:authenticated") ? user.groups : [...user.groups, "system:authenticated"] };
  }
}
