import type { JwtProvider } from "../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts";
import type { HttpStream } from "../../http/http-stream.ts";
import { compileString, type TextMatch } from "../../match/strings.ts";
import { toLatin1 } from "../../router/header-ops.ts";
import { queryParameter } from "../../router/route-match.ts";
import type { Services } from "../../services.ts";
import { readText } from "../../tls/data-source.ts";
import { InvalidResource } from "../../types.ts";
import { RemoteKeys } from "./remote-keys.ts";
import { checkAudiences, checkTimes, KeySet, parseToken, type JwtFailure, type ParsedToken } from "./token.ts";

/** Envoy's default tolerance for clocks. */
const DEFAULT_SKEW_SECONDS = 60;
/** A client sends the same token with every request: its signature is checked once. */
const MAX_VERIFIED = 100;

export const METADATA = "envoy.filters.http.jwt_authn";

/** A token where a request carries it. */
interface Found {
  readonly text: string;
  remove(): void;
}

/** One issuer of tokens: where its tokens are, how they are verified, what becomes of them. */
export class Provider {
  readonly #local: KeySet | undefined;
  readonly #remote: RemoteKeys | undefined;
  readonly #subject: TextMatch | undefined;
  readonly #verified = new Map<string, ParsedToken>();

  /** Throws InvalidResource. */
  constructor(
    private readonly proto: JwtProvider,
    services: Services,
  ) {
    const jwks = proto.jwksSourceSpecifier;
    if (jwks.case === "localJwks") this.#local = new KeySet(readText(jwks.value) ?? "");
    else if (jwks.case === "remoteJwks") this.#remote = new RemoteKeys(jwks.value, services, () => this.#verified.clear());
    else throw new InvalidResource("INVALID_JWKS", "JwtProviderValidationError.JwksSourceSpecifier: value is required");
    this.#subject = proto.subjects && compileString(proto.subjects);
  }

  /** Keys that must be fetched before this request's token can be judged. */
  missingKeys(stream: HttpStream): RemoteKeys | undefined {
    return this.#remote?.stale && this.#find(stream).some(({ text }) => this.#issued(text)) ? this.#remote : undefined;
  }

