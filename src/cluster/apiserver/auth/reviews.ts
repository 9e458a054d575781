import type { ApiResponse } from "../http/exchange.ts";
import { respondJson } from "../http/respond.ts";
import { badRequest, invalid } from "../http/status.ts";
import { isObject, type JsonObject } from "../json.ts";
import { decodeBody } from "../rest/decode-body.ts";
import { negotiatedFor, type ResourceCall, type SpecialHandler } from "../rest/dispatch.ts";
import type { UserInfo } from "../types.ts";
import type { RestContext } from "../rest/context.ts";
import { timestamp } from "../rest/object-meta.ts";
import { parseWriteOptions } from "../rest/write-options.ts";
import { emptyObject } from "../apply/empty-object.ts";
import { emptySet } from "../apply/field-set.ts";
import { encodeManagers, managersAfterUpdate } from "../apply/managed-fields.ts";
import type { Action } from "./authorizer.ts";
import type { PolicyRule, RbacAuthorizer } from "./rbac.ts";
import type { TokenAuthority } from "./tokens.ts";

/** The kinds by which clients ask who they are and what they may; answered with 201 and never stored. */
export function reviewHandlers(context: RestContext, rbac: RbacAuthorizer, tokens: TokenAuthority): Map<string, SpecialHandler> {
  const review = (answer: Answer) => reviewIn(context, answer);
  return new Map<string, SpecialHandler>([
    [
      "authentication.k8s.io/selfsubjectreviews",
      review((body, { request }) => ({
        metadata: { ...(body.metadata as object), creationTimestamp: timestamp(context.clock.now()) },
        status: { userInfo: userInfo(request.user) },
      })),
    ],
    ["authentication.k8s.io/tokenreviews", review((body) => tokenReview(tokens, body))],
    ["authorization.k8s.io/selfsubjectaccessreviews", review((body, { request }) => accessReview(rbac, request.user, body))],
    ["authorization.k8s.io/subjectaccessreviews", review((body) => accessReview(rbac, subjectOf(body), body))],
    ["authorization.k8s.io/localsubjectaccessreviews", review((body, { target }) => localAccessReview(rbac, target.namespace, body))],
    ["authorization.k8s.io/selfsubjectrulesreviews", review((body, { request }) => rulesReview(rbac, request.user, body))],
  ]);
}

type Answer = (body: JsonObject, call: ResourceCall, context: RestContext) => JsonObject;

function managersOf(context: RestContext, { request, resource }: ResourceCall, asked: JsonObject): JsonObject[] {
  const { manager } = parseWriteOptions(request, "CreateOptions");
  const writer = { manager, apiVersion: resource.apiVersion, subresource: "", time: timestamp(context.clock.now()), ignored: emptySet() };
  return encodeManagers(managersAfterUpdate([], emptyObject(resource), asked, resource.schema, writer));
}

function reviewIn(context: RestContext, answer: Answer): SpecialHandler {
  return async (call): Promise<ApiResponse> => {
    const { request, resource } = call;
    const { apiVersion, definition } = resource;
    const body = await decodeBody(request, { apiVersion, kind: definition.kind }, true);
    const metadata = { ...(isObject(body.metadata) ? body.metadata : {}), ...(call.target.namespace ? { namespace: call.target.namespace } : {}) };
    const asked: JsonObject = { kind: definition.kind, apiVersion, metadata, ...(body.spec === undefined ? {} : { spec: body.spec }) };
    // Whoever asks owns the question, as if it were stored.
    if (body.spec !== undefined && definition.kind !== "SelfSubjectRulesReview")
      asked.metadata = { ...metadata, managedFields: managersOf(context, call, asked) };
    return respondJson(201, JSON.stringify({ ...asked, ...answer(asked, call, context) }), negotiatedFor(request));
  };
}

function userInfo({ username, uid, groups, extra }: UserInfo): JsonObject {
  return { username, ...(uid ? { uid } : {}), groups, ...(extra && Object.keys(extra).length > 0 ? { extra } : {}) };
}

