import type { Analyzer, Finding } from "./findings.ts";
import { list, object, spec, text } from "./world.ts";

const REMOVED_KINDS = new Set(["ClusterRbacConfig", "RbacConfig", "ServiceRole", "ServiceRoleBinding"]);
const REMOVED_GROUP = "rbac.istio.io";

export const deprecations: Analyzer = {
  name: "deprecation.DeprecationAnalyzer",
  description: "Checks for deprecated Istio types and fields",
  needs: [],
  run(world) {
    const findings: Finding[] = [];
    for (const about of world.kind("VirtualService")) {
      for (const { fault } of list(spec(about).http)) {
        if (Number(object(object(fault).delay).percent ?? 0) > 0)
          findings.push({ code: "IST0002", about, message: "Deprecated: HTTPRoute.fault.delay.percent is deprecated; use HTTPRoute.fault.delay.percentage" });
      }
    }
    for (const about of world.kind("Sidecar")) {
      if (object(spec(about).outboundTrafficPolicy).egressProxy !== undefined)
        findings.push({ code: "IST0002", about, message: "Deprecated: OutboundTrafficPolicy.EgressProxy ignored" });
    }
    for (const about of world.kind("CustomResourceDefinition")) {
      const kind = text(object(spec(about).names).kind);
      if (spec(about).group === REMOVED_GROUP && REMOVED_KINDS.has(kind))
        findings.push({ code: "IST0002", about, message: `Deprecated: Custom resource type ${REMOVED_GROUP} ${kind} is removed` });
    }
    return findings;
  },
};
