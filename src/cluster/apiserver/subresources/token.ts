import type { ApiResponse } from "../http/exchange.ts";
import { respondJson } from "../http/respond.ts";
import { conflict, invalid, methodNotAllowed, notFound, StatusError } from "../http/status.ts";
import { isObject, type JsonObject } from "../json.ts";
import { schemaComponent } from "../../../resources/index.ts";
import { emptySet } from "../apply/field-set.ts";
import { encodeManagers, managersAfterUpdate } from "../apply/managed-fields.ts";
import type { RestContext } from "../rest/context.ts";
import { decodeBody } from "../rest/decode-body.ts";
import { negotiatedFor, type ResourceCall, type SpecialHandler } from "../rest/dispatch.ts";
import { timestamp } from "../rest/object-meta.ts";
import { parseWriteOptions } from "../rest/write-options.ts";
import { readObject } from "../rest/read.ts";
import { DEFAULT_TOKEN_SECONDS, ISSUER, MIN_TOKEN_SECONDS, type TokenAuthority, type TokenSubject } from "../auth/tokens.ts";

const TOKEN_REQUEST = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest" };
const NAMED = { group: "authentication.k8s.io", plural: "tokenrequests", kind: "TokenRequest" };

/** `serviceaccounts/x/token`: a token for a service account, for given audiences, bound to a pod or secret if asked. */
export function tokenSubresource(context: RestContext, tokens: TokenAuthority): SpecialHandler {
  return async (call: ResourceCall): Promise<ApiResponse> => {
    const { request, target, resource } = call;
    if (target.verb !== "create") throw methodNotAllowed();
    const body = await decodeBody(request, TOKEN_REQUEST, true);
    const account = await readObject(context.store, resource, target.namespace, target.name);
    const named = isObject(body.metadata) && typeof body.metadata.name === "string" ? body.metadata.name : "";
    if (named !== "" && named !== target.name)
      throw invalid(NAMED, target.name, [
        {
          type: "FieldValueInvalid",
          field: "metadata.name",
          message: `Invalid value: ${JSON.stringify(named)}: must match the service account name if specified`,
        },
      ]);
    const spec = isObject(body.spec) ? body.spec : {};
    const audiences = Array.isArray(spec.audiences) ? spec.audiences.filter((one) => typeof one === "string") : [];
    const seconds = spec.expirationSeconds ?? DEFAULT_TOKEN_SECONDS;
    checkExpiration(seconds);
    const subject: TokenSubject = {
      namespace: target.namespace,
      serviceAccount: { name: target.name, uid: account.metadata.uid ?? "" },
      ...boundTo(context, target.namespace, target.name, spec.boundObjectRef),
    };
    const wanted = audiences.length > 0 ? audiences : [ISSUER];
    const { token, expires } = tokens.issue(subject, wanted, seconds);
    const answer = {
      ...TOKEN_REQUEST,
      metadata: {
        name: target.name,
        namespace: target.namespace,
        uid: account.metadata.uid,
        creationTimestamp: timestamp(context.clock.now()),
        managedFields: managersOf(context, call, { ...spec, expirationSeconds: seconds }),
      },
      spec: { audiences: wanted, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
      status: { token, expirationTimestamp: timestamp(expires) },
    };
    return respondJson(201, JSON.stringify(answer), negotiatedFor(request));
  };
}

/** Whoever asks owns what they asked for. */
function managersOf(context: RestContext, { request }: ResourceCall, spec: JsonObject): JsonObject[] {
  const { manager } = parseWriteOptions(request, "CreateOptions");
  const writer = { manager, apiVersion: TOKEN_REQUEST.apiVersion, subresource: "token", time: timestamp(context.clock.now()), ignored: emptySet() };
  const empty = { ...TOKEN_REQUEST, metadata: {}, spec: { audiences: null, expirationSeconds: null, boundObjectRef: null } };
  return encodeManagers(
    managersAfterUpdate(
      [],
      empty,
      { ...TOKEN_REQUEST, metadata: {}, spec: { audiences: null, boundObjectRef: null, ...spec } },
      schemaComponent("io.k8s.api.authentication.v1.TokenRequest"),
      writer,
    ),
  );
}

function checkExpiration(seconds: unknown): asserts seconds is number {
  const fail = (why: string): never => {
    throw invalid(NAMED, "", [{ type: "FieldValueInvalid", field: "spec.expirationSeconds", message: `Invalid value: ${JSON.stringify(seconds)}: ${why}` }]);
  };
  if (typeof seconds !== "number" || !Number.isInteger(seconds)) fail("must be an integer");
  else if (seconds < MIN_TOKEN_SECONDS) fail("may not specify a duration less than 10 minutes");
  else if (seconds > 2 ** 32) fail("may not specify a duration larger than 2^32 seconds");
}

/** The object that the token dies with. Throws 404, and 409 when it is another one of the name. */
function boundTo(context: RestContext, namespace: string, account: string, reference: unknown): Partial<TokenSubject> {
  if (!isObject(reference)) return {};
  const { kind, name } = reference as JsonObject & { name?: unknown };
  if (typeof name !== "string") return {};
  const find = (plural: string, where: string, kindName: string) => {
    const stored = context.store.get(`/${plural}`, where, name);
    if (!stored) throw notFound({ group: "", plural, kind: kindName }, name);
    const { uid = "" } = stored.metadata;
    if (typeof reference.uid === "string" && reference.uid !== "" && reference.uid !== uid) {
      throw conflict(
        { group: "", plural: kindName, kind: kindName },
        name,
        `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    return { object: stored.object, id: { name, uid } };
  };
  switch (kind) {
    case "Pod": {
      const { object, id } = find("pods", namespace, "Pod");
      const { serviceAccountName, nodeName } = (object.spec ?? {}) as { serviceAccountName?: string; nodeName?: string };
      if (serviceAccountName !== account) {
        throw new StatusError(
          400,
          "BadRequest",
          `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
        );
      }
      const node = nodeName ? context.store.get("/nodes", "", nodeName) : undefined;
      return { pod: id, ...(nodeName ? { node: { name: nodeName, ...(node?.metadata.uid ? { uid: node.metadata.uid } : {}) } } : {}) };
    }
    case "Secret":
      return { secret: find("secrets", namespace, "Secret").id };
    case "Node":
      return { node: find("nodes", "", "Node").id };
    default:
      throw new StatusError(400, "BadRequest", `cannot bind token to object of type /${String(reference.apiVersion ?? "")}, Kind=${String(kind ?? "")}`);
  }
}
