import type { MessageInitShape } from "@bufbuild/protobuf";
import { packAny } from "../../proto/index.ts";
import { RBAC_Action, type RBACSchema } from "../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts";
import { RBACSchema as HttpRbacSchema } from "../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts";
import { RBACSchema as NetworkRbacSchema } from "../../proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts";
import type { AuthorizationPolicy } from "../../resources/index.ts";
import { extAuthzFilters, type ExtAuthzProviders } from "./ext-authz.ts";
import { HTTP_RBAC, NETWORK_RBAC, type FilterConfig } from "./filter.ts";
import { translateRule, type Policy } from "./rbac/rule.ts";
import { appliesTo, type Workload } from "./selection.ts";

type Rbac = MessageInitShape<typeof RBACSchema>;
type Layer = "http" | "tcp";

/** The policies that apply to a workload, by action. */
export interface SelectedAuthorization {
  readonly allow: readonly AuthorizationPolicy[];
  readonly deny: readonly AuthorizationPolicy[];
  readonly audit: readonly AuthorizationPolicy[];
  readonly custom: readonly AuthorizationPolicy[];
}

export interface AuthorizationContext {
  /** The mesh's trust domain, then its aliases. */
  readonly trustDomains: readonly string[];
  readonly providers: ExtAuthzProviders;
}

const DRY_RUN = "istio.io/dry-run";
/** Counters of network RBAC filters are named after it; Istio's dashboards look for them there. */
const TCP_STAT_PREFIX = "tcp.";
const SHADOW_PREFIX: Record<RBAC_Action, string> = {
  [RBAC_Action.ALLOW]: "istio_dry_run_allow_",
  [RBAC_Action.DENY]: "istio_dry_run_deny_",
  [RBAC_Action.LOG]: "",
};

export function selectAuthorization(policies: readonly AuthorizationPolicy[], workload: Workload, rootNamespace: string): SelectedAuthorization {
  const selected = {
    allow: [] as AuthorizationPolicy[],
    deny: [] as AuthorizationPolicy[],
    audit: [] as AuthorizationPolicy[],
    custom: [] as AuthorizationPolicy[],
  };
  const lists: Record<string, AuthorizationPolicy[]> = { ALLOW: selected.allow, DENY: selected.deny, AUDIT: selected.audit, CUSTOM: selected.custom };
  for (const policy of policies) if (appliesTo(policy, workload, rootNamespace)) lists[policy.spec?.action ?? "ALLOW"]?.push(policy);
  return selected;
}

/** The filters of ALLOW, DENY and AUDIT policies, in the order in which they decide. */
export function authorizationFilters(selected: SelectedAuthorization, context: AuthorizationContext, layer: Layer): FilterConfig[] {
  const steps: [readonly AuthorizationPolicy[], RBAC_Action][] = [
    [selected.audit, RBAC_Action.LOG],
    [selected.deny, RBAC_Action.DENY],
    [selected.allow, RBAC_Action.ALLOW],
  ];
  return steps
    .filter(([policies]) => policies.length > 0)
    .map(([policies, action]) => {
      const shadowed = policies.filter(isDryRun);
      const enforced = policies.filter((policy) => !isDryRun(policy));
      const rules = enforced.length > 0 ? rulesOf(enforced, action, context, layer) : undefined;
      const shadowRules = shadowed.length > 0 ? rulesOf(shadowed, action, context, layer) : undefined;
      return rbacFilter(layer, {
        ...(rules && { rules }),
        ...(shadowRules && { shadowRules }),
        shadowRulesStatPrefix: SHADOW_PREFIX[shadowRules ? action : RBAC_Action.ALLOW],
      });
    });
}

/** The pairs of filters of CUSTOM policies: one that finds which policy matches, one that asks its provider. */
export function customFilters(selected: SelectedAuthorization, context: AuthorizationContext, layer: Layer): FilterConfig[] {
  const byProvider = new Map<string, AuthorizationPolicy[]>();
  for (const policy of selected.custom) {
    const name = policy.spec?.provider?.name ?? "";
    const list = byProvider.get(name);
    if (list) list.push(policy);
    else byProvider.set(name, [policy]);
  }
  const providers = [...byProvider.keys()].sort();
  return providers.flatMap((provider): FilterConfig[] => {
    const policies = byProvider.get(provider) ?? [];
    const prefix = provider ? `istio-ext-authz-${provider}-` : "istio-ext-authz-";
    const rules = rulesOf(
      policies.filter((policy) => !isDryRun(policy)),
      RBAC_Action.DENY,
      context,
      layer,
      prefix,
    );
    const filters = providers.length === 1 ? extAuthzFilters(context.providers, provider, layer) : undefined;
    // Several providers on one workload, or one that is not defined: what the policies match is denied, never let through.
    if (!filters) return [rbacFilter(layer, { rules: denyAll(rules) })];
    if (filters.length === 0) return [];
    const dryRun = policies.filter(isDryRun);
    const shadow = { shadowRules: rules, shadowRulesStatPrefix: "istio_ext_authz_" };
    return [rbacFilter(layer, dryRun.length > 0 ? { ...shadow, rules: rulesOf(dryRun, RBAC_Action.DENY, context, layer, prefix) } : shadow), ...filters];
  });
}

export function isDryRun(policy: AuthorizationPolicy): boolean {
  return ["1", "t", "T", "true", "TRUE", "True"].includes(policy.metadata.annotations?.[DRY_RUN] ?? "");
}

function rulesOf(policies: readonly AuthorizationPolicy[], action: RBAC_Action, context: AuthorizationContext, layer: Layer, prefix = ""): Rbac {
  const translated: Record<string, Policy> = {};
  for (const { metadata, spec } of policies) {
    const namespace = metadata.namespace ?? "";
    const name = (index: number): string => `${prefix}ns[${namespace}]-policy[${metadata.name}]-rule[${index}]`;
    const rules = spec?.rules ?? [];
    if (rules.length === 0) translated[name(0)] = NEVER;
    for (const [index, rule] of rules.entries()) {
      const policy = translateRule(rule, {
        tcp: layer === "tcp",
        onImpossible: action === RBAC_Action.ALLOW ? "drop-rule" : "drop-value",
        namespace,
        trustDomains: context.trustDomains,
      });
      if (policy) translated[name(index)] = policy;
    }
  }
  return { action, policies: translated };
}

/** What a policy without rules matches: nothing, so that an ALLOW without rules allows nothing. */
const NEVER: Policy = {
  permissions: [{ rule: { case: "notRule", value: { rule: { case: "any", value: true } } } }],
  principals: [{ identifier: { case: "notId", value: { identifier: { case: "any", value: true } } } }],
};

function denyAll(rules: Rbac): Rbac {
  const policies: Record<string, Policy> = {};
  for (const [name, policy] of Object.entries(rules.policies ?? {})) policies[`${name}-deny-due-to-bad-CUSTOM-action`] = policy as Policy;
  return { action: RBAC_Action.DENY, policies };
}

function rbacFilter(layer: Layer, rbac: { rules?: Rbac; shadowRules?: Rbac; shadowRulesStatPrefix?: string }): FilterConfig {
  if (layer === "http") return { name: HTTP_RBAC, typedConfig: packAny(HttpRbacSchema, rbac) };
  return { name: NETWORK_RBAC, typedConfig: packAny(NetworkRbacSchema, { ...rbac, statPrefix: TCP_STAT_PREFIX }) };
}
