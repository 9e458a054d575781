import { isIP } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ChainmailError } from "../../../base/index.ts";
import { packAny } from "../../../proto/index.ts";
import type { PermissionSchema, PolicySchema, PrincipalSchema } from "../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts";
import { UriTemplateMatchConfigSchema } from "../../../proto/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts";
import type { AuthorizationRule } from "../../../resources/index.ts";
import {
  anyOf,
  anything,
  claimMatcher,
  exact,
  headerMatcher,
  JWT_FILTER,
  JWT_PAYLOAD,
  listWith,
  metadata,
  prefix,
  quoteRegex,
  regex,
  stringValue,
  suffix,
  wildcardMatcher,
  type StringMatcher,
} from "./matchers.ts";
import { expandTrustDomain, replaceTrustDomain } from "./trust-domain.ts";

export type Policy = MessageInitShape<typeof PolicySchema>;
type Permission = MessageInitShape<typeof PermissionSchema>;
type Principal = MessageInitShape<typeof PrincipalSchema>;

export interface RuleContext {
  /** For a TCP chain, where nothing of HTTP can be looked at. */
  readonly tcp: boolean;
  /**
   * What to do with a condition that cannot be checked: "drop-rule" for ALLOW, so that less is allowed; "drop-value"
   * for the others, so that more is denied.
   */
  readonly onImpossible: "drop-rule" | "drop-value";
  /** Namespace of the policy, for service accounts without one. */
  readonly namespace: string;
  /** The mesh's trust domain, then its aliases. */
  readonly trustDomains: readonly string[];
}

/** One condition with the values that it must and must not have. */
interface Condition<Item> {
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
  /** Throws when it cannot be expressed. One item for each value, or one for all of them. */
  readonly one?: (value: string) => Item;
  readonly all?: (values: readonly string[]) => Item | undefined;
}

/** One rule of an AuthorizationPolicy as Envoy's, or undefined when it drops out. */
export function translateRule(rule: AuthorizationRule, context: RuleContext): Policy | undefined {
  try {
    const { permissions, principals } = conditionsOf(rule, context);
    return {
      permissions: permissions.map((conditions): Permission => {
        const rules = conditions.flatMap((condition) => combine(condition, context, orRules, notRule));
        return { rule: { case: "andRules", value: { rules: rules.length > 0 ? rules : [{ rule: { case: "any", value: true } }] } } };
      }),
      principals: principals.map((conditions): Principal => {
        const ids = conditions.flatMap((condition) => combine(condition, context, orIds, notId));
        return andIds(ids.length > 0 ? ids : [{ identifier: { case: "any", value: true } }]);
      }),
    };
  } catch (thrown) {
    if (thrown instanceof Impossible) return undefined;
    throw thrown;
  }
}

class Impossible extends ChainmailError {
  constructor(reason: string) {
    super("AUTHORIZATION_RULE_IMPOSSIBLE", reason);
  }
}

function combine<Item>(condition: Condition<Item>, context: RuleContext, or: (items: Item[]) => Item, not: (item: Item) => Item): Item[] {
  const attempt = <T>(make: () => T): T | undefined => {
    try {
      return make();
    } catch (thrown) {
      if (!(thrown instanceof Impossible) || context.onImpossible === "drop-rule") throw thrown;
      return undefined;
    }
  };
  const build = (values: readonly string[]): Item | undefined => {
    if (values.length === 0) return undefined;
    const { one, all } = condition;
    if (all) return attempt(() => all(values));
    const items = one ? values.map((value) => attempt(() => one(value))).filter((item) => item !== undefined) : [];
    return items.length > 0 ? or(items) : undefined;
  };
  const positive = build(condition.values);
  const negative = build(condition.notValues);
  return [...(positive === undefined ? [] : [positive]), ...(negative === undefined ? [] : [not(negative)])];
}

