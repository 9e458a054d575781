import { CsrfPolicySchema, type CsrfPolicy } from "../../proto/gen/envoy/extensions/filters/http/csrf/v3/csrf_pb.ts";
import type { RequestHead } from "../http/header-map.ts";
import { compileString } from "../match/strings.ts";
import { fraction } from "../router/route-match.ts";
import type { StatScope } from "../telemetry/stat-scope.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf } from "./typed-config.ts";

/** `envoy.filters.http.csrf`: requests that change something must come from pages of the host that they go to. */
export const csrfFilter: HttpFilterFactory = {
  typeNames: [CsrfPolicySchema.typeName],
  routeTypeNames: [CsrfPolicySchema.typeName],
  checkRoute: (config, { services, stats }) => void compile(config.read(CsrfPolicySchema), stats, services.random),
  create(config, context) {
    const { random } = context.services;
    const whole = compile(config.read(CsrfPolicySchema), context.stats, random);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        return own.config ? compile(own.config.read(CsrfPolicySchema), context.stats, random) : whole;
      },
    };
  },
};

const CHANGING = new Set(["POST", "PUT", "DELETE", "PATCH"]);

function compile(policy: CsrfPolicy, stats: StatScope, random: () => number): HttpFilter {
  if (!policy.filterEnabled) throw new InvalidResource("INVALID_CSRF", "CsrfPolicyValidationError.FilterEnabled: value is required");
  const share = (which: "filterEnabled" | "shadowEnabled"): number => (policy[which]?.defaultValue ? fraction(policy[which].defaultValue) : 0);
  const enabled = share("filterEnabled");
  const shadow = share("shadowEnabled");
  const others = policy.additionalOrigins.map(compileString);
  const missing = stats.counter("csrf.missing_source_origin");
  const valid = stats.counter("csrf.request_valid");
  const invalid = stats.counter("csrf.request_invalid");
  return {
    onRequest(stream) {
      const { request } = stream;
      if (!CHANGING.has(request.method)) return "continue";
      const enforced = random() < enabled;
      if (!enforced && random() >= shadow) return "continue";
      const source = sourceOrigin(request);
      if (source === "") missing.inc();
      if (source !== "" && (source === request.authority || others.some((test) => test(source)))) {
        valid.inc();
        return "continue";
      }
      invalid.inc();
      if (!enforced) return "continue";
      stream.localReply({ status: 403, body: "Invalid origin", details: "csrf_origin_mismatch" });
      return "stop";
    },
  };
}

/** Host and port of the page, without what is the scheme's own port: of Origin, else of Referer. */
function sourceOrigin({ headers }: RequestHead): string {
  const origin = headers.get("origin");
  const url = origin !== undefined && origin !== "" && origin !== "null" ? origin : (headers.get("referer") ?? "");
  return URL.canParse(url) ? new URL(url).host : url;
}
