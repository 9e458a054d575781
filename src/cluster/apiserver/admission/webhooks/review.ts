import { randomUUID } from "node:crypto";
import type { KubeObject } from "../../../../resources/index.ts";
import type { Resource } from "../../catalogue.ts";
import { inVersion } from "../../apply/empty-object.ts";
import { StatusError } from "../../http/status.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { Attributes } from "../types.ts";
import { WebhookUnavailable } from "./caller.ts";

export interface Verdict {
  allowed: boolean;
  /** A JSON patch. */
  patch: unknown;
  warnings: string[];
  status: JsonObject | undefined;
}

/** The question that a webhook gets, and its id. `resource`: the version that it is shown. */
export function admissionReview(attributes: Attributes, resource: Resource): { uid: string; request: JsonObject } {
  const { operation, namespace, name, subresource, object, old, user, dryRun, options } = attributes;
  const uid = randomUUID();
  const original = attributes.resource;
  const kindOf = ({ definition, version }: Resource) => ({ group: definition.group, version, kind: definition.kind });
  const resourceOf = ({ definition, version }: Resource) => ({ group: definition.group, version, resource: definition.plural });
  const shown = (one: KubeObject | undefined) => (one ? inVersion(one, resource) : null);
  const request = {
    uid,
    kind: kindOf(resource),
    resource: resourceOf(resource),
    ...(subresource ? { subResource: subresource } : {}),
    requestKind: kindOf(original),
    requestResource: resourceOf(original),
    ...(subresource ? { requestSubResource: subresource } : {}),
    ...(name ? { name } : {}),
    ...(namespace ? { namespace } : {}),
    operation,
    userInfo: { username: user.username, ...(user.uid ? { uid: user.uid } : {}), groups: user.groups, ...(user.extra ? { extra: user.extra } : {}) },
    object: shown(object),
    oldObject: shown(old),
    dryRun,
    options,
  };
  return { uid, request };
}

export function reviewBody(request: JsonObject): string {
  return JSON.stringify({ kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request });
}

/** Reads the answer. Throws WebhookUnavailable for one that does not answer the question. */
export function parseVerdict(text: string, uid: string): Verdict {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new WebhookUnavailable("failed to call webhook: the answer is no JSON");
  }
  if (!isObject(answer) || !isObject(answer.response)) throw new WebhookUnavailable("failed to call webhook: webhook response is missing");
  const { response } = answer;
  if (answer.apiVersion !== "admission.k8s.io/v1" || answer.kind !== "AdmissionReview") {
    throw new WebhookUnavailable(
      `failed to call webhook: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${String(answer.apiVersion)}, Kind=${String(answer.kind)}`,
    );
  }
  if (response.uid !== uid)
    throw new WebhookUnavailable(`failed to call webhook: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid)}`);
  return {
    allowed: response.allowed === true,
    patch: parsePatch(response),
    warnings: Array.isArray(response.warnings) ? response.warnings.filter((warning) => typeof warning === "string") : [],
    status: isObject(response.status) ? response.status : undefined,
  };
}

function parsePatch({ patch, patchType }: JsonObject): unknown {
  if (patch === undefined || patch === null || patch === "") return undefined;
  if (typeof patch !== "string" || patchType !== "JSONPatch")
    throw new WebhookUnavailable(`failed to call webhook: webhook returned response.patch but not response.patchType=JSONPatch`);
  try {
    return JSON.parse(Buffer.from(patch, "base64").toString());
  } catch {
    throw new WebhookUnavailable("failed to call webhook: response.patch is no JSON");
  }
}

/** A refusal in the webhook's words and with its code, 400 where it gives none. */
export function denial(webhook: string, status: JsonObject | undefined): StatusError {
  const deniedBy = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const text = (name: string) => (typeof status?.[name] === "string" ? (status[name] as string) : "");
  const message = text("message") ? `${deniedBy}: ${text("message")}` : text("reason") ? `${deniedBy}: ${text("reason")}` : `${deniedBy} without explanation`;
  const code = typeof status?.code === "number" && status.code >= 400 ? status.code : 400;
  return new StatusError(code, text("reason"), message, isObject(status?.details) ? status.details : undefined);
}
