import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomUUID, sign, verify } from "node:crypto";
import type { Clock } from "../../../base/index.ts";
import type { Store } from "../../store/index.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { UserInfo } from "../types.ts";
import { CREDENTIAL_ID } from "./authenticator.ts";

/** Issuer of all tokens, and the audience of those meant for the API server itself. */
export const ISSUER = "https://kubernetes.default.svc.cluster.local";

/** The default of `kubectl create token` and the least that may be asked for. */
export const DEFAULT_TOKEN_SECONDS = 3600;
export const MIN_TOKEN_SECONDS = 600;
/** Longer ones are cut, as a real server's --service-account-max-token-expiration does. */
export const MAX_TOKEN_SECONDS = 365 * 24 * 3600;
/** Tokens longer than this are not looked at. */
const MAX_TOKEN_LENGTH = 16 << 10;
/** Checked signatures are remembered: one costs 0.1 ms, and proxies come again and again with the same token. */
const MAX_REMEMBERED = 4096;

interface ObjectId {
  name: string;
  uid: string;
}

export interface TokenSubject {
  namespace: string;
  serviceAccount: ObjectId;
  pod?: ObjectId;
  node?: { name: string; uid?: string };
  secret?: ObjectId;
}

interface Claims extends TokenSubject {
  audiences: string[];
  /** Seconds since the epoch. */
  expires: number;
  notBefore: number;
  id: string;
}

export type Verdict = { user: UserInfo; audiences: string[] } | { error: string };

/** Issues and checks service-account tokens (ES256 JWTs). A token dies with its time, its pod and its service account. */
export class TokenAuthority {
  #key: KeyObject;
  #publicKey: KeyObject;
  #keyId: string;
  #remembered = new Map<string, Claims>();

