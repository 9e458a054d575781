import { type FieldError, type KubeObject, selectorMatches } from "../../../../resources/index.ts";
import type { Store } from "../../../store/index.ts";
import { type Catalogue, parseApiVersion, type Resource } from "../../catalogue.ts";
import { forbidden, invalid, StatusError } from "../../http/status.ts";
import type { AdmissionPlugin, Attributes } from "../types.ts";
import { type Matcher, matchWebhook } from "../webhooks/match.ts";
import type { Decision } from "./evaluate.ts";
import type { Binding, MatchResources, Policy, PolicySpec } from "./types.ts";

const POLICIES = "admissionregistration.k8s.io/validatingadmissionpolicies";
const BINDINGS = "admissionregistration.k8s.io/validatingadmissionpolicybindings";
/** What a validation may answer with; anything else is Invalid. */
const CODES: Record<string, number> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413 };

interface Parts {
  store: Store;
  catalogue: Catalogue;
}

/**
 * ValidatingAdmissionPolicies: CEL rules that objects must keep, where a binding says so.
 * https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export function policyAdmission(parts: Parts): AdmissionPlugin {
  return {
    async validate(attributes) {
      if (attributes.resource.id === POLICIES && attributes.object && attributes.subresource === "") await checkPolicy(attributes.object as Policy, attributes);
      const { store } = parts;
      const bindings = store.list(BINDINGS);
      for (const stored of bindings) {
        const binding = stored.object as Binding;
        const policy = store.get(POLICIES, "", binding.spec?.policyName ?? "")?.object as Policy | undefined;
        if (policy) await enforce(parts, policy, binding, attributes);
      }
    },
  };
}

/** Throws when the policy is not kept and the binding denies. */
async function enforce({ store, catalogue }: Parts, policy: Policy, binding: Binding, attributes: Attributes): Promise<void> {
  const spec = policy.spec ?? {};
  const own = binding.spec?.matchResources;
  const resource = matches(spec.matchConstraints, attributes, catalogue, store);
  if (!resource) return;
  // A binding without rules narrows by its selectors alone.
  if (own && !matches({ ...own, resourceRules: own.resourceRules ?? ANYTHING }, attributes, catalogue, store)) return;
  const { decide } = await import("./evaluate.ts");
  const namespace = attributes.namespace ? store.get("/namespaces", "", attributes.namespace)?.object : undefined;
  for (const param of paramsOf(spec, binding, attributes, catalogue, store)) {
    const decisions = typeof param === "string" ? [{ message: param, reason: "" }] : decide(spec, attributes, resource, namespace, param);
    for (const decision of decisions) act(policy, binding, decision, attributes);
  }
}

/** What expressions may speak of. */
const VARIABLES = ["object", "oldObject", "request", "params", "namespaceObject", "authorizer", "variables"];
const ANYTHING = [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*", "*/*"] }];

function act(policy: Policy, binding: Binding, { message, reason }: Decision, { resource, name, warnings }: Attributes): void {
  const actions = binding.spec?.validationActions ?? [];
  const who = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}'`;
  if (actions.includes("Warn")) warnings.push(`Validation failed for ${who}: ${message}`);
  if (!actions.includes("Deny")) return;
  const text = `${who} denied request: ${message}`;
  const { status } = forbidden(resource.definition, name, text);
  const known = reason in CODES ? reason : "Invalid";
  throw new StatusError(CODES[known] ?? 422, known, status.message ?? text, { ...status.details, causes: [{ message: text }] });
}

/** The version of the resource in which the policy sees the write; undefined when it does not concern it. */
function matches(match: MatchResources | undefined, attributes: Attributes, catalogue: Catalogue, store: Store): Resource | undefined {
  if (!match) return undefined;
  const { matchPolicy, namespaceSelector, objectSelector } = match;
  const named = (rules: MatchResources["resourceRules"] = []) =>
    rules.filter(({ resourceNames }) => !resourceNames?.length || resourceNames.includes("*") || resourceNames.includes(attributes.name));
  const matcher = (rules: MatchResources["resourceRules"]): Matcher => ({ rules: named(rules), ...(matchPolicy ? { matchPolicy } : {}) });
  if (match.excludeResourceRules?.length && matchWebhook(matcher(match.excludeResourceRules), attributes, catalogue, store)) return undefined;
  const selectors = { ...(namespaceSelector ? { namespaceSelector } : {}), ...(objectSelector ? { objectSelector } : {}) };
  return matchWebhook({ ...matcher(match.resourceRules), ...selectors }, attributes, catalogue, store);
}

/** The objects that a policy is evaluated with, each in turn; a text says why it cannot be, for those who deny then. */
function paramsOf(
  { paramKind, failurePolicy }: PolicySpec,
  binding: Binding,
  { namespace }: Attributes,
  catalogue: Catalogue,
  store: Store,
): (KubeObject | undefined | string)[] {
  const paramRef = binding.spec?.paramRef;
  if (!paramKind || !paramRef) return [undefined];
  const [group, version] = parseApiVersion(paramKind.apiVersion);
  const resource = catalogue.findKind(group, version, paramKind.kind);
  const unless = (text: string) => (failurePolicy === "Ignore" ? [] : [text]);
  if (!resource)
    return unless(`failed to configure binding: failed to find resource referenced by paramKind: '${paramKind.apiVersion}, Kind=${paramKind.kind}'`);
  const where = resource.definition.namespaced ? paramRef.namespace || namespace : "";
  if (resource.definition.namespaced && where === "")
    return unless("failed to configure binding: cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  const found = paramRef.name
    ? [store.get(resource.id, where, paramRef.name)?.object].filter((object) => object !== undefined)
    : store
        .list(resource.id, where)
        .map(({ object }) => object)
        .filter((object) => selectorMatches(paramRef.selector, object.metadata.labels));
  if (found.length > 0 || paramRef.parameterNotFoundAction === "Allow") return found;
  return unless("failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction");
}

/** What cannot be compiled is refused when the policy is written, not when it is first needed. */
async function checkPolicy({ spec = {}, metadata }: Policy, { resource }: Attributes): Promise<void> {
  const { dynamicChecker } = await import("../../schema/cel-check.ts");
  const checkExpression = dynamicChecker(VARIABLES);
  const errors: FieldError[] = [];
  const check = (field: string, expression: string | undefined, wanted?: "bool" | "string") => {
    if (expression === undefined) return;
    if (expression.trim() === "") {
      errors.push({ type: "FieldValueRequired", field: `spec.${field}`, message: "Required value: expression is not specified" });
      return;
    }
    const checked = checkExpression(expression);
    if ("problem" in checked)
      errors.push({
        type: "FieldValueInvalid",
        field: `spec.${field}`,
        message: `Invalid value: ${JSON.stringify(expression)}: compilation failed: ${checked.problem}`,
      });
    else if (wanted !== undefined && checked.type !== wanted && checked.type !== "dyn")
      errors.push({ type: "FieldValueInvalid", field: `spec.${field}`, message: `Invalid value: ${JSON.stringify(expression)}: must evaluate to ${wanted}` });
  };
  spec.matchConditions?.forEach(({ expression }, i) => check(`matchConditions[${i}].expression`, expression, "bool"));
  spec.variables?.forEach(({ expression }, i) => check(`variables[${i}].expression`, expression));
  spec.validations?.forEach(({ expression, messageExpression }, i) => {
    check(`validations[${i}].expression`, expression, "bool");
    check(`validations[${i}].messageExpression`, messageExpression, "string");
  });
  if (errors.length > 0) throw invalid(resource.definition, metadata.name, errors);
}
