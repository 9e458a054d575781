/** Access control, admission, reviews, custom resource definitions. */
import type { Condition } from "./core.ts";
import type { KubeObject, LabelSelector, Schema } from "./types.ts";

export interface PolicyRule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

export interface Role extends KubeObject {
  rules?: PolicyRule[] | null;
  aggregationRule?: { clusterRoleSelectors?: LabelSelector[] };
}

export interface RoleBinding extends KubeObject {
  subjects?: { kind: string; apiGroup?: string; name: string; namespace?: string }[];
  roleRef: { apiGroup: string; kind: string; name: string };
}

export interface WebhookClientConfig {
  url?: string;
  /** Base64 of PEM. */
  caBundle?: string;
  service?: { namespace: string; name: string; path?: string; port?: number };
}

export interface Webhook {
  name: string;
  clientConfig: WebhookClientConfig;
  rules?: { operations?: string[]; apiGroups?: string[]; apiVersions?: string[]; resources?: string[]; scope?: string }[];
  failurePolicy?: "Ignore" | "Fail";
  matchPolicy?: "Exact" | "Equivalent";
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  sideEffects?: string;
  timeoutSeconds?: number;
  admissionReviewVersions?: string[];
  reinvocationPolicy?: "Never" | "IfNeeded";
  matchConditions?: { name: string; expression: string }[];
}

/** Mutating and validating alike. */
export interface WebhookConfiguration extends KubeObject {
  webhooks?: Webhook[];
}

export type TokenRequest = KubeObject<
  { audiences?: string[]; expirationSeconds?: number; boundObjectRef?: { apiVersion?: string; kind?: string; name?: string; uid?: string } | null },
  { token: string; expirationTimestamp: string }
>;

export type TokenReview = KubeObject<
  { token?: string; audiences?: string[] },
  {
    authenticated?: boolean;
    audiences?: string[];
    user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
    error?: string;
  }
>;

export type CustomResourceDefinition = KubeObject<CrdSpec, CrdStatus>;

export interface CrdSpec {
  group: string;
  scope: "Namespaced" | "Cluster";
  names: CrdNames;
  versions: CrdVersion[];
  conversion?: { strategy?: string; webhook?: unknown };
  preserveUnknownFields?: boolean;
}

export interface CrdNames {
  plural: string;
  singular?: string;
  kind: string;
  listKind?: string;
  shortNames?: string[];
  categories?: string[];
}

export interface CrdVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: Schema };
  subresources?: { status?: Record<string, unknown>; scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string } };
  additionalPrinterColumns?: { name: string; type: string; format?: string; description?: string; priority?: number; jsonPath: string }[];
  selectableFields?: { jsonPath: string }[];
}

export interface CrdStatus {
  conditions?: Condition[];
  acceptedNames?: CrdNames;
  storedVersions?: string[];
}
