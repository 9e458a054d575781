import type { MessageInitShape } from "@bufbuild/protobuf";
import { packAny } from "../../proto/index.ts";
import {
  JwtAuthenticationSchema,
  type JwtProviderSchema,
  type JwtRequirementSchema,
} from "../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts";
import type { JwtRule, RequestAuthentication } from "../../resources/index.ts";
import { compareText } from "../registry/index.ts";
import type { FilterConfig } from "./filter.ts";
import { hasUsableKey } from "./key-set.ts";
import { JWT_FILTER, JWT_PAYLOAD } from "./rbac/matchers.ts";
import { applicable, type Workload } from "./selection.ts";

type Provider = MessageInitShape<typeof JwtProviderSchema>;
type Requirement = MessageInitShape<typeof JwtRequirementSchema>;

/** Public keys of issuers that are named by URI. */
export interface JwksSource {
  /** The key set behind the URI (or the issuer's discovery document when there is none); undefined until it was fetched. */
  get(issuer: string, jwksUri: string | undefined): string | undefined;
  /** A key set that no token was signed with, in whose place an unknown one stands so that every token is refused. */
  readonly unusable: string;
}

/** Claims in which Envoy splits words into lists, always. */
const SPACE_DELIMITED = ["permission", "scope"];

/** All rules of the policies that apply to the workload; the order does not depend on the order of policies. */
export function jwtRulesFor(policies: readonly RequestAuthentication[], workload: Workload, rootNamespace: string): JwtRule[] {
  const rules = applicable(policies, workload, rootNamespace).flatMap(({ spec }) => spec?.jwtRules ?? []);
  return rules.sort((a, b) => compareText(a.issuer ?? "", b.issuer ?? ""));
}

/**
 * The filter that checks tokens: one that is there must be valid, none need be there. Undefined without rules.
 * `clearRouteCache` lets routes look at claims, which gateways do.
 */
export function jwtFilter(rules: readonly JwtRule[], jwks: JwksSource, clearRouteCache: boolean): FilterConfig | undefined {
  if (rules.length === 0) return undefined;
  const providers: Record<string, Provider> = {};
  const optional: Requirement[] = [];
  const required: Requirement[] = [];
  for (const [index, rule] of rules.entries()) {
    const name = `origins-${index}`;
    providers[name] = providerOf(rule, jwks, clearRouteCache);
    const provider: Requirement = { requiresType: { case: "providerName", value: name } };
    required.push(provider);
    optional.push(anyOf([provider, { requiresType: { case: "allowMissing", value: {} } }]));
  }
  // With several issuers whose tokens come in the same header, each token fails for all but one of them: so either one
  // accepts, or each accepts or finds no token.
  const [only] = optional;
  const requires = rules.length === 1 && only ? only : anyOf([...required, { requiresType: { case: "requiresAll", value: { requirements: optional } } }]);
  return {
    name: JWT_FILTER,
    typedConfig: packAny(JwtAuthenticationSchema, {
      providers,
      rules: [{ match: { pathSpecifier: { case: "prefix", value: "/" } }, requirementType: { case: "requires", value: requires } }],
      bypassCorsPreflight: true,
    }),
  };
}

function providerOf(rule: JwtRule, jwks: JwksSource, clearRouteCache: boolean): Provider {
  const uri = rule.jwksUri ?? rule.jwks_uri;
  const known = rule.jwks || jwks.get(rule.issuer ?? "", uri) || "";
  const keys = hasUsableKey(known) ? known : jwks.unusable;
  return {
    issuer: rule.issuer ?? "",
    audiences: rule.audiences ?? [],
    forward: rule.forwardOriginalToken ?? false,
    forwardPayloadHeader: rule.outputPayloadToHeader ?? "",
    payloadInMetadata: JWT_PAYLOAD,
    normalizePayloadInMetadata: { spaceDelimitedClaims: [...new Set([...(rule.spaceDelimitedClaims ?? []), ...SPACE_DELIMITED])].sort(compareText) },
    clearRouteCache,
    claimToHeaders: (rule.outputClaimToHeaders ?? []).map(({ header, claim }) => ({ headerName: header, claimName: claim })),
    fromHeaders: (rule.fromHeaders ?? []).map(({ name, prefix = "" }) => ({ name, valuePrefix: prefix })),
    fromParams: rule.fromParams ?? [],
    fromCookies: rule.fromCookies ?? [],
    jwksSourceSpecifier: { case: "localJwks", value: { specifier: { case: "inlineString", value: keys } } },
  };
}

const anyOf = (requirements: Requirement[]): Requirement => ({ requiresType: { case: "requiresAny", value: { requirements } } });