function tokenReview(tokens: TokenAuthority, { spec }: JsonObject): JsonObject {
  const { token, audiences } = isObject(spec) ? spec : {};
  if (typeof token !== "string" || token === "") {
    throw badRequest("token is required for TokenReview in authentication");
  }
  const wanted = strings(audiences);
  const verdict = tokens.verify(token, wanted.length > 0 ? wanted : undefined);
  if ("error" in verdict) return { status: { user: {}, error: verdict.error } };
  return { status: { authenticated: true, user: userInfo(verdict.user), audiences: verdict.audiences } };
}

function localAccessReview(rbac: RbacAuthorizer, namespace: string, body: JsonObject): JsonObject {
  const { resourceAttributes, nonResourceAttributes: path } = isObject(body.spec) ? body.spec : {};
  if (isObject(path)) throw invalidReview("spec.nonResourceAttributes", pathAttributes(path), "disallowed on this kind of request");
  if (isObject(resourceAttributes) && resourceAttributes.namespace !== namespace)
    throw invalidReview("spec.resourceAttributes.namespace", resourceAttributes.namespace ?? "", "must match metadata.namespace");
  return accessReview(rbac, subjectOf(body), body);
}

function accessReview(rbac: RbacAuthorizer, user: UserInfo, body: JsonObject): JsonObject {
  const { spec } = body;
  checkUnnamed(body);
  const action = actionOf(user, isObject(spec) ? spec : {});
  const { allowed } = rbac.authorize(action);
  const reason = allowed ? rbac.explain(action) : "";
  return { status: { allowed, ...(reason ? { reason } : {}) } };
}

function actionOf(user: UserInfo, { resourceAttributes: resource, nonResourceAttributes: path }: JsonObject): Action {
  if (isObject(resource) && isObject(path))
    throw invalidReview("spec.nonResourceAttributes", pathAttributes(path), "cannot be specified in combination with resourceAttributes");
  if (!isObject(resource) && !isObject(path))
    throw invalidReview("spec.resourceAttributes", null, "exactly one of nonResourceAttributes or resourceAttributes must be specified");
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

function subjectOf({ spec }: JsonObject): UserInfo {
  const { user, groups, uid, extra } = isObject(spec) ? spec : {};
  const username = typeof user === "string" ? user : "";
  const names = strings(groups);
  if (username === "" && names.length === 0) {
    throw invalidReview("spec.user", "", "at least one of user or group must be specified");
  }
  const extras = isObject(extra) ? Object.fromEntries(Object.entries(extra).map(([key, value]) => [key, strings(value)])) : undefined;
  return { username, groups: names, ...(typeof uid === "string" ? { uid } : {}), ...(extras ? { extra: extras } : {}) };
}

function rulesReview(rbac: RbacAuthorizer, user: UserInfo, { spec }: JsonObject): JsonObject {
  const namespace = isObject(spec) && typeof spec.namespace === "string" ? spec.namespace : "";
  if (namespace === "") throw badRequest("no namespace on request");
  const rules: PolicyRule[] = [...rbac.rulesFor(user, namespace)];
  return {
    spec: {},
    status: {
      resourceRules: rules.filter(({ resources }) => resources?.length),
      nonResourceRules: rules.filter(({ nonResourceURLs }) => nonResourceURLs?.length).map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      incomplete: false,
    },
  };
}

/** A review is a question: it has no name to be found by. */
function checkUnnamed({ metadata }: JsonObject): void {
  const { namespace: _, managedFields: __, ...rest } = isObject(metadata) ? metadata : {};
  // Fields that hold nothing are not there in the real server's types.
  if (Object.values(rest).some((value) => value !== "" && value !== null && value !== undefined))
    throw invalidReview("metadata", metadata, "must be empty except for namespace");
}

/** Attributes as the real server holds them and shows them in refusals. */
function pathAttributes({ path = "", verb = "" }: JsonObject): JsonObject {
  return { Path: path, Verb: verb };
}

/** The real server's refusal names no kind. */
function invalidReview(field: string, value: unknown, why: string): Error {
  return invalid({ group: "authorization.k8s.io", plural: "", kind: "" }, "", [
    { type: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` },
  ]);
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