/** The order of conditions is Istio's: it shows in config dumps. */
function conditionsOf(rule: AuthorizationRule, context: RuleContext): { permissions: Condition<Permission>[][]; principals: Condition<Principal>[][] } {
  const permissionWhens: Condition<Permission>[] = [];
  const principalWhens: Condition<Principal>[] = [];
  for (const { key, values = [], notValues = [] } of rule.when ?? []) {
    if (values.length === 0 && notValues.length === 0) continue;
    const permission = permissionOf(key, values, notValues);
    if (permission) permissionWhens.push(permission);
    else principalWhens.push(principalOf(key, values, notValues, context));
  }
  const given = <Item>(condition: Condition<Item>): boolean => condition.values.length > 0 || condition.notValues.length > 0;
  const principals = (rule.from?.length ? rule.from : [{}]).map(({ source }) => {
    const condition = (key: string, values: string[] | undefined, notValues: string[] | undefined): Condition<Principal> =>
      principalOf(key, values ?? [], notValues ?? [], context);
    const own = source
      ? [
          condition("source.principal", source.principals, source.notPrincipals),
          condition("request.auth.principal", source.requestPrincipals, source.notRequestPrincipals),
          condition("source.serviceAccount", source.serviceAccounts, source.notServiceAccounts),
          condition("source.trustDomain", source.trustDomains, source.notTrustDomains),
          condition("source.namespace", source.namespaces, source.notNamespaces),
          condition("remote.ip", source.remoteIpBlocks, source.notRemoteIpBlocks),
          condition("source.ip", source.ipBlocks, source.notIpBlocks),
        ].filter(given)
      : [];
    return [...own, ...principalWhens];
  });
  const permissions = (rule.to?.length ? rule.to : [{}]).map(({ operation }) => {
    const http = (key: string, values: string[] | undefined, notValues: string[] | undefined, make: (value: string) => Permission): Condition<Permission> => ({
      key,
      values: values ?? [],
      notValues: notValues ?? [],
      one: (value) => {
        httpOnly(key, context);
        return make(value);
      },
    });
    const own = operation
      ? [
          http("hosts", operation.hosts, operation.notHosts, (value) => ({ rule: { case: "header", value: headerMatcher(":authority", value, true) } })),
          http("methods", operation.methods, operation.notMethods, (value) => ({ rule: { case: "header", value: headerMatcher(":method", value) } })),
          http("paths", operation.paths, operation.notPaths, pathPermission),
          { key: "destination.port", values: operation.ports ?? [], notValues: operation.notPorts ?? [], one: portPermission },
        ].filter(given)
      : [];
    return [...own, ...permissionWhens];
  });
  return { permissions, principals };
}

const FILTER_METADATA = "experimental.envoy.filters.";