  constructor(
    keyPem: string,
    private readonly store: Store,
    private readonly clock: Clock,
  ) {
    this.#key = createPrivateKey(keyPem);
    this.#publicKey = createPublicKey(this.#key);
    this.#keyId = createHash("sha256")
      .update(this.#publicKey.export({ type: "spki", format: "der" }))
      .digest("base64url");
  }

  /** A signed token and when it ends, in milliseconds. Without `seconds` it ends with its Secret only. */
  issue(subject: TokenSubject, audiences: string[], seconds: number | undefined): { token: string; expires: number } {
    const now = Math.floor(this.clock.now() / 1000);
    const expires = seconds === undefined ? Number.POSITIVE_INFINITY : now + Math.min(seconds, MAX_TOKEN_SECONDS);
    const { namespace, serviceAccount, pod, node, secret } = subject;
    const claims = {
      aud: audiences,
      ...(seconds === undefined ? {} : { exp: expires }),
      iat: now,
      iss: ISSUER,
      jti: randomUUID(),
      "kubernetes.io": {
        namespace,
        ...(node ? { node } : {}),
        ...(pod ? { pod } : {}),
        ...(secret ? { secret } : {}),
        serviceaccount: serviceAccount,
      },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    };
    const signed = `${encode({ alg: "ES256", kid: this.#keyId })}.${encode(claims)}`;
    const signature = sign("sha256", Buffer.from(signed), { key: this.#key, dsaEncoding: "ieee-p1363" });
    return { token: `${signed}.${signature.toString("base64url")}`, expires: expires * 1000 };
  }

  /** Whether a token is good for any of these audiences, and whose it is. */
  verify(token: string, audiences: readonly string[] = [ISSUER]): Verdict {
    const claims = this.#claims(token);
    if (!claims) return { error: "invalid bearer token" };
    const now = this.clock.now() / 1000;
    const refuse = (why: string): Verdict => ({ error: `[invalid bearer token, ${why}]` });
    if (now >= claims.expires) return refuse("service account token has expired");
    if (now < claims.notBefore) return refuse("service account token is not valid yet");
    const accepted = claims.audiences.filter((audience) => audiences.includes(audience));
    if (accepted.length === 0) {
      return refuse(`token audiences ${quoteList(claims.audiences)} is invalid for the target audiences ${quoteList(audiences)}`);
    }
    const dead = this.#invalidated(claims);
    if (dead) return refuse(dead);
    return { user: userOf(claims), audiences: accepted };
  }

  /** /.well-known/openid-configuration and /openid/v1/jwks, for those who check tokens themselves. */
  openId(path: string): string | undefined {
    if (path === "/.well-known/openid-configuration") {
      return JSON.stringify({
        issuer: ISSUER,
        jwks_uri: `${ISSUER}/openid/v1/jwks`,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
      });
    }
    if (path !== "/openid/v1/jwks") return undefined;
    const jwk = this.#publicKey.export({ format: "jwk" });
    return JSON.stringify({ keys: [{ use: "sig", kid: this.#keyId, alg: "ES256", ...jwk }] });
  }

  /** The claims of a token that we signed; time, audience and bound objects are not looked at. */
  #claims(token: string): Claims | undefined {
    if (token.length > MAX_TOKEN_LENGTH) return undefined;
    // Remembered by hash: the token itself is a secret and need not be kept.
    const hash = createHash("sha256").update(token).digest("base64");
    const known = this.#remembered.get(hash);
    if (known) return known;
    const parts = token.split(".");
    if (parts.length !== 3) return undefined;
    const [head = "", body = "", signature = ""] = parts;
    const header = decode(head);
    if (header?.alg !== "ES256" || header.kid !== this.#keyId) return undefined;
    const key = { key: this.#publicKey, dsaEncoding: "ieee-p1363" as const };
    if (!verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url"))) return undefined;
    const claims = parseClaims(decode(body));
    if (!claims) return undefined;
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(hash, claims);
    return claims;
  }

  #invalidated({ namespace, serviceAccount, pod, secret }: Claims): string | undefined {
    const gone = (resource: string, { name, uid }: ObjectId) => this.store.get(resource, namespace, name)?.metadata.uid !== uid;
    if (gone("/serviceaccounts", serviceAccount)) return `serviceaccounts ${JSON.stringify(serviceAccount.name)} not found`;
    if (pod && gone("/pods", pod)) return "service account token has been invalidated";
    if (secret && gone("/secrets", secret)) return "service account token has been invalidated";
    return undefined;
  }
}

function userOf({ namespace, serviceAccount, pod, node, id }: Claims): UserInfo {
  return {
    username: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    uid: serviceAccount.uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
    extra: {
      [CREDENTIAL_ID]: [`JTI=${id}`],
      ...(node ? { "authentication.kubernetes.io/node-name": [node.name], ...(node.uid ? { "authentication.kubernetes.io/node-uid": [node.uid] } : {}) } : {}),
      ...(pod ? { "authentication.kubernetes.io/pod-name": [pod.name], "authentication.kubernetes.io/pod-uid": [pod.uid] } : {}),
    },
  };
}

function parseClaims(claims: JsonObject | undefined): Claims | undefined {
  const own = claims?.["kubernetes.io"];
  if (!claims || claims.iss !== ISSUER || !isObject(own) || typeof own.namespace !== "string") return undefined;
  const serviceAccount = objectId(own.serviceaccount);
  const secret = objectId(own.secret);
  const { aud, nbf, jti } = claims;
  // Only what is bound to a Secret may do without an end.
  const exp = claims.exp === undefined && secret ? Number.POSITIVE_INFINITY : claims.exp;
  if (!serviceAccount || !Array.isArray(aud) || typeof exp !== "number" || typeof nbf !== "number") return undefined;
  const pod = objectId(own.pod);
  const node =
    isObject(own.node) && typeof own.node.name === "string"
      ? { name: own.node.name, ...(typeof own.node.uid === "string" ? { uid: own.node.uid } : {}) }
      : undefined;
  return {
    namespace: own.namespace,
    serviceAccount,
    ...(pod ? { pod } : {}),
    ...(secret ? { secret } : {}),
    ...(node ? { node } : {}),
    audiences: aud.filter((audience) => typeof audience === "string"),
    expires: exp,
    notBefore: nbf,
    id: typeof jti === "string" ? jti : "",
  };
}

function objectId(value: unknown): ObjectId | undefined {
  return isObject(value) && typeof value.name === "string" && typeof value.uid === "string" ? { name: value.name, uid: value.uid } : undefined;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(part: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    return isObject(value) ? value : undefined;
  } catch {
    // Anybody may send anything as a token.
    return undefined;
  }
}

function quoteList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;
}
