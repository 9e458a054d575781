import { ActionSchema, RBAC_Action, type Action } from "../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts";
import type { Matcher } from "../../../proto/gen/xds/type/matcher/v3/matcher_pb.ts";
import { checkConstraints } from "../../constraints/index.ts";
import { unpackAny } from "../../../proto/index.ts";
import { unknownExtension, type MatchWhere } from "../../match/matcher-inputs.ts";
import { compileMatcher, type Decide } from "../../match/matcher-tree.ts";
import type { StreamInfo } from "../../telemetry/stream-info.ts";
import type { RbacRules, RbacVerdict } from "./engine.ts";

/** RBAC as a matcher tree whose leaves say what is done. What nothing in it matches is denied. */
export class MatcherEngine implements RbacRules {
  readonly #decide: Decide<Action>;

  /** Throws InvalidResource. */
  constructor(matcher: Matcher, where: MatchWhere) {
    this.#decide = compileMatcher(matcher, {
      where,
      action(config) {
        const action = unpackAny(ActionSchema, config.typedConfig);
        if (!action) throw unknownExtension(config);
        checkConstraints(action);
        return action;
      },
    });
  }

  judge(info: StreamInfo): RbacVerdict {
    const action = this.#decide(info);
    return action ? { allowed: action.action !== RBAC_Action.DENY, policy: action.name } : { allowed: false, policy: undefined };
  }
}