function permissionOf(key: string, values: readonly string[], notValues: readonly string[]): Condition<Permission> | undefined {
  if (key === "destination.ip") return { key, values, notValues, one: (value) => ({ rule: { case: "destinationIp", value: cidr(value) } }) };
  if (key === "destination.port") return { key, values, notValues, one: portPermission };
  if (key === "connection.sni") return { key, values, notValues, one: (value) => ({ rule: { case: "requestedServerName", value: wildcardMatcher(value) } }) };
  if (!key.startsWith(FILTER_METADATA)) return undefined;
  const parts = /^experimental\.([^[]+)\[(.*)\]$/.exec(key);
  return {
    key,
    values,
    notValues,
    all: (all) => {
      if (!parts) throw new Impossible(`The key ${key} is not of the form ${FILTER_METADATA}<name>[<key>]`);
      const matchers = all.map((value) =>
        value.startsWith("[") && value.endsWith("]") ? listWith(stringValue(wildcardMatcher(value.slice(1, -1)))) : stringValue(wildcardMatcher(value)),
      );
      return { rule: { case: "metadata", value: metadata(parts[1] ?? "", [parts[2] ?? ""], anyOf(matchers)) } };
    },
  };
}

function principalOf(key: string, values: readonly string[], notValues: readonly string[], context: RuleContext): Condition<Principal> {
  const each = (one: (value: string) => Principal, all = values, notAll = notValues): Condition<Principal> => ({ key, values: all, notValues: notAll, one });
  const claims = (path: () => string[]): Condition<Principal> => ({
    key,
    values,
    notValues,
    all: (all) => {
      httpOnly(key, context);
      return { identifier: { case: "metadata", value: claimMatcher(path(), anyOf(all.map((value) => stringValue(wildcardMatcher(value))))) } };
    },
  });
  switch (key) {
    case "source.ip":
      return each((value) => ({ identifier: { case: "directRemoteIp", value: cidr(value) } }));
    case "remote.ip":
      return each((value) => ({ identifier: { case: "remoteIp", value: cidr(value) } }));
    case "source.namespace":
      return each((value) => authenticated(regex(`.*/ns/${value.split("*").map(quoteRegex).join(".*")}/.*`)));
    case "source.serviceAccount":
      return each((value) => authenticated(serviceAccountMatcher(value, context.namespace)));
    case "source.trustDomain": {
      const expand = (all: readonly string[]): string[] => all.flatMap((value) => expandTrustDomain(value, context.trustDomains));
      return each((value) => authenticated(trustDomainMatcher(value)), expand(values), expand(notValues));
    }
    case "source.principal": {
      const replace = (all: readonly string[]): string[] => all.flatMap((value) => replaceTrustDomain(value, context.trustDomains));
      return each((value) => authenticated(wildcardMatcher(value, "spiffe://")), replace(values), replace(notValues));
    }
    case "request.auth.principal":
      return {
        key,
        values,
        notValues,
        all: (all) => {
          httpOnly(key, context);
          const ids = all.map(requestPrincipal);
          return ids.length === 1 ? ids[0] : orIds(ids);
        },
      };
    case "request.auth.audiences":
      return claims(() => ["aud"]);
    case "request.auth.presenter":
      return claims(() => ["azp"]);
    default:
  }
  if (key.startsWith("request.headers")) {
    return each((value) => {
      httpOnly(key, context);
      const name = /^\[(.*)\]$/s.exec(key.slice("request.headers".length))?.[1];
      if (name === undefined) throw new Impossible(`The key ${key} is not of the form request.headers[<name>]`);
      return { identifier: { case: "header", value: headerMatcher(name, value) } };
    });
  }
  if (key.startsWith("request.auth.claims")) return claims(() => claimPath(key.slice("request.auth.claims".length)));
  return {
    key,
    values,
    notValues,
    one: () => {
      throw new Impossible(`The condition ${key} is not known`);
    },
  };
}

function requestPrincipal(value: string): Principal {
  const slash = value.lastIndexOf("/");
  const [issuer, subject] = slash < 0 ? [value, ""] : [value.slice(0, slash), value.slice(slash + 1)];
  let issuerMatcher: StringMatcher;
  let subjectMatcher: StringMatcher;
  if (value === "*") {
    issuerMatcher = anything();
    subjectMatcher = anything();
  } else if (value.startsWith("*")) {
    issuerMatcher = slash < 0 || issuer === "*" ? anything() : suffix(issuer.slice(1));
    subjectMatcher = slash < 0 ? suffix(value.slice(1)) : exact(subject);
  } else if (value.endsWith("*")) {
    issuerMatcher = slash < 0 ? prefix(value.slice(0, -1)) : exact(issuer);
    subjectMatcher = slash < 0 || subject === "*" ? anything() : prefix(subject.slice(0, -1));
  } else {
    issuerMatcher = exact(issuer);
    subjectMatcher = exact(subject);
  }
  const claim = (name: string, matcher: StringMatcher): Principal => ({
    identifier: { case: "metadata", value: metadata(JWT_FILTER, [JWT_PAYLOAD, name], stringValue(matcher)) },
  });
  return andIds([claim("iss", issuerMatcher), claim("sub", subjectMatcher)]);
}

/** `<account>` of the policy's namespace or `<namespace>/<account>`, in whatever trust domain. */
function serviceAccountMatcher(value: string, defaultNamespace: string): StringMatcher {
  const slash = value.indexOf("/");
  const [namespace, account] = slash < 0 ? [defaultNamespace, value] : [value.slice(0, slash), value.slice(slash + 1)];
  return regex(`spiffe://.+/ns/${quoteRegex(namespace)}/(.+/|)sa/${quoteRegex(account)}(/.+)?`);
}

function trustDomainMatcher(value: string): StringMatcher {
  if (value === "*") return prefix("spiffe://");
  const star = value.indexOf("*");
  if (star < 0) return prefix(`spiffe://${value}/`);
  return regex(`spiffe://${quoteRegex(value.slice(0, star))}[^/]*${quoteRegex(value.slice(star + 1))}/.*`);
}

function pathPermission(value: string): Permission {
  if (!/\{\*\*?\}/.test(value)) return { rule: { case: "urlPath", value: { rule: { case: "path", value: wildcardMatcher(value) } } } };
  const pathTemplate = value.replaceAll("{**}", "**").replaceAll("{*}", "*");
  return { rule: { case: "uriTemplate", value: { name: "uri-template", typedConfig: packAny(UriTemplateMatchConfigSchema, { pathTemplate }) } } };
}

function portPermission(value: string): Permission {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : -1;
  if (port < 0 || port > 65535) throw new Impossible(`The port ${value} is not a number from 0 to 65535`);
  return { rule: { case: "destinationPort", value: port } };
}

function cidr(value: string): { addressPrefix: string; prefixLen: number } {
  const [address = "", bits] = value.split("/");
  const family = isIP(address);
  const prefixLen = bits === undefined ? (family === 6 ? 128 : 32) : Number(bits);
  if (!family || !Number.isInteger(prefixLen) || prefixLen < 0 || prefixLen > (family === 6 ? 128 : 32))
    throw new Impossible(`${value} is not an address or a range of addresses`);
  return { addressPrefix: address, prefixLen };
}

/** `[a][b]` is the claim b inside a; anything else in brackets is one name. */
function claimPath(brackets: string): string[] {
  if (/^(\[[^[\]]*\])+$/.test(brackets)) return brackets.slice(1, -1).split("][");
  const name = /^\[(.*)\]$/s.exec(brackets)?.[1];
  if (name === undefined) throw new Impossible(`request.auth.claims${brackets} is not of the form request.auth.claims[<name>]`);
  return [name];
}

function httpOnly(key: string, context: RuleContext): void {
  if (context.tcp) throw new Impossible(`${key} can be checked on HTTP only`);
}

const authenticated = (principalName: StringMatcher): Principal => ({ identifier: { case: "authenticated", value: { principalName } } });
const andIds = (ids: Principal[]): Principal => ({ identifier: { case: "andIds", value: { ids } } });
const orIds = (ids: Principal[]): Principal => ({ identifier: { case: "orIds", value: { ids } } });
const notId = (value: Principal): Principal => ({ identifier: { case: "notId", value } });
const orRules = (rules: Permission[]): Permission => ({ rule: { case: "orRules", value: { rules } } });
const notRule = (value: Permission): Permission => ({ rule: { case: "notRule", value } });
