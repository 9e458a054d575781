import type { Analyzer, Finding } from "./findings.ts";
import { list, object, text } from "./world.ts";

const GATEWAY_CONDITIONS = ["Accepted", "Programmed", "ResolvedRefs"];

/** Conditions that say no when they are False, by kind. */
const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  Service: ["istio.io/WaypointBound"],
  ServiceEntry: ["istio.io/WaypointBound"],
  WorkloadEntry: ["istio.io/WaypointBound"],
  AuthorizationPolicy: ["ZtunnelAccepted", "WaypointAccepted"],
  KubernetesGateway: GATEWAY_CONDITIONS,
  HTTPRoute: GATEWAY_CONDITIONS,
  GRPCRoute: GATEWAY_CONDITIONS,
};

export const negativeConditions: Analyzer = {
  name: "conditions.ConditionAnalyzer",
  description: "Checks for negative status conditions on resources",
  needs: ["Service"],
  run: (world) =>
    Object.entries(CONDITIONS).flatMap(([kind, types]) =>
      world.kind(kind).flatMap((about) => {
        const { conditions, parents } = object(about.status);
        return [...list(conditions), ...list(parents).flatMap((parent) => list(parent.conditions))].flatMap((condition): Finding[] => {
          const [type, reason] = [text(condition.type), text(condition.reason)];
          const finding: Finding = {
            code: "IST0171",
            about,
            message: `A condition with a negative status is present: type=${type}, reason=${reason}, message=${text(condition.message)}.`,
          };
          const negative = types.includes(type) && condition.status === "False";
          const partial = kind === "AuthorizationPolicy" && type === "WaypointAccepted" && reason === "PartiallyInvalid";
          return negative || partial ? [finding] : [];
        });
      }),
    ),
};
