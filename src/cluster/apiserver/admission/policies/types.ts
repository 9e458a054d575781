import type { KubeObject, LabelSelector } from "../../../../resources/index.ts";
import type { Matcher } from "../webhooks/match.ts";

type Rule = NonNullable<Matcher["rules"]>[number] & { resourceNames?: string[] };

export interface MatchResources {
  resourceRules?: Rule[];
  excludeResourceRules?: Rule[];
  matchPolicy?: Matcher["matchPolicy"];
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
}

export interface Validation {
  expression: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
}

export interface PolicySpec {
  failurePolicy?: "Fail" | "Ignore";
  matchConstraints?: MatchResources;
  matchConditions?: { name: string; expression: string }[];
  paramKind?: { apiVersion: string; kind: string };
  variables?: { name: string; expression: string }[];
  validations?: Validation[];
}

export interface BindingSpec {
  policyName?: string;
  matchResources?: MatchResources;
  paramRef?: { name?: string; namespace?: string; selector?: LabelSelector; parameterNotFoundAction?: "Allow" | "Deny" };
  validationActions?: string[];
}

export type Policy = KubeObject<PolicySpec>;
export type Binding = KubeObject<BindingSpec>;
