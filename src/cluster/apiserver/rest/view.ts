import { StoredObject } from "../../store/index.ts";
import type { Resource } from "../catalogue.ts";

/** The stored object in the form of the version that a client asked for. */
export function viewed({ converted, apiVersion, id }: Resource, stored: StoredObject): StoredObject {
  if (!converted || stored.apiVersion === apiVersion) return stored;
  return StoredObject.transient(id, converted.conversion.fromStorage(stored.object));
}
