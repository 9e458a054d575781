import type { KubeObject } from "../../resources/index.ts";
import { InjectionError } from "./errors.ts";

/** What an API server asks a webhook, of admission.k8s.io/v1. */
export interface AdmissionRequest {
  uid: string;
  namespace: string;
  operation: string;
  /** Nothing will be stored, whatever the answer. */
  dryRun: boolean;
  resource: { group: string; version: string; resource: string };
  object: KubeObject;
  oldObject: KubeObject | undefined;
}

export interface AdmissionAnswer {
  allowed: boolean;
  /** Why not; the API server puts the webhook's name before it. */
  message?: string;
  warnings?: string[];
  /** A JSON Patch. */
  patch?: unknown[];
}

/** Reads an AdmissionReview that came over the network. Throws InjectionError when it is none. */
export function parseReview(body: unknown): AdmissionRequest {
  const request = isRecord(body) && body["kind"] === "AdmissionReview" ? body["request"] : undefined;
  if (!isRecord(request) || typeof request["uid"] !== "string") throw new InjectionError("the body is not an AdmissionReview with a request");
  const { uid, namespace, operation, resource, object, oldObject } = request;
  const gvr = isRecord(resource) ? resource : {};
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return {
    uid,
    namespace: text(namespace),
    operation: text(operation),
    dryRun: request["dryRun"] === true,
    resource: { group: text(gvr["group"]), version: text(gvr["version"]), resource: text(gvr["resource"]) },
    object: asObject(object) ?? { apiVersion: "", kind: "", metadata: { name: "" } },
    oldObject: asObject(oldObject),
  };
}

/** The AdmissionReview that answers `uid`. */
export function reviewOf(uid: string, answer: AdmissionAnswer): unknown {
  const { allowed, message, warnings, patch } = answer;
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    response: {
      uid,
      allowed,
      ...(message === undefined ? {} : { status: { metadata: {}, message } }),
      ...(warnings && warnings.length > 0 ? { warnings } : {}),
      ...(patch && patch.length > 0 ? { patch: Buffer.from(JSON.stringify(patch)).toString("base64"), patchType: "JSONPatch" } : {}),
    },
  };
}

function asObject(value: unknown): KubeObject | undefined {
  if (!isRecord(value)) return undefined;
  const metadata = isRecord(value["metadata"]) ? value["metadata"] : {};
  return { ...value, metadata: { name: "", ...metadata } } as KubeObject;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
