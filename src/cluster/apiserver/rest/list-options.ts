import type { FieldError, ResourceDefinition } from "../../../resources/index.ts";
import { badRequest, expired, invalid, StatusError } from "../http/status.ts";
import { type FieldSelector, type Filter, parseFieldSelector, parseLabelSelector } from "./selectors.ts";

export interface ListOptions {
  filter: Filter | undefined;
  /** When a field selector allows one name only. */
  name: string | undefined;
  /** undefined: newest. 0: any. */
  resourceVersion: number | undefined;
  match: "" | "Exact" | "NotOlderThan";
  limit: number;
  /** Where the page before ended. */
  continueFrom: { revision: number; start: string } | undefined;
  allowBookmarks: boolean;
  sendInitialEvents: boolean | undefined;
  timeoutSeconds: number | undefined;
}

const LIST_OPTIONS = { group: "meta.k8s.io", plural: "listoptions", kind: "ListOptions" };

export function parseListOptions(query: URLSearchParams, definition: ResourceDefinition, watching: boolean): ListOptions {
  const labels = parseLabelSelector(query.get("labelSelector"));
  const fields = parseFieldSelector(query.get("fieldSelector"), definition);
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  const sendInitialEvents = query.has("sendInitialEvents") ? isTrue(query.get("sendInitialEvents")) : undefined;
  checkMatch(version, match, watching, sendInitialEvents, query.get("continue") ?? "");
  const continueToken = query.get("continue");
  if (!watching && continueToken && version !== "" && version !== "0") throw badRequest("specifying resource version is not allowed when using continue");
  return {
    filter: both(labels, fields),
    name: fields.name,
    resourceVersion: watching ? watchedVersion(version) : parseResourceVersion(version, "invalid resource version: resourceVersion: "),
    match: match as ListOptions["match"],
    limit: watching ? 0 : parseCount(query.get("limit")),
    continueFrom: !watching && continueToken ? decodeContinue(continueToken) : undefined,
    allowBookmarks: isTrue(query.get("allowWatchBookmarks")),
    sendInitialEvents,
    timeoutSeconds: query.has("timeoutSeconds") ? parseCount(query.get("timeoutSeconds")) : undefined,
  };
}

/** Go's strconv.ParseBool, with "" (as in `?watch`) for true. */
export function isTrue(value: string | null): boolean {
  return value !== null && /^(|1|t|true)$/i.test(value);
}

/** Continue tokens carry the revision of the first page and the key after the last item, as Kubernetes' do. */
export function encodeContinue(revision: number, lastKey: string): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start: `${lastKey}\0` })).toString("base64url");
}

function decodeContinue(token: string): { revision: number; start: string } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    throw badRequest("continue key is not valid: illegal base64 data");
  }
  const { v, rv, start } = (value ?? {}) as { v?: unknown; rv?: unknown; start?: unknown };
  if (v !== "meta.k8s.io/v1" || typeof rv !== "number" || typeof start !== "string")
    throw badRequest("continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  return { revision: rv, start };
}

/** A paged list whose first page is too old to go on. */
export function continueExpired(): Error {
  return expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
  );
}

function both(labels: Filter | undefined, fields: FieldSelector): Filter | undefined {
  if (!labels || !fields.filter) return labels ?? fields.filter;
  const other = fields.filter;
  return (object) => labels(object) && other(object);
}

/** To the real server, a watch from what is no version is a fault of its own. */
function watchedVersion(text: string): number | undefined {
  try {
    return parseResourceVersion(text, "resourceVersion: ");
  } catch (error) {
    throw error instanceof StatusError ? new StatusError(500, "", error.message) : error;
  }
}

/** undefined: none was asked for. `prefix` comes before what is wrong with it. */
export function parseResourceVersion(text: string, prefix = ""): number | undefined {
  if (text === "") return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(`${prefix}Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** Below nothing is as nothing. */
function parseCount(text: string | null): number {
  if (text === null || text === "") return 0;
  if (!/^-?\d{1,10}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Math.max(0, Number(text));
}

function checkMatch(version: string, match: string, watching: boolean, sendInitialEvents: boolean | undefined, continueToken: string): void {
  const fail = (field: string, why: string, type: "FieldValueForbidden" | "FieldValueNotSupported" = "FieldValueForbidden") => {
    throw invalid(LIST_OPTIONS, "", [{ type, field, message: type === "FieldValueForbidden" ? `Forbidden: ${why}` : why }]);
  };
  if (watching) {
    if (sendInitialEvents === undefined) {
      if (match !== "") fail("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
      return;
    }
    if (match === "NotOlderThan") return;
    const field = "resourceVersionMatch";
    const errors: FieldError[] = [
      { type: "FieldValueForbidden", field, message: "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" },
    ];
    if (match !== "")
      errors.push({ type: "FieldValueNotSupported", field, message: `Unsupported value: ${JSON.stringify(match)}: supported values: "NotOlderThan"` });
    throw invalid(LIST_OPTIONS, "", errors);
  }
  if (sendInitialEvents !== undefined) fail("sendInitialEvents", "sendInitialEvents is forbidden for list");
  if (match === "") return;
  if (continueToken !== "") fail("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
  if (version === "") fail("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (match !== "Exact" && match !== "NotOlderThan") {
    fail("resourceVersionMatch", `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`, "FieldValueNotSupported");
  }
  if (match === "Exact" && version === "0") fail("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
}
