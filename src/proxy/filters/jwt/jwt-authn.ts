import {
  JwtAuthenticationSchema,
  PerRouteConfigSchema,
  type JwtAuthentication,
  type JwtRequirement,
} from "../../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts";
import type { HttpStream } from "../../http/http-stream.ts";
import { compilePath, compileRouteMatch, pathWithoutQuery, type RouteMatch } from "../../router/route-match.ts";
import { InvalidResource } from "../../types.ts";
import type { HttpFilter, HttpFilterFactory } from "../http-filter.ts";
import { routeConfigOf } from "../typed-config.ts";
import { Provider } from "./provider.ts";
import type { JwtFailure } from "./token.ts";

/** Undefined: satisfied. */
type Requirement = (stream: HttpStream) => JwtFailure | undefined;

/** `envoy.filters.http.jwt_authn`: verifies tokens where rules ask for them; 401 for what fails. */
export const jwtAuthnFilter: HttpFilterFactory = {
  typeNames: [JwtAuthenticationSchema.typeName],
  routeTypeNames: [PerRouteConfigSchema.typeName],
  checkRoute: (config) => void config.read(PerRouteConfigSchema),
  create(config, context) {
    const proto = config.read(JwtAuthenticationSchema);
    const providers = new Map(Object.entries(proto.providers).map(([name, each]) => [name, new Provider(each, context.services)]));
    const named = new Map(Object.entries(proto.requirementMap).map(([name, each]) => [name, compileRequirement(each, providers)]));
    const rules = proto.rules.map((rule) => compileRule(rule, providers, named));
    const whole = filter(
      (stream) => {
        if (proto.bypassCorsPreflight && isPreflight(stream)) return undefined;
        const path = pathWithoutQuery(stream.request.path);
        return rules.find((each) => each.match(stream.request, path, stream, stream.draw))?.requirement;
      },
      proto,
      [...providers.values()],
    );
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        const specifier = own.config?.read(PerRouteConfigSchema).requirementSpecifier;
        if (specifier?.case === "disabled") return undefined;
        if (specifier?.case !== "requirementName") return whole;
        const requirement = named.get(specifier.value);
        if (!requirement) return refusing(`Wrong requirement_name: ${specifier.value}. It should be one of requirement_map`);
        return filter(() => requirement, proto, [...providers.values()]);
      },
    };
  },
};

/** Which filter a route is for shows only with its first request: what it names wrongly lets nobody in. */
function refusing(body: string): HttpFilter {
  return {
    onRequest(stream) {
      stream.localReply({ status: 403, body, details: "jwt_authn_access_denied" });
      return "stop";
    },
  };
}

/** What is asked of a request may first need keys that have to be fetched. */
function filter(requirementOf: (stream: HttpStream) => Requirement | undefined, proto: JwtAuthentication, providers: readonly Provider[]): HttpFilter {
  const own: HttpFilter = {
    onRequest(stream) {
      const requirement = requirementOf(stream);
      if (!requirement) return "continue";
      const missing = new Set(providers.flatMap((provider) => provider.missingKeys(stream) ?? []));
      if (missing.size === 0) return enforce(stream, requirement, proto);
      let left = missing.size;
      for (const keys of missing) {
        keys.fetch(() => {
          if (--left === 0 && !stream.done && enforce(stream, requirement, proto) === "continue") stream.proceed(own);
        });
      }
      return stream.decided(own) ? "continue" : "stop";
    },
  };
  return own;
}

function enforce(stream: HttpStream, requirement: Requirement, proto: JwtAuthentication): "continue" | "stop" {
  const failure = requirement(stream);
  if (failure === undefined) return "continue";
  const { request } = stream;
  const realm = `${request.headers.get("x-forwarded-proto") ?? request.scheme}://${request.authority}${pathWithoutQuery(request.path)}`;
  stream.localReply({
    status: failure === "Audiences in Jwt are not allowed" ? 403 : 401,
    body: proto.stripFailureResponse ? "" : failure,
    details: `jwt_authn_access_denied{${failure.replace(/\s/g, "_")}}`,
    ...(proto.stripFailureResponse
      ? {}
      : { headers: [["www-authenticate", `Bearer realm="${realm}"${failure === "Jwt is missing" ? "" : ', error="invalid_token"'}`] as const] }),
  });
  return "stop";
}

