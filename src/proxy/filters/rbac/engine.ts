import type { CidrRange } from "../../../proto/gen/envoy/config/core/v3/address_pb.ts";
import { RBAC_Action, type Permission, type Policy, type Principal, type RBAC } from "../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts";
import type { Matcher } from "../../../proto/gen/xds/type/matcher/v3/matcher_pb.ts";
import type { PathMatcher } from "../../../proto/gen/envoy/type/matcher/v3/path_pb.ts";
import { compileCidr, ipBytes } from "../../match/cidr.ts";
import { compileHeader } from "../../match/headers.ts";
import type { MatchWhere } from "../../match/matcher-inputs.ts";
import { compileString } from "../../match/strings.ts";
import { compileMetadata } from "../../match/values.ts";
import { pathWithoutQuery } from "../../router/route-match.ts";
import type * as CelFilterModule from "../../telemetry/cel-filter.ts";
import type { StreamInfo } from "../../telemetry/stream-info.ts";
import { InvalidResource } from "../../types.ts";
import type * as CelTextModule from "../../match/cel-text.ts";
import type * as MatcherModule from "./matcher-engine.ts";
import { compileUriTemplate } from "../../match/uri-template.ts";

/** A condition of a policy. On TCP there is no request, and what asks for one does not match. */
type Condition = (info: StreamInfo) => boolean;

export interface RbacVerdict {
  readonly allowed: boolean;
  /** The policy that decided, undefined when none matched. */
  readonly policy: string | undefined;
}

/** What judges requests and connections, whichever way it was written. */
export interface RbacRules {
  judge(info: StreamInfo): RbacVerdict;
}

/** Compiled RBAC rules: an ordered list of policies and what a match means. */
export class RbacEngine implements RbacRules {
  readonly #policies: readonly { readonly name: string; readonly matches: Condition }[];

  /** Throws InvalidResource for conditions that are not known: a policy that cannot be judged must not be taken. */
  constructor(private readonly rules: RBAC) {
    // Envoy keeps policies in a sorted map; the first that matches is the one that logs name.
    this.#policies = Object.keys(rules.policies)
      .sort()
      .map((name) => {
        const policy = rules.policies[name] as RBAC["policies"][string];
        const condition = compileCondition(policy);
        const permissions = policy.permissions.map(compilePermission);
        const principals = policy.principals.map(compilePrincipal);
        return {
          name,
          matches: (info: StreamInfo) =>
            permissions.some((test) => test(info)) && principals.some((test) => test(info)) && (condition === undefined || condition(info)),
        };
      });
  }

  judge(info: StreamInfo): RbacVerdict {
    let policy: string | undefined;
    for (const each of this.#policies) {
      if (each.matches(info)) {
        policy = each.name;
        break;
      }
    }
    switch (this.rules.action) {
      case RBAC_Action.ALLOW:
        return { allowed: policy !== undefined, policy };
      case RBAC_Action.DENY:
        return { allowed: policy === undefined, policy };
      default:
        return { allowed: true, policy };
    }
  }
}

/** Which inputs a matcher tree may have. */
export const HTTP_RBAC: MatchWhere = {
  http: true,
  listener: false,
  name: "requirement violation while creating RBAC match tree: INVALID_ARGUMENT: RBAC HTTP filter",
};
export const NETWORK_RBAC: MatchWhere = {
  http: false,
  listener: false,
  name: "requirement violation while creating RBAC match tree: INVALID_ARGUMENT: RBAC network filter",
};

/** What a filter enforces, or only records: a matcher tree goes before rules, as in Envoy. Throws InvalidResource. */
export function compileRules(rules: RBAC | undefined, matcher: Matcher | undefined, where: MatchWhere): RbacRules | undefined {
  // Few have one: what it needs is loaded with the first.
  if (matcher) return new (require("./matcher-engine.ts") as typeof MatcherModule).MatcherEngine(matcher, where);
  return rules && new RbacEngine(rules);
}

/** What the access log says of a refusal. */
export function deniedDetails(verdict: RbacVerdict): string {
  return `rbac_access_denied_matched_policy[${(verdict.policy ?? "none").replace(/\s/g, "_")}]`;
}

/** Shadow rules decide nothing; what they would have done goes into the stream's metadata. */
export function recordShadow(engine: RbacRules, info: StreamInfo, filter: string, prefix: string): boolean {
  const verdict = engine.judge(info);
  if (verdict.policy !== undefined) info.setMetadata(filter, `${prefix}shadow_effective_policy_id`, verdict.policy);
  info.setMetadata(filter, `${prefix}shadow_engine_result`, verdict.allowed ? "allowed" : "denied");
  return verdict.allowed;
}

