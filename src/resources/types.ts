/** Shapes shared by all kinds. Spec types of single kinds live beside their definition. */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  /** RFC 3339, UTC, whole seconds. */
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
}

/** Any object of the API: `Spec` and `Status` are narrowed by the kinds that have them. */
export interface KubeObject<Spec = unknown, Status = unknown> {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: Spec;
  status?: Status;
  /** Kinds without a spec (ConfigMap, Secret, Role, …) carry their fields at the top. */
  [field: string]: unknown;
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: "In" | "NotIn" | "Exists" | "DoesNotExist"; values?: string[] }[];
}

/** A JSON schema in the subset that Kubernetes' structural schemas use. */
export interface Schema {
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  format?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  nullable?: boolean;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  not?: Schema;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: "atomic" | "granular";
  /** Strategic merge patch: built-in kinds only. */
  "x-kubernetes-patch-strategy"?: string;
  "x-kubernetes-patch-merge-key"?: string;
  "x-kubernetes-validations"?: { rule: string; message?: string; messageExpression?: string; reason?: string; fieldPath?: string; optionalOldSelf?: boolean }[];
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
  $ref?: string;
}

/** One cell's column, as Table's columnDefinitions have it. */
export interface Column {
  name: string;
  type: "string" | "integer" | "number" | "boolean" | "date";
  format?: string;
  description: string;
  /** 0 is shown always; above 0 only with -o wide. */
  priority: number;
  /** The finished cell; `now` in milliseconds is for ages. */
  cell(object: KubeObject, now: number): string | number | boolean | null;
}

/** One invalid field, as Kubernetes' field.Error: becomes a cause of a 422 Status. */
export interface FieldError {
  type:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueDuplicate"
    | "FieldValueNotFound"
    | "FieldValueTypeInvalid"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "InternalError";
  /** Dotted path such as `spec.portLevelMtls[0].mode`, or "" / "<nil>" as Kubernetes prints it. */
  field: string;
  /** The whole text after the field's path: `Unsupported value: "X": supported values: "A", "B"`. */
  message: string;
}

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

/** Between a version of a kind and the one in which objects are stored. Neither changes its argument; parts may be shared. */
export interface Conversion {
  toStorage(object: KubeObject): KubeObject;
  fromStorage(object: KubeObject): KubeObject;
}

/**
 * All that the API server, the tables, OpenAPI, validation and patches need to know of one kind in one group.
 * Built-in kinds are written in `src/resources`; a CustomResourceDefinition is turned into one at run time.
 */
export interface ResourceDefinition {
  /** "" for the core group. */
  group: string;
  /** Served versions, preferred first. Without a conversion a version serves the stored object as it is; `deprecation` warns its users. */
  versions: { name: string; schema?: Schema; columns?: Column[]; conversion?: Conversion; deprecation?: string }[];
  /** Another resource that this one only shows in another form, as events.k8s.io does; its version has a conversion. Columns and selectors read the stored form. */
  storedAs?: { group: string; plural: string };
  /** The version in which objects are stored. */
  storageVersion: string;
  kind: string;
  listKind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  categories: string[];
  namespaced: boolean;
  verbs: Verb[];
  /** "status", "scale", and those with their own behaviour such as "log", "exec", "binding", "token". */
  subresources: string[];
  /** Table columns of built-in kinds and versions that bring none of their own. */
  columns: Column[];
  /** Whether this came from a CustomResourceDefinition: no strategic merge, no protobuf, PUT needs a resourceVersion. */
  custom: boolean;
  /** Whether metadata.generation counts spec changes (not for ConfigMap, Secret, Service, Namespace …). */
  hasGeneration: boolean;
  /** Fills in what the server fills in; changes the object in place. `old` on update. */
  setDefaults?(object: KubeObject, old?: KubeObject): void;
  /** Rules beyond the schema. */
  validate?(object: KubeObject): FieldError[];
  /** What only a new object may not have. */
  validateCreate?(object: KubeObject): FieldError[];
  /** Immutable fields and transitions. */
  validateUpdate?(object: KubeObject, old: KubeObject): FieldError[];
  /** What a client that writes such an object should hear of it; `old`: where it is an update. */
  warnings?(object: KubeObject, old?: KubeObject): string[];
  /** Where a custom kind's scale subresource reads and writes, as JSON paths. Built-in kinds: spec.replicas, status.replicas, spec.selector. */
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
  /** Field selectors beyond metadata.name and metadata.namespace: path to value, such as `status.phase`. */
  selectableFields: Record<string, (object: KubeObject) => string>;
}