function compileRule(
  rule: JwtAuthentication["rules"][number],
  providers: ReadonlyMap<string, Provider>,
  named: ReadonlyMap<string, Requirement>,
): { readonly match: RouteMatch; readonly requirement: Requirement | undefined } {
  if (!rule.match) throw new InvalidResource("INVALID_JWT_AUTHN", "RequirementRuleValidationError.Match: value is required");
  const match = compileRouteMatch(rule.match, compilePath(rule.match));
  const type = rule.requirementType;
  if (type.case === "requires") return { match, requirement: compileRequirement(type.value, providers) };
  if (type.case === undefined) return { match, requirement: undefined };
  const requirement = named.get(type.value);
  if (!requirement) throw new InvalidResource("INVALID_JWT_AUTHN", `Wrong requirement_name: ${type.value}. It should be one of requirement_map`);
  return { match, requirement };
}

function compileRequirement(proto: JwtRequirement, providers: ReadonlyMap<string, Provider>): Requirement {
  const type = proto.requiresType;
  switch (type.case) {
    case "providerName": {
      const provider = providerOf(type.value, providers);
      return (stream) => provider.check(stream, []);
    }
    case "providerAndAudiences": {
      const provider = providerOf(type.value.providerName, providers);
      const { audiences } = type.value;
      return (stream) => provider.check(stream, audiences);
    }
    case "requiresAll": {
      const all = type.value.requirements.map((each) => compileRequirement(each, providers));
      return (stream) => {
        for (const each of all) {
          const failure = each(stream);
          if (failure) return failure;
        }
        return undefined;
      };
    }
    case "requiresAny":
      return compileAny(type.value.requirements, providers);
    // Alone it forgives that there is no token, but what there is must be good for somebody.
    case "allowMissing": {
      const any = [...providers.values()];
      return (stream) => {
        let failure: JwtFailure | undefined;
        for (const provider of any) {
          const result = provider.check(stream, []);
          if (result === undefined) return undefined;
          if (failure === undefined || failure === "Jwt is missing") failure = result;
        }
        return failure === "Jwt is missing" ? undefined : failure;
      };
    }
    case "allowMissingOrFailed":
    case undefined:
      return () => undefined;
  }
}

/** One must be satisfied. `allow_missing` forgives that there is no token at all, `allow_missing_or_failed` anything. */
function compileAny(protos: readonly JwtRequirement[], providers: ReadonlyMap<string, Provider>): Requirement {
  const kinds = protos.map((each) => each.requiresType.case);
  const forgivesMissing = kinds.includes("allowMissing");
  const forgivesAll = kinds.includes("allowMissingOrFailed");
  const real = protos
    .filter((_, index) => kinds[index] !== "allowMissing" && kinds[index] !== "allowMissingOrFailed")
    .map((each) => compileRequirement(each, providers));
  return (stream) => {
    let failure: JwtFailure | undefined;
    for (const each of real) {
      const result = each(stream);
      if (result === undefined) return undefined;
      // What is wrong with a token says more than that another provider's is missing or not its own.
      if (failure === undefined || failure === "Jwt is missing" || (failure === "Jwt issuer is not configured" && result !== "Jwt is missing"))
        failure = result;
    }
    if (forgivesAll || real.length === 0 || (forgivesMissing && failure === "Jwt is missing")) return undefined;
    return failure;
  };
}

function providerOf(name: string, providers: ReadonlyMap<string, Provider>): Provider {
  const provider = providers.get(name);
  if (!provider) throw new InvalidResource("INVALID_JWT_AUTHN", `Required provider ['${name}'] is not configured.`);
  return provider;
}

function isPreflight(stream: HttpStream): boolean {
  const { method, headers } = stream.request;
  return method === "OPTIONS" && (headers.get("origin") ?? "") !== "" && (headers.get("access-control-request-method") ?? "") !== "";
}
