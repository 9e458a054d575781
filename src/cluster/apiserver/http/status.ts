import { ChainmailError } from "../../../base/index.ts";
import type { FieldError, ResourceDefinition } from "../../../resources/index.ts";

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** Kubernetes' metav1.Status, the body of every refusal. */
export interface Status {
  kind: "Status";
  apiVersion: "v1";
  metadata: Record<string, never>;
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code?: number;
}

/** A refusal with its answer. Thrown anywhere below a request's handler. */
export class StatusError extends ChainmailError {
  readonly status: Status;
  /** What the client is told beside the refusal. */
  readonly warnings: string[] = [];
  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(`API_${reason === "" ? code : reason.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase()}`, message);
    this.status = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      ...(reason ? { reason } : {}),
      ...(details ? { details } : {}),
      code,
    };
  }
}

/** What names a resource in errors: enough of a ResourceDefinition. */
export type Named = Pick<ResourceDefinition, "group" | "plural" | "kind">;

/** `pods` or `deployments.apps`. */
export function qualifiedResource({ group, plural }: Named): string {
  return group ? `${plural}.${group}` : plural;
}

function qualifiedKind({ group, kind }: Named): string {
  return group ? `${kind}.${group}` : kind;
}

function resourceDetails(named: Named, name: string): StatusDetails {
  return { ...(name ? { name } : {}), ...(named.group ? { group: named.group } : {}), kind: named.plural };
}

export function notFound(named: Named, name: string): StatusError {
  return new StatusError(404, "NotFound", `${qualifiedResource(named)} ${JSON.stringify(name)} not found`, resourceDetails(named, name));
}

/** Nothing is served under such a name. */
export function noSuchResource(): StatusError {
  return new StatusError(404, "NotFound", "the server could not find the requested resource", {});
}

export function alreadyExists(named: Named, name: string): StatusError {
  return new StatusError(409, "AlreadyExists", `${qualifiedResource(named)} ${JSON.stringify(name)} already exists`, resourceDetails(named, name));
}

export const MODIFIED = "the object has been modified; please apply your changes to the latest version and try again";

export function conflict(named: Named, name: string, why: string = MODIFIED): StatusError {
  return new StatusError(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualifiedResource(named)} ${JSON.stringify(name)}: ${why}`,
    resourceDetails(named, name),
  );
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, "BadRequest", message);
}

export function forbidden(named: Named, name: string, why: string, causes?: StatusCause[]): StatusError {
  const subject = name ? `${qualifiedResource(named)} ${JSON.stringify(name)}` : qualifiedResource(named);
  return new StatusError(403, "Forbidden", `${subject} is forbidden: ${why}`, { ...resourceDetails(named, name), ...(causes ? { causes } : {}) });
}

/** 422 with one cause a field. */
export function invalid(named: Named, name: string, errors: readonly FieldError[]): StatusError {
  const lines = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))];
  const message = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
  return new StatusError(422, "Invalid", `${qualifiedKind(named)} ${JSON.stringify(name)} is invalid: ${message}`, {
    ...(name ? { name } : {}),
    ...(named.group ? { group: named.group } : {}),
    ...(named.kind ? { kind: named.kind } : {}),
    causes: errors.map(({ type, field, message: text }) => ({ reason: type, message: text, field })),
  });
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

export function notAcceptable(accepted: readonly string[]): StatusError {
  return new StatusError(406, "NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`);
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );
}

export function tooLarge(message: string): StatusError {
  return new StatusError(413, "RequestEntityTooLarge", message);
}

export function unauthorized(): StatusError {
  return new StatusError(401, "Unauthorized", "Unauthorized");
}

export function expired(message: string): StatusError {
  return new StatusError(410, "Expired", message);
}

/** A revision from the future: the client talked to another cluster, or waits for a write that never came. */
export function futureRevision(asked: number, current: number): StatusError {
  const message = `Too large resource version: ${asked}, current: ${current}`;
  return new StatusError(504, "Timeout", `Timeout: ${message}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}

export function internalError(message: string): StatusError {
  return new StatusError(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });
}

export function success(named: Named, name: string, uid?: string): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { ...resourceDetails(named, name), ...(uid ? { uid } : {}) },
  };
}
