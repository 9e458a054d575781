import { RBACPerRouteSchema, RBACSchema } from "../../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts";
import type { RBAC as RbacConfig } from "../../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts";
import type { HttpFilter, HttpFilterFactory } from "../http-filter.ts";
import { routeConfigOf } from "../typed-config.ts";
import type { StatScope } from "../../telemetry/stat-scope.ts";
import { rbacCounters } from "./counters.ts";
import { compileRules, deniedDetails, HTTP_RBAC, recordShadow } from "./engine.ts";

/** The namespace of its metadata, which Istio's dry-run tags read. */
const METADATA = "envoy.filters.http.rbac";

/** `envoy.filters.http.rbac`: judges each request by policies; 403 for what they refuse. */
export const rbacFilter: HttpFilterFactory = {
  typeNames: [RBACSchema.typeName],
  routeTypeNames: [RBACPerRouteSchema.typeName],
  checkRoute: (config, { stats }) => void compile(config.read(RBACPerRouteSchema).rbac, stats),
  create(config, context) {
    const whole = compile(config.read(RBACSchema), context.stats);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        // A route's own configuration replaces the filter's; without rules it turns the filter off.
        return own.config ? compile(own.config.read(RBACPerRouteSchema).rbac, context.stats) : whole;
      },
    };
  },
};

function compile(config: RbacConfig | undefined, stats: StatScope): HttpFilter | undefined {
  const rules = config && compileRules(config.rules, config.matcher, HTTP_RBAC);
  const shadow = config && compileRules(config.shadowRules, config.shadowMatcher, HTTP_RBAC);
  if (!rules && !shadow) return undefined;
  const prefix = config?.shadowRulesStatPrefix ?? "";
  const count = rbacCounters(stats, config?.rulesStatPrefix ?? "", prefix);
  return {
    refuses(stream) {
      const verdict = rules?.judge(stream);
      return verdict && !verdict.allowed ? { status: 403, body: "RBAC: access denied", details: deniedDetails(verdict) } : undefined;
    },
    onRequest(stream) {
      if (shadow) count.shadow(recordShadow(shadow, stream, METADATA, prefix));
      if (!rules) return "continue";
      const verdict = rules.judge(stream);
      count.enforced(verdict.allowed);
      if (verdict.allowed) return "continue";
      stream.localReply({ status: 403, body: "RBAC: access denied", details: deniedDetails(verdict) });
      return "stop";
    },
  };
}
