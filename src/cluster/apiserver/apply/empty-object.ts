import { type KubeObject, resolveSchema, type Schema } from "../../../resources/index.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { Resource } from "../catalogue.ts";

/**
 * What a create is compared with: an empty object of the kind. For built-in kinds Go's structs have some objects even
 * when empty (those that are no pointers), so nobody comes to own these containers themselves.
 */
export function emptyObject({ definition, apiVersion, schema }: Resource): JsonObject {
  const empty: JsonObject = { apiVersion, kind: definition.kind };
  if (definition.custom || !schema) return empty;
  const { properties = {} } = resolveSchema(schema);
  for (const name of TOP) if (properties[name]) empty[name] = structOf(properties[name], name);
  for (const [name, value] of Object.entries(SHOWN_EMPTY[definition.kind] ?? {})) {
    if (name !== "spec") empty[name] = value;
    else if (isObject(empty.spec) && isObject(value)) Object.assign(empty.spec, value);
  }
  if (POINTERS[definition.kind] && isObject(empty.spec)) delete empty.spec[POINTERS[definition.kind] as string];
  return empty;
}

const TOP = ["metadata", "spec", "status", "template", "roleRef"];
/** Of single kinds, what Go shows although it is empty. */
const SHOWN_EMPTY: Record<string, JsonObject> = {
  Event: { firstTimestamp: null, lastTimestamp: null, eventTime: null, source: {}, reportingComponent: "", reportingInstance: "", involvedObject: {} },
  Role: { rules: null },
  ClusterRole: { rules: null },
  StatefulSet: { spec: { serviceName: "" } },
  PersistentVolumeClaim: { spec: { resources: {} } },
  NetworkPolicy: { spec: { podSelector: {} } },
  HorizontalPodAutoscaler: { spec: { scaleTargetRef: {} } },
  CustomResourceDefinition: { spec: { names: {} } },
  CSINode: { spec: { drivers: null } },
  VolumeAttachment: { spec: { source: {} } },
  FlowSchema: { spec: { priorityLevelConfiguration: {} } },
  ResourceClaim: { spec: { devices: {} } },
  ResourceClaimTemplate: { spec: { metadata: {}, spec: { devices: {} } } },
  ResourceSlice: { spec: { pool: { generation: 0 }, devices: null } },
};
/** Kinds in whose spec one of the structs below is a pointer after all. */
const POINTERS: Record<string, string> = { ReplicationController: "template" };
/** Fields that are structs by value wherever they occur in a built-in kind's spec or status. */
const NESTED = ["template", "jobTemplate", "strategy", "updateStrategy", "loadBalancer"];
/** Lists that Go writes as null instead of leaving them out. */
const NULL_LISTS = ["containers"];

function structOf(reference: Schema, name: string): JsonObject {
  const { properties = {} } = resolveSchema(reference);
  const result: JsonObject = {};
  if (name === "metadata" || name === "roleRef") return result;
  for (const field of NESTED) {
    const schema = properties[field];
    if (schema && resolveSchema(schema).properties) result[field] = structOf(schema, field);
  }
  if (name === "template" || name === "jobTemplate") {
    for (const field of ["metadata", "spec"]) if (properties[field]) result[field] = structOf(properties[field], field);
  }
  for (const field of NULL_LISTS) if (properties[field]) result[field] = null;
  return result;
}

/** The object with apiVersion and kind of the version that a request is in. */
export function inVersion(object: JsonObject, resource: Resource): JsonObject {
  const { apiVersion, definition, converted } = resource;
  if (converted && object.apiVersion !== apiVersion) return converted.conversion.fromStorage(object as KubeObject);
  return object.apiVersion === apiVersion && isObject(object) ? object : { ...object, apiVersion, kind: definition.kind };
}
