import type { FieldError, KubeObject } from "../types.ts";
import { invalid, notSupported, oneOf, required } from "./field.ts";
import { validateSelector } from "./metadata.ts";

interface Rule {
  apiGroups?: string[];
  apiVersions?: string[];
  operations?: string[];
  resources?: string[];
  scope?: string;
}

interface Match {
  matchPolicy?: string;
  namespaceSelector?: Parameters<typeof validateSelector>[0];
  objectSelector?: Parameters<typeof validateSelector>[0];
  resourceRules?: Rule[];
  excludeResourceRules?: Rule[];
}

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const ACTIONS = ["Audit", "Deny", "Warn"];

/** A ValidatingAdmissionPolicy but for its expressions, which need a compiler. */
export function validateAdmissionPolicy(policy: KubeObject): FieldError[] {
  const {
    failurePolicy,
    matchConstraints,
    validations = [],
    auditAnnotations = [],
  } = (policy.spec ?? {}) as { failurePolicy?: string; matchConstraints?: Match; validations?: { reason?: string }[]; auditAnnotations?: unknown[] };
  const errors: FieldError[] = [];
  if (failurePolicy !== undefined) errors.push(...oneOf("spec.failurePolicy", failurePolicy, ["Fail", "Ignore"]));
  if (!matchConstraints) errors.push(required("spec.matchConstraints"));
  else {
    errors.push(...validateMatch(matchConstraints, "spec.matchConstraints"));
    if (!matchConstraints.resourceRules?.length) errors.push(required("spec.matchConstraints.resourceRules"));
  }
  if (validations.length === 0 && auditAnnotations.length === 0) {
    for (const name of ["validations", "auditAnnotations"])
      errors.push(required(`spec.${name}`, "validations or auditAnnotations must contain at least one item"));
  }
  return errors;
}

export function validateAdmissionPolicyBinding(binding: KubeObject): FieldError[] {
  const {
    policyName = "",
    validationActions = [],
    matchResources,
  } = (binding.spec ?? {}) as { policyName?: string; validationActions?: string[]; matchResources?: Match };
  const errors: FieldError[] = policyName === "" ? [required("spec.policyName")] : [];
  if (matchResources) errors.push(...validateMatch(matchResources, "spec.matchResources"));
  const field = "spec.validationActions";
  if (validationActions.length === 0) errors.push(required(field, "at least one validation action is required"));
  for (const [index, action] of validationActions.entries()) if (!ACTIONS.includes(action)) errors.push(notSupported(`${field}[${index}]`, action, ACTIONS));
  if (validationActions.includes("Deny") && validationActions.includes("Warn")) {
    errors.push(
      invalid(
        field,
        ["Deny", "Warn"],
        "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
      ),
    );
  }
  return errors;
}

function validateMatch({ matchPolicy, namespaceSelector, objectSelector, resourceRules = [], excludeResourceRules = [] }: Match, field: string): FieldError[] {
  return [
    ...(matchPolicy === undefined ? [] : oneOf(`${field}.matchPolicy`, matchPolicy, ["Equivalent", "Exact"])),
    ...validateSelector(namespaceSelector, `${field}.namespaceSelector`),
    ...validateSelector(objectSelector, `${field}.objectSelector`),
    ...resourceRules.flatMap((rule, index) => validateMatchRule(rule, `${field}.resourceRules[${index}]`)),
    ...excludeResourceRules.flatMap((rule, index) => validateMatchRule(rule, `${field}.excludeResourceRules[${index}]`)),
  ];
}

/** Which writes of which resources: also of webhooks. */
export function validateMatchRule({ apiGroups = [], apiVersions = [], operations = [], resources = [], scope }: Rule, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const list = (name: string, values: readonly string[], each: (value: string, at: string) => FieldError[]) => {
    const at = `${field}.${name}`;
    if (values.length === 0) errors.push(required(at));
    if (values.length > 1 && values.includes("*"))
      errors.push(
        invalid(
          at,
          values,
          `if '*' is present, must not specify other ${name === "apiGroups" ? "API groups" : name === "apiVersions" ? "API versions" : name}`,
        ),
      );
    for (const [index, value] of values.entries()) errors.push(...each(value, `${at}[${index}]`));
  };
  list("operations", operations, (value, at) => (OPERATIONS.includes(value) ? [] : [notSupported(at, value, OPERATIONS)]));
  list("apiGroups", apiGroups, () => []);
  list("apiVersions", apiVersions, (value, at) => (value === "" ? [required(at)] : []));
  if (resources.length === 0) errors.push(required(`${field}.resources`));
  if (resources.includes("*") && resources.some((resource) => resource !== "*" && !resource.includes("/")))
    errors.push(invalid(`${field}.resources`, resources, "if '*' is present, must not specify other resources without subresources"));
  for (const [index, resource] of resources.entries()) if (resource === "") errors.push(required(`${field}.resources[${index}]`));
  if (scope !== undefined && !["*", "Cluster", "Namespaced"].includes(scope))
    errors.push(notSupported(`${field}.scope`, scope, ["*", "Cluster", "Namespaced"]));
  return errors;
}