/** A policy's condition in CEL, over Envoy's attributes; one that cannot be evaluated does not match. */
function compileCondition({ condition, checkedCondition }: Policy): Condition | undefined {
  const expression = condition ?? checkedCondition?.expr;
  if (!expression) return undefined;
  const { celText } = require("../../match/cel-text.ts") as typeof CelTextModule;
  const { compileCelFilter } = require("../../telemetry/cel-filter.ts") as typeof CelFilterModule;
  return compileCelFilter(celText(expression));
}

function compilePermission(permission: Permission): Condition {
  const { rule } = permission;
  switch (rule.case) {
    case "andRules":
      return all(rule.value.rules.map(compilePermission));
    case "orRules":
      return any(rule.value.rules.map(compilePermission));
    case "any":
      return () => rule.value;
    case "notRule":
      return not(compilePermission(rule.value));
    case "header":
      return onRequest(compileHeader(rule.value));
    case "urlPath":
      return urlPath(rule.value);
    case "destinationIp":
      return inRange(rule.value, (info) => info.downstream.local.address);
    case "destinationPort":
      return (info) => info.downstream.local.port === rule.value;
    case "destinationPortRange": {
      const { start, end } = rule.value;
      return (info) => info.downstream.local.port >= start && info.downstream.local.port < end;
    }
    case "metadata":
      return dynamicMetadata(rule.value);
    case "requestedServerName": {
      const test = compileString(rule.value);
      return (info) => test(info.downstream.serverName);
    }
    case "uriTemplate": {
      const test = compileUriTemplate(rule.value);
      return (info) => info.request !== undefined && test(pathWithoutQuery(info.request.path));
    }
  }
  throw new InvalidResource("UNSUPPORTED_RBAC", `RBAC permission ${rule.case ?? "(none)"} is not supported`);
}

function compilePrincipal(principal: Principal): Condition {
  const { identifier } = principal;
  switch (identifier.case) {
    case "andIds":
      return all(identifier.value.ids.map(compilePrincipal));
    case "orIds":
      return any(identifier.value.ids.map(compilePrincipal));
    case "any":
      return () => identifier.value;
    case "notId":
      return not(compilePrincipal(identifier.value));
    case "authenticated": {
      const { principalName } = identifier.value;
      // As Envoy, whatever its documentation says: TLS is enough, and whether it takes a certificate is the listener's word.
      if (!principalName) return (info) => info.downstream.tls !== undefined;
      const test = compileString(principalName);
      return ({ downstream }) => {
        const peer = downstream.tls?.peer;
        if (!peer) return false;
        if (peer.uriSans.length > 0) return peer.uriSans.some(test);
        return peer.dnsSans.length > 0 ? peer.dnsSans.some(test) : test(peer.subject);
      };
    }
    case "sourceIp":
    case "remoteIp":
      return inRange(identifier.value, (info) => info.remoteIp);
    case "directRemoteIp":
      return inRange(identifier.value, (info) => info.downstream.remote.address);
    case "header":
      return onRequest(compileHeader(identifier.value));
    case "urlPath":
      return urlPath(identifier.value);
    case "metadata":
      return dynamicMetadata(identifier.value);
    case "filterState": {
      const { key, matcher } = identifier.value;
      if (matcher.case !== "stringMatch") break;
      const test = compileString(matcher.value);
      if (key !== "io.istio.peer_principal") {
        return (info) => {
          const value = info.namedState?.get(key) ?? info.downstream.namedState?.get(key);
          return value !== undefined && test(value);
        };
      }
      return (info) => info.downstream.peerPrincipal !== "" && test(info.downstream.peerPrincipal);
    }
  }
  throw new InvalidResource("UNSUPPORTED_RBAC", `RBAC principal ${identifier.case ?? "(none)"} is not supported`);
}

function all(conditions: readonly Condition[]): Condition {
  const [only] = conditions;
  return conditions.length === 1 && only ? only : (info) => conditions.every((test) => test(info));
}

function any(conditions: readonly Condition[]): Condition {
  const [only] = conditions;
  return conditions.length === 1 && only ? only : (info) => conditions.some((test) => test(info));
}

function not(condition: Condition): Condition {
  return (info) => !condition(info);
}

function onRequest(test: ReturnType<typeof compileHeader>): Condition {
  return (info) => info.request !== undefined && test(info.request);
}

function urlPath(matcher: PathMatcher): Condition {
  if (matcher.rule.case !== "path") throw new InvalidResource("UNSUPPORTED_RBAC", "RBAC url_path without a path matcher");
  const test = compileString(matcher.rule.value);
  return (info) => info.request !== undefined && test(pathWithoutQuery(info.request.path));
}

function inRange(range: CidrRange, address: (info: StreamInfo) => string): Condition {
  const cidr = compileCidr(range);
  return (info) => {
    const bytes = ipBytes(address(info));
    return bytes !== undefined && cidr.contains(bytes);
  };
}

function dynamicMetadata(matcher: Parameters<typeof compileMetadata>[0]): Condition {
  const test = compileMetadata(matcher);
  return (info) => test((filter) => info.dynamicMetadata?.get(filter));
}