  #issued(text: string): boolean {
    const token = parseToken(text);
    return typeof token !== "string" && (this.proto.issuer === "" || token.payload.iss === this.proto.issuer);
  }

  /** Undefined when a token of this provider is there and good; its marks are then on the request. */
  check(stream: HttpStream, audiences: readonly string[]): JwtFailure | undefined {
    const found = this.#find(stream);
    if (found.length === 0) return "Jwt is missing";
    let failure: JwtFailure | undefined;
    for (const each of found) {
      const token = this.#verify(each.text, stream.startTime / 1000, audiences);
      if (typeof token !== "string") {
        this.#accept(stream, token, each);
        return undefined;
      }
      failure = token;
    }
    return failure;
  }

  #verify(text: string, now: number, audiences: readonly string[]): ParsedToken | JwtFailure {
    const { proto } = this;
    const skew = proto.clockSkewSeconds || DEFAULT_SKEW_SECONDS;
    const known = this.#verified.get(text);
    const token = known ?? parseToken(text);
    if (typeof token === "string") return token;
    const { iss, sub, exp } = token.payload;
    if (proto.issuer !== "" && iss !== proto.issuer) return "Jwt issuer is not configured";
    if (this.#subject && !(typeof sub === "string" && this.#subject(sub))) return "Jwt verification fails";
    if (proto.requireExpiration && exp === undefined) return "Jwt verification fails";
    const failure =
      checkTimes(token, now, skew) ??
      checkAudiences(token, audiences.length > 0 ? audiences : proto.audiences) ??
      (known ? undefined : this.#verifySignature(token));
    if (failure) return failure;
    if (!known) {
      if (this.#verified.size >= MAX_VERIFIED) this.#verified.delete(this.#verified.keys().next().value as string);
      this.#verified.set(text, token);
    }
    return token;
  }

  #verifySignature(token: ParsedToken): JwtFailure | undefined {
    const keys = this.#local ?? this.#remote?.keys;
    return keys ? keys.verify(token) : "Jwks remote fetch is failed";
  }

  #accept(stream: HttpStream, token: ParsedToken, found: Found): void {
    const { proto } = this;
    const { headers } = stream.request;
    if (proto.payloadInMetadata !== "")
      stream.setMetadata(METADATA, proto.payloadInMetadata, normalize(token.payload, proto.normalizePayloadInMetadata?.spaceDelimitedClaims ?? []));
    if (proto.headerInMetadata !== "") stream.setMetadata(METADATA, proto.headerInMetadata, token.header);
    if (proto.forwardPayloadHeader !== "") {
      const padding = proto.padForwardPayloadHeader ? "=".repeat((4 - (token.payloadText.length % 4)) % 4) : "";
      headers.set(proto.forwardPayloadHeader.toLowerCase(), token.payloadText + padding);
    }
    for (const { headerName, claimName } of proto.claimToHeaders) {
      const value = claimText(token.payload, claimName);
      if (value !== undefined) headers.append(headerName.toLowerCase(), value);
    }
    if (!proto.forward) found.remove();
  }

  #find(stream: HttpStream): Found[] {
    const { proto } = this;
    const { request } = stream;
    const { headers } = request;
    const found: Found[] = [];
    const fromHeader = (name: string, prefix: string): void => {
      const value = headers.getJoined(name);
      const at = value === undefined ? -1 : prefix === "" ? 0 : value.indexOf(prefix);
      if (value === undefined || at < 0) return;
      // What follows the prefix, up to what cannot be part of a token.
      const text = /^[A-Za-z0-9_.~+/=-]*/.exec(value.slice(at + prefix.length).trimStart())?.[0] ?? "";
      found.push({ text, remove: () => headers.remove(name) });
    };
    for (const each of proto.fromHeaders) fromHeader(each.name.toLowerCase(), each.valuePrefix);
    const noWay = proto.fromHeaders.length === 0 && proto.fromParams.length === 0 && proto.fromCookies.length === 0;
    if (noWay) fromHeader("authorization", "Bearer ");
    for (const name of noWay ? ["access_token"] : proto.fromParams) {
      const text = queryParameter(request.path, name);
      if (text !== undefined) found.push({ text, remove: () => (request.path = withoutParameter(request.path, name)) });
    }
    for (const name of proto.fromCookies) {
      const text = new RegExp(`(?:^|;\\s*)${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}=([^;]*)`).exec(headers.getJoined("cookie") ?? "")?.[1];
      // Envoy leaves cookies where they are.
      if (text !== undefined) found.push({ text, remove: () => {} });
    }
    return found;
  }
}

/** Claims that are lists in one string become lists. */
function normalize(payload: { readonly [name: string]: unknown }, spaced: readonly string[]): { readonly [name: string]: unknown } {
  if (!spaced.some((name) => typeof payload[name] === "string")) return payload;
  const out: { [name: string]: unknown } = { ...payload };
  for (const name of spaced) {
    const value = out[name];
    if (typeof value === "string") out[name] = value.split(" ");
  }
  return out;
}

/** A claim as a header: text as it is, structures as base64 of their JSON; dots lead into structures. */
function claimText(payload: { readonly [name: string]: unknown }, path: string): string | undefined {
  let value: unknown = payload;
  for (const key of path.split(".")) value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value === "object") return Buffer.from(JSON.stringify(value)).toString("base64");
  const text = String(value);
  return /[\0\r\n]/.test(text) ? undefined : toLatin1(text);
}

function withoutParameter(path: string, name: string): string {
  const [bare = "", query = ""] = path.split("?", 2);
  const rest = query.split("&").filter((part) => part.split("=", 1)[0] !== name);
  return rest.length > 0 ? `${bare}?${rest.join("&")}` : bare;
}
