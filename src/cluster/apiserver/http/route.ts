/** What a path and method mean, before it is known whether such a resource exists. */
export interface ResourceRequest {
  verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";
  group: string;
  version: string;
  /** "" at cluster scope or for all namespaces. */
  namespace: string;
  resource: string;
  name: string;
  subresource: string;
  /** What follows the subresource: `services/x/proxy/a/b`. */
  rest: string;
}

/**
 * Reads `/api/v1/…` and `/apis/group/version/…` as Kubernetes does. Undefined for paths that name no resource;
 * throws URIError on broken percent-encoding.
 */
export function parseResourcePath(method: string, path: string, watching: boolean, fieldSelector: string | null): ResourceRequest | undefined {
  const parts = path.split("/").slice(1).map(decodeURIComponent);
  if (parts.at(-1) === "") parts.pop();
  let group = "";
  let rest: string[];
  if (parts[0] === "api") rest = parts.slice(1);
  else if (parts[0] === "apis") {
    group = parts[1] ?? "";
    rest = parts.slice(2);
    if (group === "") return undefined;
  } else return undefined;
  const [version, ...below] = rest;
  // The way in which watches were asked for before there was a parameter for it.
  const watchPath = below[0] === "watch" && method === "GET";
  const segments = watchPath ? below.slice(1) : below;
  if (version === undefined || segments.length === 0 || segments.some((segment) => segment === "")) return undefined;

  let namespace = "";
  let named = segments;
  if (segments[0] === "namespaces" && segments.length > 1) {
    namespace = segments[1] as string;
    // `namespaces/x`, `namespaces/x/status` and `namespaces/x/finalize` are about the namespace itself.
    if (segments.length > 2 && segments[2] !== "status" && segments[2] !== "finalize") named = segments.slice(2);
  }
  // An escaped slash is one all the same.
  const [resource = "", name = "", subresource = "", ...tail] = named.flatMap((segment, index) => (index < 3 ? segment.split("/") : [segment]));
  if (resource === "namespaces" && named === segments) namespace = "";
  const verb = verbOf(method, name === "", watchPath || (watching && name === ""));
  if (!verb) return undefined;
  // A watch or list of one name is authorized as for that name.
  const selected = /^metadata\.name==?([^,]+)$/.exec(fieldSelector ?? "")?.[1];
  return {
    verb,
    group,
    version,
    namespace,
    resource,
    name: name || (verb === "list" || verb === "watch" || verb === "deletecollection" ? (selected ?? "") : ""),
    subresource,
    rest: tail.join("/"),
  };
}

function verbOf(method: string, collection: boolean, watching: boolean): ResourceRequest["verb"] | undefined {
  switch (method) {
    case "GET":
      return watching ? "watch" : collection ? "list" : "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return collection ? "deletecollection" : "delete";
    default:
      return undefined;
  }
}
