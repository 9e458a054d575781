import type { ApiResponse } from "../http/exchange.ts";
import { respondJson } from "../http/respond.ts";
import { badRequest, invalid } from "../http/status.ts";
import { isObject, type JsonObject } from "../json.ts";
import { decodeBody } from "../rest/decode-body.ts";
import { negotiatedFor, type ResourceCall, type SpecialHandler } from "../rest/dispatch.ts";
import type { UserInfo } from "../types.ts";
import type { Action, Authorizer } from "./authorizer.ts";
import type { PolicyRule, RbacAuthorizer } from "./rbac.ts";
import type { TokenAuthority } from "./tokens.ts";

/** The kinds by which clients ask who they are and what they may; answered with 201 and never stored. */
export function reviewHandlers(rbac: RbacAuthorizer, tokens: TokenAuthority): Map<string, SpecialHandler> {
  return new Map<string, SpecialHandler>([
    ["authentication.k8s.io/selfsubjectreviews", review((_, { request }) => ({ status: { userInfo: userInfo(request.user) } }))],
    ["authentication.k8s.io/tokenreviews", review((body) => tokenReview(tokens, body))],
    ["authorization.k8s.io/selfsubjectaccessreviews", review((body, { request }) => accessReview(rbac, "SelfSubjectAccessReview", request.user, body))],
    ["authorization.k8s.io/subjectaccessreviews", review((body) => accessReview(rbac, "SubjectAccessReview", subjectOf("SubjectAccessReview", body), body))],
    ["authorization.k8s.io/localsubjectaccessreviews", review((body, { target }) => localAccessReview(rbac, target.namespace, body))],
    ["authorization.k8s.io/selfsubjectrulesreviews", review((body, { request }) => rulesReview(rbac, request.user, body))],
  ]);
}

type Answer = (body: JsonObject, call: ResourceCall) => JsonObject;

function review(answer: Answer): SpecialHandler {
  return async (call): Promise<ApiResponse> => {
    const { request, resource } = call;
    const { apiVersion, definition } = resource;
    const body = await decodeBody(request, { apiVersion, kind: definition.kind }, true);
    const metadata = isObject(body.metadata) ? body.metadata : {};
    return respondJson(201, JSON.stringify({ kind: definition.kind, apiVersion, metadata: { ...metadata, creationTimestamp: null }, ...(body.spec === undefined ? {} : { spec: body.spec }), ...answer(body, call) }), negotiatedFor(request));
  };
}

function userInfo({ username, uid, groups, extra }: UserInfo): JsonObject {
  return { username, ...(uid ? { uid } : {}), groups, ...(extra && Object.keys(extra).length > 0 ? { extra } : {}) };
}

function tokenReview(tokens: TokenAuthority, { spec }: JsonObject): JsonObject {
  const { token, audiences } = isObject(spec) ? spec : {};
  if (typeof token !== "string" || token === "") {
    throw invalid({ group: "authentication.k8s.io", plural: "tokenreviews", kind: "TokenReview" }, "", [{ type: "FieldValueRequired", field: "spec.token", message: "Required value" }]);
  }
  const wanted = strings(audiences);
  const verdict = tokens.verify(token, wanted.length > 0 ? wanted : undefined);
  if ("error" in verdict) return { status: { user: {}, error: verdict.error } };
  return { status: { authenticated: true, user: userInfo(verdict.user), audiences: verdict.audiences } };
}

function localAccessReview(rbac: RbacAuthorizer, namespace: string, body: JsonObject): JsonObject {
  const attributes = isObject(body.spec) && isObject(body.spec.resourceAttributes) ? body.spec.resourceAttributes : undefined;
  if (!attributes || attributes.namespace !== namespace) throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  return accessReview(rbac, "LocalSubjectAccessReview", subjectOf("LocalSubjectAccessReview", body), body);
}

function accessReview(rbac: Authorizer, kind: string, user: UserInfo, { spec }: JsonObject): JsonObject {
  const action = actionOf(kind, user, isObject(spec) ? spec : {});
  const { allowed, reason } = rbac.authorize(action);
  return { status: { allowed, ...(reason ? { reason } : {}) } };
}

function actionOf(kind: string, user: UserInfo, { resourceAttributes: resource, nonResourceAttributes: path }: JsonObject): Action {
  if (isObject(resource) === isObject(path)) {
    throw invalid({ group: "authorization.k8s.io", plural: `${kind.toLowerCase()}s`, kind }, "", [
      isObject(resource)
        ? { type: "FieldValueInvalid", field: "spec.nonResourceAttributes", message: "Invalid value: null: cannot be specified in combination with resourceAttributes" }
        : { type: "FieldValueInvalid", field: "spec.resourceAttributes", message: "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified" },
    ]);
  }
  const text = (object: JsonObject, name: string) => (typeof object[name] === "string" ? object[name] : "");
  if (isObject(resource)) {
    return {
      user,
      verb: text(resource, "verb"),
      resource: {
        group: text(resource, "group"),
        version: text(resource, "version"),
        resource: text(resource, "resource"),
        subresource: text(resource, "subresource"),
        namespace: text(resource, "namespace"),
        name: text(resource, "name"),
      },
    };
  }
  return { user, verb: text(path as JsonObject, "verb"), path: text(path as JsonObject, "path") };
}

function subjectOf(kind: string, { spec }: JsonObject): UserInfo {
  const { user, groups, uid, extra } = isObject(spec) ? spec : {};
  const username = typeof user === "string" ? user : "";
  const names = strings(groups);
  if (username === "" && names.length === 0) {
    throw invalid({ group: "authorization.k8s.io", plural: `${kind.toLowerCase()}s`, kind }, "", [
      { type: "FieldValueInvalid", field: "spec.user", message: 'Invalid value: "": at least one of user or group must be specified' },
    ]);
  }
  const extras = isObject(extra) ? Object.fromEntries(Object.entries(extra).map(([key, value]) => [key, strings(value)])) : undefined;
  return { username, groups: names, ...(typeof uid === "string" ? { uid } : {}), ...(extras ? { extra: extras } : {}) };
}

function rulesReview(rbac: RbacAuthorizer, user: UserInfo, { spec }: JsonObject): JsonObject {
  const namespace = isObject(spec) && typeof spec.namespace === "string" ? spec.namespace : "";
  if (namespace === "") throw badRequest("no namespace on request");
  const rules: PolicyRule[] = [...rbac.rulesFor(user, namespace)];
  return {
    status: {
      resourceRules: rules.filter(({ resources }) => resources?.length),
      nonResourceRules: rules.filter(({ nonResourceURLs }) => nonResourceURLs?.length).map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      incomplete: false,
    },
  };
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
